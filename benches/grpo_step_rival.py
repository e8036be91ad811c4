"""A step of TRL's GRPOTrainer on a model, prompts and sizes like those of grpo_step.rs.

    python grpo_step_rival.py      prints seconds a step (median of those after the first ones)

Written for trl 1.16.0 and transformers 5. TORCH_THREADS is the number of threads (default 2). One
update a step, no KL, temperature 1, completions of at most 12 tokens that end at the stop token.
"""

import os
import statistics
import tempfile
import time

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, Regex
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

PROMPTS, SAMPLES, TOKENS = 32, 16, 12
WARM_UP, STEPS = 3, 15

torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "2")))
torch.manual_seed(0)


def tokenizer():
    vocabulary = {"<stop>": 0} | {letter: index + 1 for index, letter in enumerate("0123456789>")}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<stop>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<stop>", pad_token="<stop>", padding_side="left"
    )


def model():
    config = Qwen2Config(
        vocab_size=12,
        hidden_size=88,
        intermediate_size=272,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        eos_token_id=0,
        pad_token_id=0,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config)


class Clock(TrainerCallback):
    def __init__(self):
        self.times = []

    def on_step_begin(self, *arguments, **more):
        self.start = time.perf_counter()

    def on_step_end(self, *arguments, **more):
        self.times.append(time.perf_counter() - self.start)


def right(prompts, completions, **more):
    wanted = ["".join(sorted(prompt.rstrip(">"))) for prompt in prompts]
    return [float(text == answer) for text, answer in zip(completions, wanted)]


def main():
    prompts = [f"{100_000 + 26_041 * index}>" for index in range(PROMPTS)]
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder,
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=PROMPTS * SAMPLES,
            num_generations=SAMPLES,
            max_completion_length=TOKENS,
            max_steps=WARM_UP + STEPS,
            beta=0.0,
            temperature=1.0,
            learning_rate=3e-4,
            gradient_checkpointing=False,
            report_to=[],
            logging_steps=1000,
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = GRPOTrainer(
            model=model(),
            reward_funcs=right,
            args=settings,
            train_dataset=Dataset.from_dict({"prompt": prompts}),
            processing_class=tokenizer(),
            callbacks=[clock],
        )
        # The time of a step begins with its batch, which the callback does not see: take the whole.
        start = time.perf_counter()
        trainer.train()
        whole = time.perf_counter() - start
    # Generation happens inside the step's loss, so the steps' own times are nearly the whole.
    assert sum(clock.times) > 0.5 * whole, (sum(clock.times), whole)
    print(statistics.median(clock.times[WARM_UP:]))


main()
