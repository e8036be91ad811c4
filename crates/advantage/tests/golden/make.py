"""Writes the golden cases of the advantages: `python make.py`.

Needs what `crates/losses/tests/golden/requirements.txt` names and uses that folder's way to the
peers. README.md describes the file.
"""

import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "losses" / "tests" / "golden"))

from cases import write  # noqa: E402
from peers import VERSIONS, OneProcess, trl_block, verl  # noqa: E402
from transcribed_advantages import TABLE, formulas  # noqa: E402

torch.set_default_dtype(torch.float64)


def graded(seed, sizes):
    generator = random.Random(seed)
    return [[round(generator.gauss(0.0, 1.0) * 64) / 64 for _ in range(size)] for size in sizes]


GROUPS = {
    "table": TABLE,
    "binary": [[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 0]],
    "graded": graded(1, [4, 4, 4, 4]),
    "uneven": graded(2, [5, 2, 1, 3, 8]) + [[1.0], [0.0]],
    "offset": [[1e8, 1e8 + 8, 1e8, 1e8 + 16], [-1e8, -1e8 - 8, -1e8, -1e8]],
    "constant": [[0.1] * 8, [0.7] * 8, [0.0] * 8, [1.0] * 8],
    "singletons": [[1.0], [0.0], [-0.5]],
    "pairs": [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]],
}


def drawn(name):
    """Rewards rounded to f32, as a crate that takes f32 sees them, and a length for each."""
    groups = [[float(numpy.float32(reward)) for reward in group] for group in GROUPS[name]]
    generator = random.Random(name)
    lengths = [[generator.randint(1, 5) for _ in group] for group in groups]
    return groups, lengths


def case(name, source, function, settings, inputs, expected, dtype="float64", version=None):
    return {
        "name": f"{source} {name}",
        "source": source,
        "version": VERSIONS.get(source, version),
        "function": function,
        "dtype": dtype,
        "settings": settings,
        "inputs": inputs,
        "expected": {"advantages": None, "token_advantages": None} | expected,
    }


def grouped(rows, groups):
    """One number for each completion, in the shape of the groups."""
    rows, result = list(rows), []
    for group in groups:
        result.append(rows[: len(group)])
        rows = rows[len(group) :]
    return result


def from_verl(estimator, name, settings, dtype=torch.float64, by_token=False, suffix="", **options):
    """A registered estimator of verl: the reward stands on the last token of its row."""
    groups, lengths = drawn(name)
    flat = [length for group in lengths for length in group]
    mask = torch.tensor([[float(t < length) for t in range(5)] for length in flat], dtype=dtype)
    rewards = torch.zeros(mask.shape, dtype=dtype)
    for row, reward in enumerate(reward for group in groups for reward in group):
        rewards[row, flat[row] - 1] = reward
    function = verl.get_adv_estimator_fn(estimator)
    index = numpy.array([i for i, group in enumerate(groups) for _ in group])
    given = {"token_level_rewards": rewards, "response_mask": mask, "index": index} | options
    if estimator == "reinforce_plus_plus":
        del given["index"]
    inputs = {"groups": groups, "lengths": lengths}
    for extra in ("old_log_probs", "sum_pi_squared"):
        if extra in options:
            inputs[{"old_log_probs": "logprobs"}.get(extra, extra)] = options[extra]
    advantages, _ = function(**given)
    if by_token:
        expected = {"token_advantages": advantages}
    else:
        assert torch.equal(advantages, advantages[:, :1] * mask), "not one number to a row"
        expected = {"advantages": grouped(advantages[:, 0], groups)}
    # The vectorised form rounds to f32 whatever it is given.
    kind = "float32" if "grpo_vectorized" == estimator or dtype == torch.float32 else "float64"
    title = f"{estimator} {name} {suffix}".strip()
    return case(
        title, "verl", f"verl.trainer.ppo.core_algos.{function.__name__}", settings, inputs, expected, kind
    )


ZSCORE = {
    "baseline": "mean",
    "singleton_baseline": 0.0,
    "scale": "std",
    "ddof": 1,
    "epsilon": 1e-6,
    "singleton_scale": 1.0,
}
CENTRED = {"baseline": "mean", "singleton_baseline": 0.0, "scale": "none"}
LEAVE_ONE_OUT = {"baseline": "leave_one_out", "scale": "none"}
WHITENED = {"scale": "batch_token_std", "ddof": 1, "epsilon": 1e-8, "epsilon_place": "variance"}


def of_verl():
    for name in GROUPS:
        yield from_verl("grpo", name, ZSCORE)
        yield from_verl("grpo", name, CENTRED, suffix="without std", norm_adv_by_std_in_grpo=False)
        if name != "offset":  # its order of operations loses half the digits there
            yield from_verl("rloo", name, LEAVE_ONE_OUT | {"singleton_baseline": 0.0})
        yield from_verl("rloo_vectorized", name, LEAVE_ONE_OUT | {"singleton_advantage": 0.0})
    for name in ("constant", "table", "offset"):
        yield from_verl("grpo", name, ZSCORE, torch.float32, suffix="f32")
        yield from_verl("grpo_vectorized", name, ZSCORE)
    for name in ("binary", "uneven"):
        yield from_verl("grpo_vectorized", name, ZSCORE)
    for name in ("table", "binary", "graded", "uneven"):
        yield from_verl("reinforce_plus_plus_baseline", name, CENTRED | WHITENED)
        yield from_verl(
            "gpg", name, {"baseline": "mean", "singleton_baseline": 0.0, "scale": "nonzero_share"}
        )
        yield from_verl(
            "opo", name, {"baseline": "length_weighted_mean", "singleton_baseline": 0.0, "scale": "none"}
        )
        for gamma in (1.0, 0.9):
            yield from_verl(
                "reinforce_plus_plus",
                name,
                {"baseline": "none", "gamma": gamma} | WHITENED,
                by_token=True,
                suffix=f"gamma {gamma}",
                config=SimpleNamespace(gamma=gamma),
            )
    for name in ("table", "binary", "graded", "pairs"):
        for normed in (True, False):
            scale = {"scale": "std", "ddof": 1, "epsilon": 1e-6} if normed else {"scale": "none"}
            yield from_verl(
                "grpo_passk",
                name,
                {"baseline": "second_best", "only_best": True} | scale,
                suffix="" if normed else "without std",
                config={"norm_adv_by_std_in_grpo": normed},
            )
    for name in ("graded", "uneven"):
        count = sum(len(group) for group in GROUPS[name])
        generator = random.Random(name)
        scores = [[-round(256 * 3 * generator.random()) / 256 for _ in range(5)] for _ in range(count)]
        squares = [[round(256 * generator.random()) / 256 for _ in range(5)] for _ in range(count)]
        for zero_tail in (True, False):
            yield from_verl(
                "optimal_token_baseline",
                name,
                {"baseline": "optimal_token", "epsilon": 1e-8, "zero_tail": zero_tail},
                by_token=True,
                suffix="" if zero_tail else "with tail",
                old_log_probs=torch.tensor(scores),
                sum_pi_squared=torch.tensor(squares),
                handle_zero_tail=zero_tail,
            )


def of_trl():
    for name in ("table", "binary", "graded", "offset", "constant", "singletons", "pairs"):
        groups, lengths = drawn(name)
        sizes = {len(group) for group in groups}
        for size in sorted(sizes):
            alike = [group for group in groups if len(group) == size]
            for scale in ("group", "batch", "none"):
                yield trl_case(f"{name} of {size}", alike, scale)
    groups, _ = drawn("constant")
    yield trl_case("constant of 8 f32", groups, "group", torch.float32)


def trl_case(name, groups, scale, dtype=torch.float64):
    rewards = torch.tensor(groups, dtype=dtype).reshape(-1, 1)
    trainer = SimpleNamespace(
        scale_rewards=scale, reward_weights=torch.ones(1, dtype=dtype), accelerator=OneProcess()
    )
    advantages = trl_block(
        "rewards = (rewards_per_func",
        self=trainer,
        rewards_per_func=rewards,
        unscorable_mask=torch.isnan(rewards).all(dim=1),
        num_generations=len(groups[0]),
        device="cpu",
    )["advantages"]
    settings = {"baseline": "mean", "scale": {"group": "std", "batch": "batch_std", "none": "none"}[scale]}
    if scale != "none":
        settings |= {"ddof": 1, "epsilon": 1e-4, "singleton_scale": 0.0}
    return case(
        f"{scale} {name}",
        "trl",
        "trl.GRPOTrainer._generate_and_score_completions (sum_then_normalize)",
        settings,
        {"groups": groups, "lengths": None},
        {"advantages": grouped(advantages.tolist(), groups)},
        str(dtype).removeprefix("torch."),
    )


def of_formulas():
    for title, settings, compute, dtype in formulas():
        for name in ("table", "binary", "graded", "uneven", "constant", "singletons", "pairs"):
            if not defined(title, settings, name):
                continue
            groups, lengths = drawn(name)
            advantages = [compute(torch.tensor(group, dtype=dtype)).tolist() for group in groups]
            yield case(
                f"{title} {name}",
                "transcription",
                None,
                settings,
                {"groups": groups, "lengths": lengths},
                {"advantages": advantages},
                str(dtype).removeprefix("torch."),
                title,
            )


def defined(title, settings, name):
    """A standard deviation of one reward with ddof 1 is NaN; where the one-pass variance of NeMo-RL is
    rounding only, its f64 form says nothing that its own f32 does not.
    """
    if settings["scale"] == "std" and settings["ddof"] == 1:
        return name not in ("uneven", "singletons")
    return title != "nemo-rl in f64" or name not in ("table", "constant")


if __name__ == "__main__":
    write(HERE / "verl.json", list(of_verl()))
    write(HERE / "trl.json", list(of_trl()))
    write(HERE / "transcribed.json", list(of_formulas()))
