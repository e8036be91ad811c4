"""The peers' own functions, run on CPU in f64.

trl: `GRPOTrainer._compute_loss` on an object made without `__init__`, log-probabilities handed in.
liger-kernel: `LigerFusedLinearGRPOFunction.ppo_loss_fn`.
verl: the functions registered in `verl.trainer.ppo.core_algos`; ray, which they do not use, is
replaced by an empty module.
"""

import ast
import importlib.abc
import importlib.machinery
import inspect
import math
import sys
import types
from collections import defaultdict
from unittest.mock import MagicMock

import torch


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for packages that the functions under test import and do not use."""

    packages = {"ray"}

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = self.attribute
        return module

    @staticmethod
    def attribute(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=name)

    def exec_module(self, module):
        pass


sys.meta_path.append(Absent())

import liger_kernel.chunked_loss.grpo_loss as liger  # noqa: E402
import trl.trainer.grpo_trainer as trl  # noqa: E402
import trl.trainer.utils as trl_utils  # noqa: E402
import verl.trainer.ppo.core_algos as verl  # noqa: E402
import verl.trainer.ppo.rollout_corr_helper as verl_mismatch  # noqa: E402
from importlib.metadata import version  # noqa: E402
from verl.workers.config import ActorConfig, PolicyLossConfig  # noqa: E402

VERSIONS = {"trl": version("trl"), "liger": version("liger-kernel"), "verl": version("verl")}


def verl_config(global_batch_info=None, policy_loss=None, **settings):
    return ActorConfig(
        strategy="fsdp",
        rollout_n=1,
        use_dynamic_bsz=True,
        policy_loss=PolicyLossConfig(**(policy_loss or {})),
        global_batch_info=global_batch_info or {},
        **settings,
    )


class OneProcess:
    """An accelerator of one process."""

    num_processes, process_index, sync_gradients = 1, 0, True

    def gather(self, tensor):
        return tensor

    def reduce(self, tensor, reduction):
        return tensor

    def pad_across_processes(self, tensor, dim, pad_index):
        return tensor


def trl_trainer(**changes):
    """A GRPOTrainer without its constructor: the attributes that `_compute_loss` reads."""
    arguments = types.SimpleNamespace(
        delta=changes.pop("delta", None),
        use_bias_correction_kl=changes.pop("use_bias_correction_kl", True),
        steps_per_generation=changes.pop("steps_per_generation", 1),
        sapo_temperature_pos=changes.pop("sapo_temperature_pos", 1.0),
        sapo_temperature_neg=changes.pop("sapo_temperature_neg", 1.05),
        entropy_target=changes.pop("entropy_target", None),
        entropy_coef_delta=changes.pop("entropy_coef_delta", None),
        entropy_coef_min=changes.pop("entropy_coef_min", None),
        entropy_coef_max=changes.pop("entropy_coef_max", None),
    )
    trainer = object.__new__(trl.GRPOTrainer)
    settings = {
        "args": arguments,
        "accelerator": OneProcess(),
        "model": types.SimpleNamespace(training=True),
        "_metrics": defaultdict(lambda: defaultdict(list)),
        "top_entropy_quantile": 1.0,
        "off_policy_mask_threshold": None,
        "importance_sampling_level": "token",
        "loss_type": "dapo",
        "beta": 0.0,
        "epsilon_low": 0.2,
        "epsilon_high": 0.28,
        "use_vllm": False,
        "vllm_importance_sampling_correction": True,
        "current_gradient_accumulation_steps": 1,
        "max_completion_length": None,
        "aux_loss_enabled": False,
        "_entropy_bonus_enabled": False,
        "use_adaptive_entropy": False,
        "_entropy_window_stats": None,
    }
    for name, value in (settings | changes).items():
        object.__setattr__(trainer, name, value)
    return trainer


def trl_loss(trainer, batch, logprobs, entropies=None, **inputs):
    """TRL's loss of a batch whose scores are given instead of a model."""
    mask = batch["mask"]
    ids = torch.zeros(mask.shape, dtype=torch.long)
    entropies = torch.zeros_like(logprobs) if entropies is None else entropies
    object.__setattr__(
        trainer, "_get_per_token_logps_and_entropies", lambda *_, **__: (logprobs, entropies, None)
    )
    given = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": mask[:, :1],
        "completion_ids": ids,
        "completion_mask": mask,
        "advantages": batch["advantages"],
        "old_per_token_logps": batch["behaviour"],
        "ref_per_token_logps": batch.get("reference"),
        "num_items_in_batch": mask.sum(),
    }
    return trl.GRPOTrainer._compute_loss(trainer, None, given | inputs)


def trl_block(first_statement, **names):
    """Runs the block of TRL's `_generate_and_score_completions` that begins with a statement.

    The advantages and the mismatch weights are computed in the middle of a method that also samples.
    """
    source = inspect.getsource(trl.GRPOTrainer._generate_and_score_completions)
    tree = ast.parse("class _:\n" + source)
    found = [
        node.body
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.body[0]).startswith(first_statement)
    ]
    assert len(found) == 1, f"{len(found)} blocks of trl begin with {first_statement}"
    space = {"torch": torch, "math": math, "nanstd": trl_utils.nanstd} | names
    exec(compile(ast.Module(found[0], []), "trl", "exec"), space)
    return space


def liger_loss(batch, logprobs, whole_mask=None, **settings):
    """Liger's loss; its advantages are one to a row."""
    return liger.LigerFusedLinearGRPOFunction.ppo_loss_fn(
        logprobs,
        batch["mask"],
        batch["advantages"][:, 0],
        batch["mask"] if whole_mask is None else whole_mask,
        ref_per_token_logps=batch.get("reference"),
        old_per_token_logps=batch["behaviour"],
        **settings,
    )[0]
