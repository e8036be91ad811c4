"""Advantages of frameworks that are not installed here: their formulas, one group at a time.

The first and last advantage of each group of `TABLE` were measured on each framework's own function;
`formulas` checks itself against those numbers before anything is written.
"""

import torch

TABLE = [[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0, 0, 0, 0, 0], [0.35] * 7 + [0.95]]

MEASURED = {
    "openrlhf group_norm": [(1.5, -0.5), (0.5, -1.5), (1.620185, -0.540062), (-0.353553, 2.474874)],
    "areal group": [(1.49997, -0.49999), (0.49999, -1.49997), (1.62015, -0.54005), (-0.353537, 2.474757)],
    "nano-aha": [(1.731651, -0.577217), (0.577217, -1.731651), (1.731651, -0.577217), (-0.377774, 2.644419)],
    "open-instruct standard": [
        (1.732051, -0.57735),
        (0.57735, -1.732051),
        (1.732051, -0.57735),
        (-0.377964, 2.645751),
    ],
    "nemo-rl": [(1.0, -0.577349), (0.577349, -1.0), (2.267781, -0.585539), (-0.377963, 3692.675)],
    "leave one out": [(1.0, -0.333333), (0.333333, -1.0), (0.857143, -0.285714), (-0.085714, 0.6)],
    "centred": [(0.75, -0.25), (0.25, -0.75), (0.75, -0.25), (-0.075, 0.525)],
    "max_rl": [(3.0, -1.0), (0.333333, -1.0), (3.0, -1.0), (-0.176471, 1.235294)],
}


def zscore(ddof, epsilon):
    def advantages(rewards):
        return (rewards - rewards.mean()) / (rewards.std(correction=ddof) + epsilon)

    return advantages


def leave_one_out(rewards):
    count = len(rewards)
    if count == 1:
        return torch.zeros_like(rewards)
    return rewards - (rewards.sum() - rewards) / (count - 1)


def max_rl(rewards):
    mean = rewards.mean()
    return (rewards - mean) / mean if mean > 0 else torch.zeros_like(rewards)


def nemo(rewards):
    """NeMo-RL: baseline and standard deviation of the others; no division where the latter is 0."""
    count = len(rewards)
    if count == 1:
        return torch.zeros_like(rewards)
    others = 1 - torch.eye(count, dtype=rewards.dtype)
    left = torch.tensor(float(count - 1), dtype=rewards.dtype)
    baseline = others @ rewards / left
    squares = others @ rewards.pow(2) / left
    std = ((squares - baseline.square()) * (left / (left - 1))).sqrt().nan_to_num(0)
    advantages = rewards - baseline
    return torch.where(std > 0, advantages / (std + 1e-6), advantages)


def formulas():
    """Title, settings, function of one group, precision."""
    named = [
        (
            "openrlhf group_norm",
            {"baseline": "mean", "scale": "std", "ddof": 1, "epsilon": 1e-9},
            zscore(1, 1e-9),
        ),
        ("areal group", {"baseline": "mean", "scale": "std", "ddof": 1, "epsilon": 1e-5}, zscore(1, 1e-5)),
        ("nano-aha", {"baseline": "mean", "scale": "std", "ddof": 0, "epsilon": 1e-4}, zscore(0, 1e-4)),
        (
            "open-instruct standard",
            {"baseline": "mean", "scale": "std", "ddof": 0, "epsilon": 1e-8},
            zscore(0, 1e-8),
        ),
        ("leave one out", {"baseline": "leave_one_out", "scale": "none"}, leave_one_out),
        ("centred", {"baseline": "mean", "scale": "none"}, lambda rewards: rewards - rewards.mean()),
        ("max_rl", {"baseline": "mean", "scale": "mean"}, max_rl),
    ]
    rows = [(title, settings, compute, torch.float64) for title, settings, compute in named]
    settings = {"baseline": "leave_one_out", "scale": "leave_one_out_std", "ddof": 1, "epsilon": 1e-6}
    rows.append(("nemo-rl", settings, nemo, torch.float32))
    exact = [("nemo-rl in f64", settings, nemo, torch.float64)]
    for title, _, compute, dtype in rows:
        for group, measured in zip(TABLE, MEASURED[title]):
            found = compute(torch.tensor(group, dtype=dtype))
            for value, wanted in zip((found[0].item(), found[-1].item()), measured):
                assert abs(value - wanted) <= 2e-6 * max(1, abs(wanted)), (title, group, value, wanted)
    return rows + exact
