"""Writes the golden cases of the losses: `python make.py`, with what requirements.txt names.

Every number comes from a peer's own function (peers.py), or, where no peer has the loss, from its
published formula in plain torch operations that autograd differentiates (transcribed.py). README.md
describes the files.
"""

from pathlib import Path

import torch

import batches
import mismatch
import transcribed
from batches import BATCHES, rows
from cases import Locals, differentiated, per_token, write
from peers import VERSIONS, liger_loss, trl_loss, trl_trainer, verl, verl_config

HERE = Path(__file__).parent
INPUTS = ("logprobs", "behaviour", "mask", "advantages")

# The peers' names of a reduction, and what it is.
VERL = {
    "token-mean": {"reduction": "token_mean"},
    "token-sum": {"reduction": "token_sum"},
    "seq-mean-token-mean": {"reduction": "sequence_mean", "rows": "non_empty", "denominator_epsilon": 1e-8},
    "seq-mean-token-sum": {"reduction": "sequence_sum", "rows": "non_empty"},
    "seq-mean-token-sum-norm": {"reduction": "constant", "rows": "non_empty"},
}
HUGGING = {
    "grpo": {"reduction": "sequence_mean", "rows": "all"},
    "sapo": {"reduction": "sequence_mean", "rows": "all"},
    "bnpo": {"reduction": "token_mean"},
    "dapo": {"reduction": "token_mean"},
    "cispo": {"reduction": "token_mean"},
    "dr_grpo": {"reduction": "constant", "rows": "all"},
    "luspo": {"reduction": "sequence_sum", "rows": "all"},
}


def case(name, source, function, settings, batch, leaf, loss, token_loss, inputs=INPUTS):
    gradient = differentiated(loss, leaf)
    leaks = settings.get("counts_masked_places", False)
    assert leaks or (gradient[batch["mask"] == 0] == 0).all(), f"{name}: a masked place has a gradient"
    return {
        "name": f"{source} {name}",
        "source": source,
        "version": VERSIONS[source],
        "function": function,
        "dtype": "float64",
        "settings": settings,
        "inputs": {key: batch[key] for key in inputs},
        "expected": {
            "token_loss": token_loss.expand_as(gradient) if leaks else per_token(token_loss, batch["mask"]),
            "loss": loss,
            "gradient": gradient,
        },
    }


def from_verl(loss, name, settings, mode="token-mean", whole=None, part=None, policy_loss=None, **config):
    """A registered verl loss on a batch, or on some rows of one whose totals are given."""
    batch = BATCHES[name]()
    title = f"{loss} {name} {mode}"
    totals = {}
    if part is not None:
        totals = {
            "dp_size": 1,
            "batch_num_tokens": int(batch["mask"].sum()),
            "global_batch_size": int((batch["mask"].sum(-1) > 0).sum()),
        }
        batch, title = rows(batch, *part), f"{title} rows {part[0]} to {part[1]}"
    length = config.pop("length", None)
    width = batch["mask"].shape[1]
    reduction = dict(VERL[mode])
    if reduction["reduction"] == "constant":
        reduction["length"] = width if length is None else length
    if length is not None:
        totals["loss_scale_factor"] = length
    if part is not None:
        reduction |= {"tokens": totals["batch_num_tokens"], "row_count": totals["global_batch_size"]}
    function = verl.get_policy_loss_fn(loss)
    leaf = batch["logprobs"].clone().requires_grad_()
    with Locals(function.__name__) as seen:
        value, _ = function(
            batch["behaviour"],
            leaf,
            batch["advantages"],
            batch["mask"],
            mode,
            verl_config(global_batch_info=totals, policy_loss=policy_loss, **config),
        )
    token_loss = seen["pg_losses"]
    if token_loss.dim() == 1:
        token_loss = token_loss.unsqueeze(1)
    suffix = settings.pop("suffix", "")
    made = case(
        (title + " " + suffix).strip(),
        "verl",
        f"verl.trainer.ppo.core_algos.{function.__name__}",
        settings | {"peer_reduction": mode} | reduction,
        batch,
        leaf,
        value,
        token_loss,
    )
    if loss in ("clip_cov", "kl_cov"):
        made["expected"]["selected"] = selection(seen, batch["mask"])
    return made


def selection(seen, mask):
    """1 at the tokens that a rule by covariance picked."""
    if "corr" in seen:
        return (seen["corr"] == 0).to(mask)
    selected = torch.zeros_like(mask)
    selected.view(-1)[seen["large_cov_idxs"]] = 1
    return selected


def hugging_reduction(kind, batch, length):
    reduction = dict(HUGGING[kind]) | {"peer_reduction": kind}
    if reduction["reduction"] == "constant":
        reduction["length"] = length
    return reduction


def from_trl(kind, name, settings, inputs=INPUTS, suffix="", given=None, **changes):
    """TRL's loss; `kind` is its `loss_type`, which chooses both the surrogate and the reduction."""
    batch = BATCHES[name]()
    width = batch["mask"].shape[1]
    trainer = trl_trainer(loss_type=kind, max_completion_length=width, **changes)
    leaf = batch["logprobs"].clone().requires_grad_()
    with Locals("_compute_loss") as seen:
        value = trl_loss(trainer, batch, leaf, **(given or {}))
    return case(
        f"{kind} {name} {suffix}".strip(),
        "trl",
        "trl.GRPOTrainer._compute_loss",
        settings | hugging_reduction(kind, batch, width),
        batch,
        leaf,
        value,
        seen["per_token_loss"],
        inputs,
    )


def from_liger(kind, name, settings, inputs=INPUTS, suffix="", part=None, **changes):
    batch = BATCHES[name]()
    whole = batch["mask"]
    width = whole.shape[1]
    reduction = hugging_reduction(kind, batch, width)
    if part is not None:
        batch, suffix = rows(batch, *part), f"rows {part[0]} to {part[1]}"
        reduction |= {"tokens": whole.sum(), "row_count": whole.shape[0]}
    if kind == "luspo" and (changes.get("beta") or "importance_sampling_level" not in changes):
        # With a loss of its own at each place Liger forgets the mask and divides by the width too.
        reduction |= {"reduction": "length_weighted_mean", "counts_masked_places": True}
    leaf = batch["logprobs"].clone().requires_grad_()
    changes = {"beta": 0.0, "epsilon_high": 0.28} | changes
    with Locals("ppo_loss_fn") as seen:
        value = liger_loss(batch, leaf, whole, loss_type=kind, max_completion_length=width, **changes)
    return case(
        f"{kind} {name} {suffix}".strip(),
        "liger",
        "liger_kernel.chunked_loss.grpo_loss.LigerFusedLinearGRPOFunction.ppo_loss_fn",
        settings | reduction,
        batch,
        leaf,
        value,
        seen["per_token_loss"],
        inputs,
    )


DAPO_CLIP = {"clip_ratio_low": 0.2, "clip_ratio_high": 0.28}
CLIP = {"epsilon_low": 0.2, "epsilon_high": 0.28}
PPO = {"loss": "clipped", "level": "token"} | CLIP
VERL_PPO = PPO | {"dual_clip": 3.0, "log_ratio_limit": 20.0}
THREE = ("token-mean", "seq-mean-token-mean", "seq-mean-token-sum-norm")
CLIPPED_KINDS = ("grpo", "bnpo", "dr_grpo", "dapo", "luspo")


def clipped():
    for name in ("hand", "ragged", "per_token", "extreme", "on_policy"):
        for mode in VERL if name == "ragged" else THREE:
            yield from_verl("vanilla", name, dict(VERL_PPO), mode, **DAPO_CLIP)
    yield from_verl("vanilla", "hand", dict(VERL_PPO), "seq-mean-token-sum", **DAPO_CLIP)
    yield from_verl(
        "vanilla",
        "extreme",
        VERL_PPO | {"dual_clip": 10.0, "suffix": "cap 10"},
        clip_ratio_c=10.0,
        **DAPO_CLIP,
    )
    yield from_verl(
        "vanilla",
        "ragged",
        dict(VERL_PPO) | {"suffix": "length 16"},
        "seq-mean-token-sum-norm",
        length=16,
        **DAPO_CLIP,
    )
    for part in ((0, 2), (2, 6)):
        for mode in VERL:
            yield from_verl("vanilla", "ragged", dict(VERL_PPO), mode, part=part, **DAPO_CLIP)
    for name in ("hand", "ragged"):
        for kind in CLIPPED_KINDS:
            yield from_trl(kind, name, dict(PPO))
            if kind != "luspo" or name == "hand":
                yield from_liger(kind, name, dict(PPO))
    for name in ("extreme", "per_token"):
        yield from_trl("grpo", name, dict(PPO))
    yield from_liger("grpo", "extreme", dict(PPO))
    capped = PPO | {"ratio_cap": 1.5}
    yield from_trl("grpo", "extreme", capped, suffix="ratio cap", delta=1.5)
    yield from_liger("grpo", "extreme", capped, suffix="ratio cap", delta=1.5)
    yield from_trl("grpo", "ragged", capped, suffix="ratio cap", delta=1.5)
    yield from_trl(
        "dapo",
        "ragged",
        PPO | {"behaviour": "current"},
        suffix="no behaviour",
        given={"old_per_token_logps": None},
    )
    yield from_trl(
        "dapo",
        "ragged",
        PPO | {"tokens": 64, "accumulation_steps": 2, "steps_per_generation": 4},
        suffix="accumulated",
        given={"num_items_in_batch": torch.tensor(64.0)},
        current_gradient_accumulation_steps=2,
        steps_per_generation=4,
    )
    for kind in ("grpo", "dr_grpo", "bnpo"):
        for part in ((0, 2), (2, 6)):
            yield from_liger(kind, "ragged", dict(PPO), part=part)


def surrogates():
    guard = {"log_ratio_limit": 20.0}
    gspo = {"loss": "gspo", "level": "sequence_as_tokens", "log_ratio_upper_limit": 10.0}
    narrow = {"clip_ratio_low": 3e-4, "clip_ratio_high": 4e-4}
    for name, clip in (
        ("hand", DAPO_CLIP),
        ("ragged", DAPO_CLIP),
        ("mild", narrow),
        ("per_token", DAPO_CLIP),
        ("extreme", DAPO_CLIP),
    ):
        bounds = {"epsilon_low": clip["clip_ratio_low"], "epsilon_high": clip["clip_ratio_high"]}
        for mode in ("seq-mean-token-mean", "token-mean"):
            yield from_verl("gspo", name, gspo | bounds, mode, **clip)
    sapo = {"loss": "sapo", "temperature_positive": 1.0, "temperature_negative": 1.05}
    for name in ("hand", "ragged", "per_token", "extreme", "on_policy"):
        yield from_verl("sapo", name, sapo | guard, "seq-mean-token-mean")
    for name in ("hand", "ragged", "per_token"):
        yield from_verl("gpg", name, {"loss": "reinforce"})
    gmpo = {
        "loss": "gmpo",
        "level": "sequence",
        "log_epsilon_low": 0.4,
        "log_epsilon_high": 0.4,
        "mean_epsilon": 1e-8,
    }
    wide = {"clip_ratio_low": 0.4, "clip_ratio_high": 0.4}
    for name in ("hand", "ragged", "mild", "extreme", "on_policy"):
        made = from_verl("geo_mean", name, dict(gmpo), **wide)
        del made["settings"]["peer_reduction"]
        made["name"] = f"verl geo_mean {name}"
        made["settings"] |= {"reduction": "sequence_mean", "rows": "all"}
        yield made
    cispo = {"loss": "cispo", "ratio_low": 0.8, "ratio_high": 1.28} | guard
    upper = {"loss": "cispo", "ratio_low": 0.0, "ratio_high": 5.0} | guard
    for name in ("hand", "ragged", "per_token", "extreme", "on_policy"):
        yield from_verl("cispo", name, dict(cispo), **DAPO_CLIP)
        yield from_verl("cispo", name, upper | {"suffix": "cap 5"}, clip_ratio_low=1.0, clip_ratio_high=4.0)
    for kind, threshold in (("tv", 0.2), ("kl", 0.05)):
        dppo = {
            "loss": f"dppo_{kind}",
            "threshold_low": threshold,
            "threshold_high": threshold,
            "ratio_cap": 3.0,
        } | guard
        bounds = {"clip_ratio": threshold, "clip_ratio_low": threshold, "clip_ratio_high": threshold}
        for name in ("hand", "ragged", "per_token", "extreme", "on_policy"):
            yield from_verl(f"dppo_{kind}", name, dict(dppo), **bounds)
        yield from_verl(
            f"dppo_{kind}",
            "extreme",
            dppo | {"ratio_cap": 20.0, "suffix": "cap 20"},
            clip_ratio_c=20.0,
            **bounds,
        )
    for name in ("hand", "ragged"):
        capped = {"loss": "cispo", "ratio_high": 5.0}
        yield from_trl("cispo", name, capped, epsilon_high=5.0)
        yield from_liger("cispo", name, capped, epsilon_high=5.0)
        yield from_trl("sapo", name, dict(sapo))
        yield from_liger("sapo", name, dict(sapo))
    sequence = {"loss": "clipped", "level": "sequence"}
    for name, bounds in (
        ("hand", CLIP),
        ("ragged", CLIP),
        ("mild", {"epsilon_low": 3e-4, "epsilon_high": 4e-4}),
    ):
        for kind in ("grpo", "dapo", "luspo"):
            changes = {"importance_sampling_level": "sequence"} | bounds
            yield from_trl(kind, name, sequence | bounds, suffix="sequence", **changes)
            yield from_liger(kind, name, sequence | bounds, suffix="sequence", **changes)


def covariance():
    """The rules by covariance; what they selected is written down, since one of them draws it."""
    clip = PPO | {"dual_clip": None, "log_ratio_limit": None}
    for name in ("ragged", "per_token"):
        for ratio, seed in ((2e-4, 0), (0.2, 0), (0.2, 1)):
            torch.manual_seed(seed)
            settings = clip | {
                "loss": "clip_cov",
                "fraction": ratio,
                "covariance_low": 0.05,
                "covariance_high": 5.0,
                "suffix": f"fraction {ratio} seed {seed}",
            }
            bounds = {"clip_cov_ratio": ratio, "clip_cov_lb": 0.05, "clip_cov_ub": 5.0}
            yield from_verl("clip_cov", name, settings, policy_loss=bounds, **DAPO_CLIP)
        for ratio, coefficient in ((2e-4, 1.0), (0.2, 1.0), (0.2, 0.1)):
            settings = {
                "loss": "kl_cov",
                "fraction": ratio,
                "coefficient": coefficient,
                "suffix": f"fraction {ratio} coefficient {coefficient}",
            }
            bounds = {"kl_cov_ratio": ratio, "ppo_kl_coef": coefficient}
            yield from_verl("kl_cov", name, settings, policy_loss=bounds)


def kl():
    for name in ("hand", "ragged", "extreme"):
        for kind, estimator in (
            ("k1", {"kl": "k1"}),
            ("abs", {"kl": "abs"}),
            ("k2", {"kl": "k2"}),
            ("k3", {"kl": "k3", "kl_exponent_limit": 20.0, "kl_limit": 10.0}),
            ("k1+", {"kl": "k1", "kl_gradient": "k2"}),
            ("k3+", {"kl": "k3", "kl_exponent_limit": 20.0, "kl_limit": 10.0, "kl_gradient": "k2"}),
        ):
            batch = BATCHES[name]()
            leaf = batch["logprobs"].clone().requires_grad_()
            estimate = verl.kl_penalty(leaf, batch["reference"], kind)
            value = verl.agg_loss(estimate, batch["mask"], "token-mean")
            yield case(
                f"{kind} {name}",
                "verl",
                "verl.trainer.ppo.core_algos.kl_penalty",
                {"loss": "none", "kl_coefficient": 1.0, "reduction": "token_mean"} | estimator,
                batch,
                leaf,
                value,
                estimate,
                ("logprobs", "reference", "mask"),
            )
    inputs = INPUTS + ("reference",)
    for name in ("hand", "ragged"):
        for kind in ("grpo", "dapo", "dr_grpo", "cispo", "sapo"):
            settings = {
                "cispo": {"loss": "cispo", "ratio_high": 5.0},
                "sapo": {"loss": "sapo", "temperature_positive": 1.0, "temperature_negative": 1.05},
            }.get(kind, PPO)
            high = {"epsilon_high": 5.0 if kind == "cispo" else 0.28}
            for corrected in (False, True):
                penalised = settings | {"kl": "k3", "kl_coefficient": 0.04, "kl_times_ratio": corrected}
                changes = high | {"beta": 0.04, "use_bias_correction_kl": corrected}
                suffix = "k3 times ratio" if corrected else "k3"
                yield from_trl(kind, name, penalised, inputs, suffix, **changes)
                if kind in ("grpo", "dapo"):
                    yield from_liger(kind, name, penalised, inputs, suffix, **changes)
    for corrected in (False, True):
        penalised = {
            "loss": "clipped",
            "level": "sequence",
            "kl": "k3",
            "kl_coefficient": 0.04,
            "kl_times_ratio": corrected,
        } | CLIP
        changes = {"beta": 0.04, "use_bias_correction_kl": corrected, "importance_sampling_level": "sequence"}
        suffix = "sequence k3 times ratio" if corrected else "sequence k3"
        yield from_trl("luspo", "hand", penalised, inputs, suffix, **changes)
        yield from_liger("luspo", "hand", penalised, inputs, suffix, **changes)


def entropy():
    for name in ("ragged", "per_token"):
        for coefficient in (0.01, -0.5):
            yield with_entropies(name, f"bonus {coefficient}", coefficient=coefficient)
        for fraction in (0.2, 0.5):
            yield with_entropies(name, f"top {fraction}", fraction=fraction)
        yield with_entropies(name, "top 0.2 bonus 0.01", fraction=0.2, coefficient=0.01)
    yield adaptive_entropy()


def with_entropies(name, suffix, fraction=None, coefficient=None):
    """An entropy bonus, the loss on the tokens of highest entropy, or both."""
    batch = BATCHES[name]()
    settings, changes = dict(PPO), {}
    if coefficient is not None:
        settings["entropy_coefficient"] = coefficient
        changes |= {"entropy_coef": coefficient, "_entropy_bonus_enabled": True}
    if fraction is not None:
        settings |= {"entropy_fraction": fraction, "quantile_dtype": "float32"}
        changes["top_entropy_quantile"] = fraction
    inputs = INPUTS + ("entropies",)
    given = {"entropies": batch["entropies"]}
    made = from_trl("dapo", name, settings, inputs, suffix, given=given, **changes)
    entropies = batch["entropies"].clone().requires_grad_()
    with Locals("_compute_loss") as seen:
        value = trl_loss(trl_trainer(**changes), batch, batch["logprobs"].clone().requires_grad_(), entropies)
    kept = seen["entropy_mask"]
    made["expected"] |= {
        "entropy_gradient": differentiated(value, entropies),
        "selected": batch["mask"] if kept is None else kept.to(batch["mask"]),
    }
    return made


def adaptive_entropy():
    """The coefficient after each of some steps on batches whose mean entropies are given."""
    rule = {
        "entropy_target": 0.5,
        "entropy_coef_delta": 0.004,
        "entropy_coef_min": 0.0,
        "entropy_coef_max": 0.011,
    }
    trainer = trl_trainer(
        loss_type="dapo",
        entropy_coef=0.002,
        use_adaptive_entropy=True,
        _entropy_bonus_enabled=True,
        _last_world_entropy=0.0,
        **rule,
    )
    means, applied, after = [0.25, 0.5, 0.375, 0.125, 0.75, 1.0, 0.625, 0.875, 0.4375], [], []
    batch = batches.on_policy()
    for mean in means:
        leaf = batch["logprobs"].clone().requires_grad_()
        entropies = torch.full_like(leaf, mean).requires_grad_()
        with Locals("_compute_loss") as seen:
            trl_loss(trainer, batch, leaf, entropies)
        applied.append(float(seen["apply_coef"]))
        after.append(trainer.entropy_coef)
    return {
        "name": "trl adaptive entropy coefficient",
        "source": "trl",
        "version": VERSIONS["trl"],
        "function": "trl.GRPOTrainer._compute_loss",
        "dtype": "float64",
        "settings": {
            "loss": "adaptive_entropy",
            "coefficient": 0.002,
            "target": 0.5,
            "step": 0.004,
            "minimum": 0.0,
            "maximum": 0.011,
        },
        "inputs": {"mean_entropies": means},
        "expected": {"applied": applied, "after": after},
    }


if __name__ == "__main__":
    write(HERE / "clipped.json", list(clipped()))
    write(HERE / "surrogates.json", list(surrogates()))
    write(HERE / "covariance.json", list(covariance()))
    write(HERE / "kl.json", list(kl()))
    write(HERE / "entropy.json", list(entropy()))
    write(HERE / "mismatch.json", list(mismatch.cases()))
    write(HERE / "transcribed.json", list(transcribed.cases()))
