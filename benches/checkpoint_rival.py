"""Makes random checkpoints and measures `transformers` on them, as `checkpoint.rs` measures us.

    pip install torch==2.15.0 transformers==5.24.0
    python benches/checkpoint_rival.py make 10m DIR      # or 0.5b: the shape of Qwen2.5-0.5B
    python benches/checkpoint_rival.py measure DIR       # or DIR and some of: load prefill train

The variables TORCH_THREADS (default 2), REPEATS and CLOCK=processor mean what they say.

Weights are in float32 and are computed with in float32 on both sides; attention is `transformers`'
default (sdpa).
"""

import os
import statistics
import sys
import time

import torch
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

# CLOCK=processor: the time of processors, as in checkpoint.rs.
CLOCK = time.process_time if os.environ.get("CLOCK") == "processor" else time.perf_counter
# As in checkpoint.rs.
PREFILL, TRAIN, REPEATS = (4, 256), (2, 128), int(os.environ.get("REPEATS", "5"))

SHAPES = {
    "10m": dict(vocab_size=8192, hidden_size=256, intermediate_size=1024, num_hidden_layers=8,
                num_attention_heads=8, num_key_value_heads=2),
    "0.5b": dict(vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
                 num_attention_heads=14, num_key_value_heads=2),
}


def make(shape, folder):
    torch.manual_seed(0)
    config = Qwen2Config(
        **SHAPES[shape], max_position_embeddings=32768, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0))
    model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder)
    print(f"{model.num_parameters()} parameters")


def median(work):
    work()
    seconds = []
    for _ in range(REPEATS):
        started = CLOCK()
        work()
        seconds.append(CLOCK() - started)
    return statistics.median(seconds)


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def touched(folder):
    """Loading with every number read once: `from_pretrained` may leave them in the mapped file."""
    for parameter in load(folder).parameters():
        parameter.detach().sum()


def tokens(shape, vocabulary):
    rows, length = shape
    return (torch.arange(rows * length) * 7919 % vocabulary).reshape(rows, length)


def measure(folder, *parts):
    torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "2")))
    started = CLOCK()
    model = load(folder)
    if not parts or "load" in parts:
        print(f"load, first time           {CLOCK() - started:.3f} s")
        print(f"load                       {median(lambda: load(folder)):.3f} s")
        print(f"load, and read every one   {median(lambda: touched(folder)):.3f} s")
    vocabulary = model.config.vocab_size

    def prefill():
        with torch.no_grad():
            model(tokens(PREFILL, vocabulary), use_cache=True, logits_to_keep=1).logits.sum().item()

    def train():
        model.zero_grad(set_to_none=True)
        ids = tokens(TRAIN, vocabulary)
        logits = model(ids, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, vocabulary), ids[:, 1:].reshape(-1))
        loss.backward()
        loss.item()

    cases = [("prefill", "prefill", PREFILL, prefill), ("train", "forward and backward", TRAIN, train)]
    for part, name, shape, work in cases:
        if parts and part not in parts:
            continue
        seconds = median(work)
        speed = shape[0] * shape[1] / seconds
        print(f"{name:20} {shape[0]} x {shape[1]}  {seconds:8.3f} s  {speed:9.1f} tokens/s")


if __name__ == "__main__":
    {"make": make, "measure": measure}[sys.argv[1]](*sys.argv[2:])
