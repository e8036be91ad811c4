"""Writes the Parquet files of this folder: `python make_parquet.py` with pyarrow 26.0.1."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

# GSM8K's form, as the hub serves it.
pq.write_table(
    pa.table({
        "question": ["Ann has 3 pens and buys 4. How many?", "", "Bob runs 5 km a day. In a week?"],
        "answer": ["3+4=<<3+4=7>>7 pens\n#### 7", "1\n#### 1", "5*7=<<5*7=35>>35 km\n#### 35"],
    }),
    "gsm8k.parquet",
    compression="snappy",
)

# verl's form: messages, nested answers, a repeated prompt, a contradiction, several row groups.
messages = lambda text: [{"content": text, "role": "user"}]
pq.write_table(
    pa.table({
        "data_source": ["made_up"] * 5,
        "prompt": [messages(t) for t in ["17*2?", "Half of 7?", "17*2?", "Half of 7?", "2^10?"]],
        "ability": ["MATH"] * 5,
        "reward_model": [
            {"ground_truth": g, "style": "rule"} for g in ["34", "3.5", "34", "3", None]
        ],
        "extra_info": [{"index": i} for i in "abcde"],
    }),
    "dapo.parquet",
    compression="zstd",
    row_group_size=2,
)

# Answers of every type that may hold one.
for name, compression, answers in [
    ("whole", "gzip", pa.array([7, -(2**63), None], pa.int64())),
    ("floating", "lz4", pa.array([0.5, 1e300, float("nan")], pa.float64())),
    ("decimal", "none", pa.array([Decimal("1.50"), Decimal("-0.07"), None], pa.decimal128(9, 2))),
    ("bytes", "snappy", pa.array(["½".encode(), b"\xff\xfe", b" "], pa.binary())),
]:
    pq.write_table(
        pa.table({"q": ["a", "b", "c"], "a": answers}), f"{name}.parquet", compression=compression
    )
