"""Losses that no peer on PyPI has: published formulas in plain torch, differentiated by autograd.

Each function states where its formula was read. Nothing here is shared with the crate.
"""

import math

import torch

from batches import BATCHES, drawn, tensors
from cases import differentiated, per_token

INPUTS = ("logprobs", "behaviour", "mask", "advantages")


def token_mean(loss, mask):
    return (loss * mask).sum() / mask.sum()


def case(name, settings, batch, leaf, loss, token_loss, inputs=INPUTS, **expected):
    return {
        "name": f"transcription {name}",
        "source": "transcription",
        "version": settings["formula"],
        "function": None,
        "dtype": "float64",
        "settings": {key: value for key, value in settings.items() if key != "formula"},
        "inputs": {key: batch[key] for key in inputs},
        "expected": {
            "token_loss": per_token(token_loss, batch["mask"]),
            "loss": loss,
            "gradient": differentiated(loss, leaf),
        }
        | expected,
    }


def leaf_of(batch):
    return batch["logprobs"].clone().requires_grad_()


def clip(weight, advantages, low, high):
    return torch.maximum(-advantages * weight, -advantages * weight.clamp(1 - low, 1 + high))


def aspo_table():
    """One row of each sign, the ratios of the table of gradients in the docs."""
    ratios = torch.tensor([[0.2, 0.5, 1.1, 1.9], [4.0, 1.5, 0.9, 0.5]])
    batch = tensors(behaviour=[[-3.0] * 4] * 2, mask=[[1.0] * 4] * 2, advantages=[[1.0] * 4, [-1.0] * 4])
    batch["logprobs"] = batch["behaviour"] + ratios.log()
    return batch


def aspo(name, batch, split):
    """ASPO, 2510.06062. With `split` as released (wizard-III/Archer2.0 at b08d963,
    `compute_policy_loss_archer`): the trust region of the tokens above their row's 0.8-quantile of
    entropy is 0.4 wide, of the others 0.2. Without, as in the paper: 0.2 for all.

    A < 0: weight max(R, 1 - e); above 3 the loss is -A 3 l.
    A >= 0: weight 1 / min(R, 1 + e), its gradient that of l; above 3 the loss is -A 3 l.
    """
    leaf = leaf_of(batch)
    advantages, mask = batch["advantages"], batch["mask"]
    epsilon = torch.full_like(mask, 0.2)
    if split:
        valid = torch.where(mask > 0, batch["entropies"], math.nan)
        threshold = torch.nanquantile(valid, 0.8, dim=-1, keepdim=True)
        epsilon = torch.where(valid > threshold, 0.4, 0.2)
    ratio = (leaf - batch["behaviour"]).clamp(-20, 20).exp()
    downward = torch.maximum(ratio, 1 - epsilon)
    upward = torch.minimum(ratio, 1 + epsilon)
    held = upward.detach()
    negative = torch.where(downward > 3, -advantages * 3 * leaf, -advantages * downward)
    positive = torch.where(1 / held > 3, -advantages * 3 * leaf, -advantages * (upward / held) / held)
    loss = torch.where(advantages < 0, negative, positive)
    settings = {"formula": "2510.06062", "loss": "aspo", "epsilon": 0.2, "cap": 3.0, "log_ratio_limit": 20.0}
    if split:
        settings |= {"epsilon_high_entropy": 0.4, "entropy_quantile": 0.8}
    settings["reduction"] = "token_mean"
    title = f"aspo {'released' if split else 'paper'} {name}"
    inputs = INPUTS + (("entropies",) if split else ())
    more = {"epsilon": torch.where(mask > 0, epsilon, 0.0)} if split else {}
    return case(title, settings, batch, leaf, token_mean(loss, mask), loss, inputs, **more)


def nft(name, normalise, negative_weight):
    """NFT, 2505.18116, as in NVlabs/NFT `dp_actor.py` (token ratios).

    Correct: -log R. Wrong: -log max(1, (1 - q R) / (1 - q)), value clamped, gradient kept. q is the
    prompt's success rate within [0.02, 0.98]; the log-ratio is clamped at 10 from above.
    """
    batch = BATCHES[name]()
    count = len(batch["mask"])
    batch["correct"] = torch.tensor(([1.0, 0.0] * count)[:count])
    batch["success_rates"] = torch.tensor(([0.25, 0.5, 0.75, 0.0, 0.125, 1.0] * count)[:count])
    leaf = leaf_of(batch)
    rate = batch["success_rates"].clamp(0.02, 0.98).unsqueeze(1)
    right = batch["correct"].unsqueeze(1)
    ratio = (leaf - batch["behaviour"]).clamp(max=10).exp()
    implicit = (1 - rate * ratio) / (1 - rate)
    floored = implicit + (implicit.clamp(min=1.0) - implicit).detach()
    loss = -right * ratio.log() - (1 - right) * negative_weight * floored.log()
    weight = {"none": 1.0, "linear": 1 - rate, "root": ((1 - rate) / rate).sqrt()}[normalise]
    loss = loss * weight
    settings = {
        "formula": "2505.18116",
        "loss": "nft",
        "prompt_weight": normalise,
        "negative_weight": negative_weight,
        "success_rate_low": 0.02,
        "success_rate_high": 0.98,
        "floor": 1.0,
        "log_ratio_upper_limit": 10.0,
        "reduction": "token_sum",
        "divisor": 1000.0,
    }
    total = (loss * batch["mask"]).sum() / 1000
    inputs = ("logprobs", "behaviour", "mask", "correct", "success_rates")
    title = f"nft {normalise} {negative_weight} {name}"
    return case(title, settings, batch, leaf, total, loss, inputs)


def minpro(name, form):
    """MinPRO, 2601.22718: the prefix product of ratios becomes R_t times the smallest earlier ratio.

    DERIVED from the abstract and a summary: the minimum is taken as a constant, uncapped, over the
    valid tokens before t; the first token's weight is its own ratio.
    """
    batch = BATCHES[name]()
    leaf = leaf_of(batch)
    advantages, mask = batch["advantages"], batch["mask"]
    ratio = (leaf - batch["behaviour"]).clamp(-20, 20).exp()
    least = torch.ones_like(mask)
    for row in range(mask.shape[0]):
        earlier = []
        for t in range(mask.shape[1]):
            if mask[row, t] > 0:
                least[row, t] = min(earlier) if earlier else 1.0
                earlier.append(ratio[row, t].item())
    weight = ratio * least
    settings = {"formula": "2601.22718 (DERIVED)", "loss": f"minpro_{form}", "log_ratio_limit": 20.0}
    if form == "clipped":
        loss = clip(weight, advantages, 0.2, 0.28)
        settings |= {"epsilon_low": 0.2, "epsilon_high": 0.28}
    else:
        loss = -weight.clamp(max=5.0).detach() * advantages * leaf
        settings |= {"ratio_high": 5.0}
    settings["reduction"] = "token_mean"
    value = token_mean(loss, mask)
    return case(f"minpro {form} {name}", settings, batch, leaf, value, loss, prefix_minima=least * mask)


def stapo(name):
    """STAPO, 2602.15620: the clipped loss without tokens that are unlikely (below 0.002 at behaviour
    time), sure (entropy below the batch's 0.8-quantile) and rewarded; divided by how many are left.
    """
    batch = BATCHES[name]()
    leaf = leaf_of(batch)
    advantages, mask, entropies = batch["advantages"], batch["mask"], batch["entropies"]
    threshold = torch.quantile(entropies[mask > 0], 0.8)
    spurious = (advantages > 0) & (batch["behaviour"].exp() < 0.002) & (entropies < threshold)
    kept = torch.where(spurious, 0.0, mask)
    loss = clip((leaf - batch["behaviour"]).exp(), advantages, 0.2, 0.28)
    settings = {
        "formula": "2602.15620 (MED)",
        "loss": "clipped",
        "level": "token",
        "epsilon_low": 0.2,
        "epsilon_high": 0.28,
        "probability_threshold": 0.002,
        "entropy_quantile": 0.8,
        "reduction": "token_mean",
        "reduction_mask": "kept",
    }
    value = token_mean(loss, kept)
    inputs = INPUTS + ("entropies",)
    return case(f"stapo {name}", settings, batch, leaf, value, loss * kept, inputs, kept=kept)


def laser(balanced):
    """LaSeR's auxiliary loss, 2510.14943, as in RUCBM/LaSeR `dp_actor.py`.

    s = beta (l_z - c); alpha times the mean over *all* rows of w (s - r)^2, unfinished rows counting
    zero. Balanced: w = N / (2 N_correct) for right rows, N / (2 N_wrong) for wrong ones.
    """
    scores = torch.tensor([-13.0, -20.5, -15.25, -22.75, -14.5, -18.0]).requires_grad_()
    rewards = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    finished = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    own = 0.1 * (scores + 23.0)
    weight = torch.ones_like(rewards)
    if balanced:
        right = rewards.sum()
        weight = torch.where(
            rewards > 0, len(rewards) / (2 * right), len(rewards) / (2 * (len(rewards) - right))
        )
    loss = 0.1 * (weight * (own - rewards) ** 2 * finished).mean()
    return {
        "name": f"transcription laser {'balanced' if balanced else 'plain'}",
        "source": "transcription",
        "version": "2510.14943",
        "function": None,
        "dtype": "float64",
        "settings": {
            "loss": "laser",
            "beta": 0.1,
            "reference_constant": -23.0,
            "coefficient": 0.1,
            "balanced": balanced,
            "rows": "all",
        },
        "inputs": {"auxiliary_logprobs": scores, "rewards": rewards, "finished": finished},
        "expected": {
            "self_rewards": own,
            "class_weights": weight,
            "loss": loss,
            "gradient": differentiated(loss, scores),
        },
    }


def rlpt(support):
    """RLPT, 2602.03195: logits outside the behaviour policy's top K go to minus infinity, in the
    current and in the behaviour policy, before the ratio of the clipped loss is formed.
    """
    batch = drawn(seed=3, lengths=[3, 2], width=3, spread=0.1, grid=1 / 256, advantages=[1.0, -0.5])
    generator = torch.Generator().manual_seed(17)
    shape = (2, 3, 6)
    behaviour = (torch.randn(shape, generator=generator, dtype=torch.float64) * 128).round() / 128
    shift = (torch.randn(shape, generator=generator, dtype=torch.float64) * 64).round() / 128
    logits = (behaviour + shift).requires_grad_()
    top = behaviour.topk(support, dim=-1).indices
    ids = top[..., 1]
    inside = torch.zeros(shape, dtype=torch.bool).scatter_(-1, top, True)

    def score(values):
        masked = values.masked_fill(~inside, -math.inf)
        return masked.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)

    current, before = score(logits), score(behaviour)
    loss = clip((current - before).exp(), batch["advantages"], 0.2, 0.28)
    value = token_mean(loss, batch["mask"])
    return {
        "name": f"transcription rlpt top {support}",
        "source": "transcription",
        "version": "2602.03195 (MED)",
        "function": None,
        "dtype": "float64",
        "settings": {
            "loss": "clipped",
            "level": "token",
            "epsilon_low": 0.2,
            "epsilon_high": 0.28,
            "support": support,
            "reduction": "token_mean",
        },
        "inputs": {
            "logits": logits,
            "behaviour_logits": behaviour,
            "support": top,
            "tokens": ids,
            "mask": batch["mask"],
            "advantages": batch["advantages"],
        },
        "expected": {
            "logprobs": current,
            "behaviour": before,
            "token_loss": per_token(loss, batch["mask"]),
            "loss": value,
            "logits_gradient": differentiated(value, logits),
        },
    }


def cases():
    yield aspo("table", aspo_table(), split=False)
    for name in ("ragged", "per_token", "extreme", "on_policy", "hand"):
        yield aspo(name, BATCHES[name](), split=False)
    for name in ("ragged", "per_token", "on_policy"):
        yield aspo(name, BATCHES[name](), split=True)
    for name in ("ragged", "extreme", "on_policy"):
        for normalise in ("none", "linear", "root"):
            yield nft(name, normalise, 1.0)
    yield nft("ragged", "linear", 0.0)
    for name in ("ragged", "per_token", "on_policy"):
        yield minpro(name, "clipped")
        yield minpro(name, "capped")
    yield stapo("per_token")
    yield stapo("ragged")
    yield laser(False)
    yield laser(True)
    yield rlpt(3)
    yield rlpt(6)
