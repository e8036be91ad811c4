"""Round trip: every fixture through the example `export` and back into `transformers`, whose logits
must be identical to the bit.

    pip install torch==2.15.0 transformers==5.23.0
    cargo build --release --example export
    python check_export.py ../../../../target/release/examples/export
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

FAMILIES = Path(__file__).parent / "families"
TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6, 5]])


def logits(folder):
    # The file's own precision decides, so that a changed one would show.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", attn_implementation="eager")
    with torch.no_grad():
        return model.dtype, model.eval()(TOKENS).logits


def main():
    program = sys.argv[1]
    failed = 0
    for folder in sorted(path for path in FAMILIES.iterdir() if path.is_dir()):
        for shard_mb in ["5000", "0.004"]:
            with tempfile.TemporaryDirectory() as temporary:
                out = Path(temporary) / "out"
                command = [program, "--model", folder, "--out", out, "--shard-mb", shard_mb]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                files = len(list(out.glob("*.safetensors")))
                (dtype, a), (again, b) = logits(folder), logits(out)
                same = dtype == again and torch.equal(a, b)
                failed += not same
                print(f"{folder.name:24} {files:2} files  {'identical' if same else 'DIFFERENT'}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
