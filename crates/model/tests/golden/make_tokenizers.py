"""Writes tokenizers/NAME/ and tokenizers.json: tiny tokenizers, and what `transformers` does with them.

    pip install torch==2.15.0 transformers==5.23.0 tokenizers==0.23.3
    python make_tokenizers.py

Two of the kinds that published checkpoints have: bytes under a regular expression with look-ahead
(Qwen, Llama 3), and pieces with spaces as U+2581 that fall back to bytes (Llama 2, Mistral, Gemma), as
merges and as unigrams. They are trained on the lines below.
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

LINES = """Natalia sold clips to 48 of her friends in April, and then she sold half as many in May.
How many clips did Natalia sell altogether in April and May? She sold 48 / 2 = 24 clips in May.
The answer is 72. Weng earns $12 an hour; yesterday she did 50 minutes of babysitting: 12 * 50 / 60 = 10.
def add(a, b):\n    return a + b\n\nA robe takes 2 bolts of blue fiber and half that much white fiber.
You are a helpful assistant. Please reason step by step, and put your final answer within \\boxed{}.
user system assistant model turn""".splitlines()

TEXTS = [
    "",
    "How many clips did she sell in April?",
    "  two  spaces,\n\n new lines\tand tabs  ",
    "1234567890 3.14 -5e10 $72",
    "don't WE'LL I'm",
    "naïve café Å Ａ ﬁ",
    "北京 is 中国 🙂👩‍👩‍👧 ₿ \u0000 \u200b",
    "def add(a, b):\n    return a + b\n",
    "\\boxed{72} #### 72",
    "{stop} in the middle{stop}{turn} user",
    " {turn} ",
]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def byte_level():
    """Bytes, NFC, digits alone; the end of a turn is one of two stop tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    return tokenizer, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}, ["<|endoftext|>", "<|im_end|>"], "<|im_start|>"


def around(tokenizer, front, first):
    """`first` in front of a document."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A", pair=f"{first} $A {first} $B", special_tokens=[(first, front)])


def merges():
    """Merges over characters with byte fallback, spaces replaced before."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"] + BYTES
    trainer = trainers.BpeTrainer(vocab_size=460, special_tokens=special, show_progress=False)
    split = Tokenizer(models.BPE(unk_token="<unk>"))
    split.pre_tokenizer = pre_tokenizers.Metaspace()
    split.train_from_iterator(LINES, trainer)
    model = json.loads(split.to_str())["model"]
    tokenizer.model = models.BPE(model["vocab"], [tuple(m) for m in model["merges"]],
                                 byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    around(tokenizer, 1, "<s>")
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, "</s>", "<s>"


def unigram():
    """Unigrams with byte fallback; its file asks for truncation and padding, which nobody wants."""
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=["<pad>", "<eos>", "<bos>", "<unk>"], unk_token="<unk>", show_progress=False)
    split = Tokenizer(models.Unigram())
    split.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    split.train_from_iterator(LINES, trainer)
    pieces = [tuple(piece) for piece in json.loads(split.to_str())["model"]["vocab"]]
    pieces = [(text, round(score, 4)) for text, score in pieces] + [(byte, -20.0) for byte in BYTES]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>", "<end_of_turn>"])
    around(tokenizer, 2, "<bos>")
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=16, pad_token="<pad>", pad_id=0)
    return tokenizer, {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}, ["<eos>", "<end_of_turn>"], "<end_of_turn>"


def main():
    here = Path(__file__).parent
    golden = {}
    for make in (byte_level, merges, unigram):
        inner, special, stops, turn = make()
        folder = here / "tokenizers" / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(json.loads(inner.to_str()), ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(text)
        (folder / "tokenizer_config.json").write_text(json.dumps(special, indent=1) + "\n")
        ids = inner.token_to_id(stops) if isinstance(stops, str) else [inner.token_to_id(s) for s in stops]
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}) + "\n")
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)
        cases = []
        for text in TEXTS:
            text = text.replace("{stop}", special["eos_token"]).replace("{turn}", turn)
            plain = tokenizer.encode(text, add_special_tokens=False)
            document = tokenizer.encode(text)
            decoded = tokenizer.decode(plain, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            cases.append({"text": text, "ids": plain, "document": document, "decoded": decoded})
        golden[make.__name__] = {"vocabulary": len(tokenizer), "stops": ids if isinstance(ids, list) else [ids],
                                 "stop": inner.token_to_id(special["eos_token"]), "cases": cases}
    (here / "tokenizers.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


main()
