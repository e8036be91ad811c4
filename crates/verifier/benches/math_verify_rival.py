"""Times math-verify on the pairs that `benches/math.rs` writes to standard input.

Each line is `gold<TAB>prediction<TAB>expected`. For each line it prints `equal<TAB>seconds`, where equal is
0 or 1. The texts are put between dollar signs, which is the form that math-verify reads best.

    pip install "math-verify==0.9.0" "antlr4-python3-runtime==4.13.2"
"""

import logging
import sys
import time

from math_verify import parse, verify

logging.disable(logging.CRITICAL)


def wrapped(text):
    return text if "$" in text or "boxed" in text else f"${text}$"


def judge(gold, prediction):
    try:
        return verify(parse(wrapped(gold), parsing_timeout=3), parse(wrapped(prediction), parsing_timeout=3), timeout_seconds=3)
    except Exception:
        return False


judge("1", "1")
for line in sys.stdin:
    gold, prediction, _ = line.rstrip("\n").split("\t")
    start = time.perf_counter()
    equal = judge(gold, prediction)
    seconds = time.perf_counter() - start
    print(f"{int(equal)}\t{seconds:.9f}", flush=True)
