"""Weights and masks for a sampler whose log-probabilities are not the trainer's.

`sampler` are the sampler's log-probabilities, `behaviour` the trainer's at the start of the step,
`logprobs` the current ones.
"""

import torch

from batches import BATCHES
from cases import Locals, differentiated, per_token
from peers import (
    VERSIONS,
    trl,
    trl_block,
    trl_loss,
    trl_trainer,
    verl,
    verl_config,
    verl_mismatch,
)

INPUTS = ("logprobs", "behaviour", "sampler", "mask", "advantages")
CLIP = {"loss": "clipped", "level": "token", "epsilon_low": 0.2, "epsilon_high": 0.28}


def cases():
    for name in ("ragged", "per_token"):
        yield from of_verl(name)
        yield from of_trl(name)


def made(name, source, function, settings, batch, weights, kept, leaf, loss, token_loss):
    return {
        "name": f"{source} {name}",
        "source": source,
        "version": VERSIONS[source],
        "function": function,
        "dtype": "float64",
        "settings": CLIP | settings,
        "inputs": {key: batch[key] for key in INPUTS},
        "expected": {
            "mismatch_weights": None if weights is None else per_token(weights, batch["mask"]),
            "kept": kept,
            "token_loss": per_token(token_loss, batch["mask"]),
            "loss": loss,
            "gradient": differentiated(loss, leaf),
        },
    }


def of_verl(name):
    truncated = {"token": ("token", 2.0), "sequence": ("sequence", 2.0), "icepop": ("token", "0.5_1.5")}
    for title, (level, threshold) in truncated.items():
        bounds = {"mismatch_high": threshold, "mismatch_outside": "cap"}
        if isinstance(threshold, str):
            low, high = map(float, threshold.split("_"))
            bounds = {"mismatch_low": low, "mismatch_high": high, "mismatch_outside": "zero"}
        settings = {"mismatch_level": level} | bounds
        yield verl_case(name, title, settings, rollout_is=level, rollout_is_threshold=threshold)
        if title != "icepop":
            yield verl_case(
                name,
                f"{title} with mean one",
                settings | {"mismatch_mean_one": True},
                rollout_is=level,
                rollout_is_threshold=threshold,
                rollout_is_batch_normalize=True,
            )
    rejections = {
        "token_k1": "0.6_1.5",
        "token_k2": 0.2,
        "token_k3": 0.1,
        "seq_sum_k1": "0.35_4.0",
        "seq_mean_k1": "0.795_1.25",
        "seq_mean_k2": 0.2,
        "seq_mean_k3": 0.2,
        "seq_max_k2": 0.5,
    }
    for rule, threshold in rejections.items():
        settings = {"rejection": rule}
        if isinstance(threshold, str):
            low, high = map(float, threshold.split("_"))
            settings |= {"rejection_low": low, "rejection_high": high}
        else:
            settings |= {"rejection_high": threshold}
        yield verl_case(name, rule, settings, rollout_rs=rule, rollout_rs_threshold=threshold)


def verl_case(name, title, settings, **options):
    batch = BATCHES[name]()
    weights, kept, _ = verl_mismatch.compute_rollout_correction_and_rejection_mask(
        batch["behaviour"], batch["sampler"], batch["mask"], **options
    )
    weights = None if weights is None else weights.batch["rollout_is_weights"]
    leaf = batch["logprobs"].clone().requires_grad_()
    with Locals("compute_policy_loss_vanilla") as seen:
        loss, _ = verl.compute_policy_loss_vanilla(
            batch["behaviour"],
            leaf,
            batch["advantages"],
            kept,
            "token-mean",
            verl_config(clip_ratio_low=0.2, clip_ratio_high=0.28),
            weights,
        )
    return made(
        f"{title} {name}",
        "verl",
        "verl.trainer.ppo.rollout_corr_helper.compute_rollout_correction_and_rejection_mask",
        settings | {"dual_clip": 3.0, "log_ratio_limit": 20.0, "reduction": "token_mean"},
        batch,
        weights,
        kept,
        leaf,
        loss,
        torch.where(kept > 0, seen["pg_losses"], 0.0),
    )


def of_trl(name):
    for mode in ("token_truncate", "token_mask", "sequence_truncate", "sequence_mask"):
        level, outside = mode.split("_")
        for low, high in ((None, 1.5), (0.5, 2.0)):
            bounds = {"mismatch_high": high} | ({} if low is None else {"mismatch_low": low})
            settings = {
                "mismatch_level": level,
                "mismatch_outside": {"truncate": "cap", "mask": "zero"}[outside],
            }
            yield trl_case(name, f"{mode} {low} {high}", mode, low, high, settings | bounds)
    for threshold in (0.05, 0.25):
        yield off_policy_mask(name, threshold)


def trl_case(name, title, mode, low, high, settings):
    batch = BATCHES[name]()
    trainer = trl_trainer(
        loss_type="dapo",
        use_vllm=True,
        vllm_importance_sampling_mode=mode,
        vllm_importance_sampling_clip_min=low,
        vllm_importance_sampling_clip_max=high,
    )
    weights = trl_block(
        "mask = completion_mask",
        self=trainer,
        completion_mask=batch["mask"],
        tool_mask=None,
        old_per_token_logps=batch["behaviour"],
        sampling_per_token_logps=batch["sampler"],
    )["vllm_importance_sampling_ratio"]
    leaf = batch["logprobs"].clone().requires_grad_()
    with Locals("_compute_loss") as seen:
        loss = trl_loss(trainer, batch, leaf, importance_sampling_ratio=weights)
    return made(
        f"{title} {name}",
        "trl",
        "trl.GRPOTrainer._generate_and_score_completions (importance sampling ratio), then _compute_loss",
        settings | {"reduction": "token_mean"},
        batch,
        weights,
        batch["mask"],
        leaf,
        loss,
        seen["per_token_loss"],
    )


def off_policy_mask(name, threshold):
    """DeepSeek-V3.2's mask: a row with a negative advantage that drifted too far is left out."""
    batch = BATCHES[name]()
    trainer = trl_trainer(loss_type="dapo", off_policy_mask_threshold=threshold)
    leaf = batch["logprobs"].clone().requires_grad_()
    with Locals("_compute_loss") as seen:
        loss = trl_loss(trainer, batch, leaf, sampling_per_token_logps=batch["sampler"])
    return made(
        f"off-policy mask {threshold} {name}",
        "trl",
        "trl.GRPOTrainer.get_off_policy_mask, then _compute_loss",
        {"off_policy_threshold": threshold, "reduction": "token_mean"},
        batch,
        None,
        seen["off_policy_mask"].expand_as(batch["mask"]) * batch["mask"],
        leaf,
        loss,
        seen["per_token_loss"],
    )
