"""The cases of the bench in PyTorch: one case a process, median time and peak memory.

    python pytorch.py CASE MODE      MODE is eager or compile

prints `MILLISECONDS PEAK_MEGABYTES`. Two threads, as many as the figures in the book were made with;
set THREADS for another number, and CLOCK=processor as for the bench. Written for torch 2.15.
"""

import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(os.environ.get("THREADS", "2")))
torch.manual_seed(0)


def surrogate(tokens):
    """Dual-clipped surrogate with its statistics, forward and backward."""
    behaviour = torch.rand(tokens) * 2 - 2
    advantages = torch.randn(tokens)
    mask = torch.ones(tokens)
    weights = torch.full((tokens,), 1 / tokens)
    start = behaviour + torch.rand(tokens) * 0.8 - 0.4

    def objective(logprobs):
        log_ratio = torch.clamp(logprobs - behaviour, -20, 20)
        ratio = torch.exp(log_ratio)
        plain = -advantages * ratio
        held = -advantages * torch.clamp(ratio, 0.8, 1.2)
        clipped = torch.maximum(plain, held)
        dual = torch.minimum(-advantages * 3.0, clipped)
        loss = torch.where(advantages < 0, dual, clipped)
        with torch.no_grad():
            stats = torch.stack([
                mask.sum(),
                ((held > plain) & (advantages < 0)).float().mul(mask).sum(),
                ((held > plain) & (advantages > 0)).float().mul(mask).sum(),
                ((clipped > -advantages * 3.0) & (advantages < 0)).float().mul(mask).sum(),
                (ratio * mask).sum(),
                (-log_ratio * mask).sum(),
                ((ratio - 1 - log_ratio) * mask).sum(),
            ])
        return (loss * weights * mask).sum(), stats

    return start, objective


def differentiated(start, objective, mode):
    function = torch.compile(objective) if mode == "compile" else objective

    def run():
        leaf = start.clone().requires_grad_(True)
        total, stats = function(leaf)
        total.backward()
        return leaf.grad.sum().item(), stats

    return run


def groups(size, mode):
    rewards = torch.randint(0, 2, (1_048_576 // size, size)).float()

    def normalize(rewards):
        mean = rewards.mean(1, keepdim=True)
        std = rewards.std(1, keepdim=True)
        rate = (rewards > 0.5).float().mean(1)
        return (rewards - mean) / (std + 1e-6), mean, std, rate

    function = torch.compile(normalize) if mode == "compile" else normalize
    return lambda: function(rewards)[0].sum().item()


def logprobs(rows, vocabulary, mode):
    start = torch.randn(rows, vocabulary)
    targets = torch.randint(0, vocabulary, (rows,))

    def objective(logits):
        scores = F.log_softmax(logits, 1)
        entropy = -(scores.exp() * scores).sum(1)
        chosen = scores.gather(1, targets[:, None]).squeeze(1)
        return (chosen + 0.01 * entropy).sum(), 0.0

    function = torch.compile(objective) if mode == "compile" else objective

    def run():
        leaf = start.requires_grad_(True)
        leaf.grad = None
        function(leaf)[0].backward()
        return leaf.grad[0, 0].item()

    return run


def linear(rows, width, vocabulary, mode):
    hidden = torch.randn(rows, width) * 0.1
    head = (torch.randn(width, vocabulary) * 0.1).requires_grad_(True)
    targets = torch.randint(0, vocabulary, (rows,))

    def objective(hidden, head):
        scores = F.log_softmax(hidden @ head, 1)
        entropy = -(scores.exp() * scores).sum(1)
        return (scores.gather(1, targets[:, None]).squeeze(1) + 0.01 * entropy).sum()

    function = torch.compile(objective) if mode == "compile" else objective

    def run():
        leaf = hidden.clone().requires_grad_(True)
        head.grad = None
        function(leaf, head).backward()
        return leaf.grad[0, 0].item() + head.grad[0, 0].item()

    return run


class Block(torch.nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = torch.nn.RMSNorm(width, eps=1e-6), torch.nn.RMSNorm(width, eps=1e-6)
        self.q, self.k, self.v = (torch.nn.Linear(width, width) for _ in range(3))
        self.o = torch.nn.Linear(width, width, bias=False)
        self.gate, self.up = (torch.nn.Linear(width, mlp, bias=False) for _ in range(2))
        self.down = torch.nn.Linear(mlp, width, bias=False)

    def forward(self, x, cos, sin):
        batch, time, width = x.shape
        h = self.norm1(x)

        def split(y):
            return y.view(batch, time, self.heads, -1).transpose(1, 2)

        def turn(y):
            a, b = y.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        q, k, v = turn(split(self.q(h))), turn(split(self.k(h))), split(self.v(h))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, time, width))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(torch.nn.Module):
    def __init__(self, width, layers, heads, mlp, vocabulary=32, context=64):
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, width)
        self.blocks = torch.nn.ModuleList(Block(width, heads, mlp) for _ in range(layers))
        self.norm = torch.nn.RMSNorm(width, eps=1e-6)
        half = width // heads // 2
        angles = torch.arange(context)[:, None] * 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens):
        x = self.embed(tokens)
        time = tokens.shape[1]
        for block in self.blocks:
            x = block(x, self.cos[:time], self.sin[:time])
        return self.norm(x) @ self.embed.weight.T


def step(width, layers, heads, mlp, batch, time, mode):
    model = Model(width, layers, heads, mlp)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(0, 32, (batch, time))
    targets = torch.randint(0, 32, (batch * time,))
    forward = torch.compile(model) if mode == "compile" else model

    def run():
        optimizer.zero_grad(set_to_none=True)
        logits = forward(tokens).view(batch * time, -1)
        scores = F.log_softmax(logits, 1)
        loss = -scores.gather(1, targets[:, None]).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return run


CASES = {
    "surrogate-1M": lambda mode: differentiated(*surrogate(1 << 20), mode),
    "surrogate-4M": lambda mode: differentiated(*surrogate(1 << 22), mode),
    "surrogate-16M": lambda mode: differentiated(*surrogate(1 << 24), mode),
    "groups-of-8": lambda mode: groups(8, mode),
    "groups-of-16": lambda mode: groups(16, mode),
    "logprobs-3072x32": lambda mode: logprobs(64 * 48, 32, mode),
    "logprobs-2048x151936": lambda mode: logprobs(8 * 256, 151_936, mode),
    "linear-2048x128x32768": lambda mode: linear(2048, 128, 32_768, mode),
    "linear-256x896x151936": lambda mode: linear(256, 896, 151_936, mode),
    "step-0.43M-512x16": lambda mode: step(128, 2, 4, 384, 512, 16, mode),
    "step-0.43M-64x48": lambda mode: step(128, 2, 4, 384, 64, 48, mode),
    "step-10M-64x48": lambda mode: step(384, 6, 6, 1024, 64, 48, mode),
}


def main():
    run = CASES[sys.argv[1]](sys.argv[2])
    for _ in range(3):
        run()
    processor = os.environ.get("CLOCK") == "processor"
    clock = time.process_time if processor else time.perf_counter
    times = []
    begun = time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - begun < 3 and len(times) < 200):
        start = clock()
        run()
        times.append(clock() - start)
    times.sort()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{times[len(times) // 2] * 1e3:.3f} {peak:.0f}")


if __name__ == "__main__":
    main()
