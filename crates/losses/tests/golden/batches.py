"""The batches on which every peer is run.

All numbers but those of the hand batch are multiples of a power of two, so they are exact in f32 as
well as in f64 and a test in either sees the same batch. Masked places hold numbers that would show
in a result: whoever reads them is caught.
"""

import random

import torch

torch.set_default_dtype(torch.float64)

GARBAGE = -3.71875


def tensors(**fields):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in fields.items()}


def hand():
    """The batch on which verl, TRL, Liger and OpenRLHF have been compared by hand."""
    return tensors(
        logprobs=[[-1.69315, -1.0, -0.59453, -2.0], [-0.5, -1.2, -3.0, 0.0]],
        behaviour=[[-1.0, -1.0, -1.0, -2.3], [-1.0, -1.0, -1.0, 0.0]],
        reference=[[-1.2, -0.9, -1.1, -2.0], [-0.7, -1.1, -1.5, 0.0]],
        mask=[[1, 1, 1, 1], [1, 1, 1, 0]],
        advantages=[[1.0] * 4, [-1.5] * 4],
    )


def drawn(seed, lengths, width, spread, grid, advantages, holes=()):
    """Rows of the given lengths; log-ratios are normal with the given spread, rounded to the grid."""
    generator = random.Random(seed)

    def rounded(value, step=grid):
        return round(value / step) * step

    fields = {name: [] for name in ("logprobs", "behaviour", "reference", "sampler", "entropies", "mask")}
    for row, length in enumerate(lengths):
        kept = [t < length and (row, t) not in holes for t in range(width)]
        logprobs = [rounded(-0.05 - 3.5 * generator.random() ** 2) for _ in range(width)]

        def beside(spread):
            return [min(rounded(value + generator.gauss(0.0, spread)), -grid) for value in logprobs]

        drawn_row = {
            "logprobs": logprobs,
            "behaviour": beside(spread),
            "reference": beside(0.5),
            "sampler": beside(1.5 * spread),
            "entropies": [rounded(3.0 * generator.random(), 1 / 256) for _ in range(width)],
        }
        for name, values in drawn_row.items():
            outside = 4.25 if name == "entropies" else GARBAGE * (1.5 if name == "behaviour" else 1.0)
            fields[name].append([v if keep else outside for v, keep in zip(values, kept)])
        fields["mask"].append([float(keep) for keep in kept])
    if advantages == "per token":
        fields["advantages"] = [
            [rounded(generator.gauss(0.0, 1.5), 1 / 64) for _ in range(width)] for _ in lengths
        ]
    else:
        fields["advantages"] = [[a] * width for a in advantages]
    return tensors(**fields)


def ragged():
    """Full, one-token and empty rows, a hole, an advantage of zero, clipping on both sides."""
    return drawn(
        seed=11,
        lengths=[6, 1, 0, 4, 6, 3],
        width=6,
        spread=0.4,
        grid=1 / 256,
        advantages=[1.25, -0.75, 0.5, 0.0, -1.5, 2.0],
        holes={(4, 2)},
    )


def per_token():
    """Advantages differ from token to token and an unlikely token gets a positive one."""
    batch = drawn(seed=23, lengths=[5, 3, 5, 4], width=5, spread=0.5, grid=1 / 256, advantages="per token")
    batch["logprobs"][0, 1], batch["behaviour"][0, 1] = -7.5, -7.25
    batch["logprobs"][2, 3], batch["behaviour"][2, 3] = -8.0, -8.125
    batch["sampler"][0, 1], batch["sampler"][2, 3] = -7.0, -7.875
    batch["advantages"][0, 1], batch["advantages"][2, 3] = 1.5, 0.75
    batch["entropies"][0, 1], batch["entropies"][2, 3] = 0.25, 2.9375
    return batch


def mild():
    """Log-ratios of a thousandth, as sequence-level clipping expects."""
    return drawn(
        seed=5,
        lengths=[5, 4, 2, 5],
        width=5,
        spread=0.001,
        grid=2**-16,
        advantages=[1.0, -1.0, 1.5, -0.5],
    )


def extreme():
    """Log-ratios of 25, 15, 4, 1.5 and 0, of both signs and under advantages of both signs."""
    gaps = [25.0, 15.0, 4.0, 1.5, 0.0]
    likely, far = [-0.5, -0.25, -1.5, -2.0, -1.0], [-0.5 - 25, -0.25 - 15, -1.5 - 4, -2.0 - 1.5, -1.0]
    assert [a - b for a, b in zip(likely, far)] == gaps
    return tensors(
        logprobs=[likely, likely, far, far],
        behaviour=[far, far, likely, likely],
        reference=[far, likely, likely, far],
        mask=[[1.0] * 5] * 4,
        advantages=[[1.0] * 5, [-1.0] * 5, [0.5] * 5, [-2.0] * 5],
    )


def on_policy():
    """Current and behaviour policy are the same."""
    batch = drawn(seed=7, lengths=[4, 2, 1], width=4, spread=0.3, grid=1 / 256, advantages=[1.0, -0.5, -2.0])
    batch["behaviour"] = batch["logprobs"].clone()
    return batch


BATCHES = {
    "hand": hand,
    "ragged": ragged,
    "per_token": per_token,
    "mild": mild,
    "extreme": extreme,
    "on_policy": on_policy,
}


def rows(batch, start, end):
    """A micro-batch: some rows of a batch."""
    return {name: value[start:end] for name, value in batch.items()}
