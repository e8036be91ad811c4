"""Z-scores of groups as numpy, torch and verl compute them, timed on one core.

Reads groups of `--group` rewards (float32, little-endian) from standard input and prints one JSON line
for each rival: its name, the fastest and the median seconds of a call and the sum of the absolute
advantages. What is
not installed is left out, with a line that says so:

    python3 -m venv rivals && rivals/bin/pip install numpy torch && \
        rivals/bin/pip install --no-deps verl==0.9.1

Of verl only the advantage functions are wanted, so the packages that the file around them imports
(ray, tensordict, omegaconf and others) are replaced by empty modules.
"""

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import time
import types

EPSILON = 1e-6


class Anything:
    """Whatever an unused import is asked for."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *arguments, **named):
        return Anything()

    def __mro_entries__(self, bases):
        return (object,)

    def __or__(self, other):
        return self

    __ror__ = __or__


def empty_module(name, path=None):
    module = types.ModuleType(name)
    if path is not None:
        module.__path__ = [path]

    def anything(attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return Anything()

    module.__getattr__ = anything
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    return module


def verl_core_algorithms(torch):
    """`verl.trainer.ppo.core_algos` without what it does not need here."""
    root = importlib.util.find_spec("verl").submodule_search_locations[0]
    for name in ["omegaconf", "tensordict", "transformers"]:
        empty_module(name)
    for name in ["verl", "verl.utils", "verl.trainer", "verl.trainer.ppo"]:
        empty_module(name, root + name.removeprefix("verl").replace(".", "/"))
    for name in ["verl.trainer.config", "verl.workers", "verl.workers.config"]:
        empty_module(name)
    for name in ["verl.utils.import_utils", "verl.utils.torch_functional"]:
        empty_module(name)
    sys.modules["verl.utils.import_utils"].deprecated = lambda *_, **__: lambda function: function
    device = empty_module("verl.utils.device")
    device.get_device_name = lambda: "cpu"
    device.get_torch_device = lambda: torch
    groupwise = importlib.import_module("verl.utils.groupwise")
    sys.modules["verl.utils"].as_torch_index = groupwise.as_torch_index
    sys.modules["verl.utils"].group_mean_std = groupwise.group_mean_std
    return importlib.import_module("verl.trainer.ppo.core_algos")


def report(name, repetitions, function):
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        advantages = function()
        seconds.append(time.perf_counter() - start)
    size = float(abs(advantages).sum())
    median = statistics.median(seconds)
    print(json.dumps({"name": name, "fastest": min(seconds), "median": median, "size": size}), flush=True)


def missing(name, error):
    print(f"{name} is not measured: {error}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--group", type=int, required=True)
    arguments = parser.parse_args()
    data = sys.stdin.buffer.read()
    try:
        import numpy
    except ImportError as error:
        return missing("numpy", error)
    rewards = numpy.frombuffer(data, dtype="<f4").reshape(-1, arguments.group)

    def with_numpy():
        mean = rewards.mean(axis=1, keepdims=True)
        return (rewards - mean) / (rewards.std(axis=1, ddof=1, keepdims=True) + EPSILON)

    report("numpy", 25, with_numpy)
    try:
        import torch
    except ImportError as error:
        return missing("torch", error)
    torch.set_num_threads(1)
    tensor = torch.from_numpy(rewards.copy())

    def with_torch():
        mean = tensor.mean(dim=1, keepdim=True)
        return (tensor - mean) / (tensor.std(dim=1, keepdim=True) + EPSILON)

    report("torch", 25, with_torch)
    try:
        algorithms = verl_core_algorithms(torch)
        grpo = algorithms.compute_grpo_outcome_advantage
        vectorised = algorithms.compute_grpo_vectorized_outcome_advantage
    except Exception as error:  # whatever another version of verl trips over
        return missing("verl", error)
    tokens = tensor.reshape(-1, 1)
    mask = torch.ones_like(tokens)
    index = numpy.repeat(numpy.arange(len(rewards)), arguments.group)
    report("verl, vectorised", 3, lambda: vectorised(tokens, mask, index)[0])
    report("verl", 1, lambda: grpo(tokens, mask, index)[0])


if __name__ == "__main__":
    main()
