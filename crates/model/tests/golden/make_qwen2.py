"""Writes qwen2.json: logits of a small Qwen2 model of the `transformers` library in float64.

    pip install torch==2.15.0 transformers==5.23.0
    python make_qwen2.py > qwen2.json

Weights follow a formula of their Hugging Face name and index, so that the test can make the same
ones without a weight file: 0.3 sin(0.7 i + sum of the name's bytes), and 1 plus a third of that for
the norms.
"""

import json

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

config = Qwen2Config(
    vocab_size=13,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=40,
    max_position_embeddings=16,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    attn_implementation="eager",
)
model = Qwen2ForCausalLM(config).double().eval()
with torch.no_grad():
    for name, parameter in model.named_parameters():
        index = torch.arange(parameter.numel(), dtype=torch.float64)
        values = 0.3 * torch.sin(0.7 * index + sum(name.encode()))
        if "norm" in name:
            values = 1 + values / 3
        parameter.copy_(values.reshape(parameter.shape))
    tokens = [3, 1, 4, 1, 5, 9, 2]
    logits = model(torch.tensor([tokens])).logits[0]
print(json.dumps({"tokens": tokens, "logits": [[round(x, 7) for x in row] for row in logits.tolist()]}))
