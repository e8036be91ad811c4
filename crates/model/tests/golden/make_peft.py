"""Writes peft/: a tiny model, an adapter, and the logits that PEFT computes; or checks an adapter.

    pip install torch==2.15.0 transformers==5.23.0 peft==0.21.2
    python make_peft.py            # writes peft/base, peft/adapter and peft/peft.json
    python make_peft.py FOLDER     # loads the adapter in FOLDER beside peft/base and compares

The second form takes an adapter that `Transformer::save_lora` wrote after loading peft/adapter: its
logits must be those of peft.json.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent / "peft"
TOKENS = [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]]


def rows(tensor):
    return [[[round(x, 6) for x in row] for row in rows] for rows in tensor.tolist()]


def logits(model):
    with torch.no_grad():
        return model(torch.tensor(TOKENS)).logits


def make():
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=24, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=24, max_position_embeddings=32, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, attn_implementation="eager")
    base = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in base.named_parameters():
            noise = 0.3 * torch.randn_like(parameter)
            parameter.copy_(1 + noise if "norm" in name else noise)
    base.save_pretrained(HERE / "base")
    plain = logits(base)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    # A dropout, which is off in evaluation, and the rank-stabilised scale.
    lora = LoraConfig(r=3, lora_alpha=5, lora_dropout=0.1, use_rslora=True, target_modules=targets, task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
    model.eval()
    model.save_pretrained(HERE / "adapter")
    (HERE / "adapter" / "README.md").unlink(missing_ok=True)
    adapted = logits(model)
    assert (adapted - plain).abs().max() > 0.1
    merged = logits(model.merge_and_unload())
    assert (adapted - merged).abs().max() < 1e-4
    golden = {"tokens": TOKENS, "base": rows(plain), "adapted": rows(adapted)}
    (HERE / "peft.json").write_text(json.dumps(golden) + "\n")


def check(folder):
    base = AutoModelForCausalLM.from_pretrained(HERE / "base", attn_implementation="eager").eval()
    model = PeftModel.from_pretrained(base, folder).eval()
    expected = torch.tensor(json.loads((HERE / "peft.json").read_text())["adapted"])
    difference = (logits(model) - expected).abs().max().item()
    print(f"largest difference {difference:.2e}")
    sys.exit(difference > 2e-6)


make() if len(sys.argv) == 1 else check(sys.argv[1])
