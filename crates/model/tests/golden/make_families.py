"""Writes families/: tiny random checkpoints of every family and option, with what the `transformers`
library computes from them.

    pip install torch==2.15.0 transformers==5.23.0
    python make_families.py

Biases and norms are random too, so that dropping one shows. Configurations named "published" are
rewritten in the spelling of published checkpoints and read back by `transformers` before anything
is computed. Everything is computed in float32 on one row at a time, without a cache, except for the
greedy continuations.
"""

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

FOLDER = Path(__file__).parent / "families"
ROWS = [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 11], [27, 18, 28, 18], [16, 18, 3, 3, 9, 8, 8]]
TEMPERATURE = 0.7
SIZES = dict(
    vocab_size=29, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64,
)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)
LLAMA3 = dict(
    rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32,
)

# name: (precision, spelling, fields)
CASES = {
    "qwen2": ("bfloat16", "published", dict(model_type="qwen2", tie_word_embeddings=True)),
    "qwen2_window_yarn": ("bfloat16", "new", dict(
        model_type="qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=1,
        rope_parameters=YARN)),
    "qwen3": ("bfloat16", "published", dict(
        model_type="qwen3", head_dim=8, tie_word_embeddings=True, rope_theta=1000000.0)),
    "qwen3_sharded_dynamic": ("bfloat16", "new", dict(
        model_type="qwen3", head_dim=6, attention_bias=True, use_sliding_window=True,
        sliding_window=3, layer_types=["sliding_attention", "full_attention"],
        rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0))),
    "llama3": ("bfloat16", "published", dict(
        model_type="llama", num_key_value_heads=1, attention_bias=True, mlp_bias=True,
        rope_parameters=LLAMA3)),
    "llama_linear": ("float32", "new", dict(
        model_type="llama", tie_word_embeddings=True, hidden_act="gelu", num_key_value_heads=4,
        rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=3.0))),
    "mistral": ("float16", "published", dict(
        model_type="mistral", head_dim=6, sliding_window=5, rope_theta=10000.0)),
    "gemma": ("bfloat16", "published", dict(
        model_type="gemma", head_dim=8, hidden_act="gelu", num_key_value_heads=1)),
    "gemma2": ("bfloat16", "published", dict(
        model_type="gemma2", head_dim=6, sliding_window=4, query_pre_attn_scalar=10,
        attn_logit_softcapping=3.0, final_logit_softcapping=4.0)),
    "gemma3": ("bfloat16", "published", dict(
        model_type="gemma3_text", head_dim=8, num_hidden_layers=3, sliding_window=4,
        query_pre_attn_scalar=10, final_logit_softcapping=6.0,
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
            sliding_attention=dict(rope_type="default", rope_theta=1000.0)),
        layer_types=["sliding_attention", "full_attention", "sliding_attention"])),
    "gemma3_new": ("bfloat16", "new", dict(
        model_type="gemma3_text", head_dim=6, sliding_window=3, query_pre_attn_scalar=6,
        tie_word_embeddings=False, attention_bias=True,
        layer_types=["full_attention", "sliding_attention"])),
}


def randomise(model, dtype):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.randn(parameter.shape)
            if "norm" in name:
                offset = 0.0 if "gemma" in model.config.model_type else 1.0
                values = offset + 0.2 * values
            else:
                values = values * (0.5 if name.startswith("model.embed") else 0.3)
            parameter.copy_(values.to(dtype).float())


def published(config):
    """The fields of a published checkpoint instead of those of transformers 5."""
    config = dict(config)
    config["torch_dtype"] = config.pop("dtype")
    rope = config.pop("rope_parameters")
    layer_types = config.pop("layer_types", None)
    config["rope_scaling"] = None
    if "full_attention" in rope:
        full = rope["full_attention"]
        config["rope_theta"] = full.pop("rope_theta")
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        config["sliding_window_pattern"] = 2
        assert layer_types == ["sliding_attention", "full_attention", "sliding_attention"]
        rope = full
    else:
        config["rope_theta"] = rope.pop("rope_theta")
    if rope["rope_type"] != "default":
        config["rope_scaling"] = rope
    config.pop("_sliding_window_pattern", None)
    return config


def save(name, dtype, spelling, fields):
    folder = FOLDER / name
    config = AutoConfig.for_model(**{**SIZES, **fields})
    model = AutoModelForCausalLM.from_config(config).float()
    randomise(model, getattr(torch, dtype))
    model.to(getattr(torch, dtype)).save_pretrained(
        folder, max_shard_size="6KB" if "sharded" in name else "5GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(published(config) if spelling == "published" else config, indent=1) + "\n")
    return folder


def load(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager").eval()


def logits(model, row):
    return model(torch.tensor([row]), use_cache=False).logits[0]


def loss(model):
    parts = [
        torch.nn.functional.cross_entropy(logits(model, row)[:-1].float(), torch.tensor(row[1:]), reduction="sum")
        for row in ROWS
    ]
    return sum(parts) / sum(len(row) - 1 for row in ROWS)


def summary(tensor):
    """Norm of a tensor and its product with a wave, which tells a transpose or a permutation."""
    flat = tensor.detach().double().reshape(-1)
    wave = torch.sin(0.7 * torch.arange(flat.numel(), dtype=torch.float64) + 1)
    return [float(f"{x:.9g}") for x in (flat.norm().item(), (flat * wave).sum().item())]


def rounded(values, digits=7):
    return [rounded(v, digits) if isinstance(v, list) else float(f"{v:.{digits}g}") for v in values]


def scores(model):
    found = dict(temperature=TEMPERATURE, logprobs=[], entropies=[])
    for row in ROWS:
        logprobs = torch.log_softmax(logits(model, row)[:-1] / TEMPERATURE, -1)
        entropies = -(logprobs.exp() * logprobs).sum(-1)
        found["logprobs"].append(rounded(logprobs.gather(1, torch.tensor(row[1:])[:, None])[:, 0].tolist()))
        found["entropies"].append(rounded(entropies.tolist()))
    return found


def greedy(model, row, count):
    ids, margins = [], []
    for _ in range(count):
        best = logits(model, row + ids)[-1].topk(2)
        ids.append(best.indices[0].item())
        margins.append(float(f"{(best.values[0] - best.values[1]).item():.5g}"))
    return dict(prompt=row, ids=ids, margins=margins)


def training(folder):
    model = load(folder)
    options = dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), **options)
    losses, gradients = [], None
    for step in range(5):
        value = loss(model)
        losses.append(float(f"{value.item():.8g}"))
        optimizer.zero_grad()
        value.backward()
        if step == 0:
            gradients = {n: summary(p.grad) for n, p in model.named_parameters()}
            total = torch.sqrt(sum(p.grad.double().square().sum() for p in model.parameters())).item()
        if step < 4:
            optimizer.step()
    return dict(
        losses=losses, gradient_norm=float(f"{total:.9g}"), gradients=gradients,
        parameters={n: summary(p) for n, p in model.named_parameters()},
        adamw=dict(learning_rate=1e-2, beta_1=0.9, beta_2=0.99, epsilon=1e-5, weight_decay=0.1),
    )


def frequencies():
    """Rotary frequencies of configurations of the size of published ones."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    cases = [
        (64, 131072, dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0,
                          high_freq_factor=4.0, original_max_position_embeddings=8192)),
        (64, 131072, dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0,
                          original_max_position_embeddings=32768)),
        (32, 4096, dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, beta_fast=20.0, beta_slow=2.0,
                        original_max_position_embeddings=512, attention_factor=1.5, truncate=False)),
        (64, 8192, dict(rope_type="linear", rope_theta=1000000.0, factor=8.0)),
    ]
    found = []
    for head, context, rope in cases:
        config = AutoConfig.for_model(
            "llama", hidden_size=head, num_attention_heads=1, max_position_embeddings=context,
            rope_parameters=dict(rope))
        values, factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"))
        found.append(dict(head=head, context=context, rope_parameters=rope,
                          values=rounded(values.tolist(), 9), factor=factor))
    return found


def main():
    Path(FOLDER.parent / "rope.json").write_text(json.dumps(frequencies(), indent=None) + "\n")
    shutil.rmtree(FOLDER, ignore_errors=True)
    for number, (name, (dtype, spelling, fields)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        folder = save(name, dtype, spelling, fields)
        model = load(folder)
        with torch.no_grad():
            exact = [logits(model, row) for row in ROWS]
            half = load(folder, torch.bfloat16)
            bf16 = max((logits(half, row).float() - e).abs().max().item() for row, e in zip(ROWS, exact))
            golden = dict(
                rows=ROWS, logits=[rounded(e.tolist()) for e in exact], **scores(model),
                greedy=greedy(model, ROWS[2], 8), bf16_error=float(f"{bf16:.3g}"),
            )
        golden["training"] = training(folder)
        text = json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
        (folder / "golden.json").write_text(text + "\n")
        largest = max(e.abs().max().item() for e in exact)
        print(f"{name:24} largest logit {largest:.2f}, bf16 error {bf16:.3f}")


if __name__ == "__main__":
    main()
