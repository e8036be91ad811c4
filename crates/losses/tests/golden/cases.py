"""How a case is written: inputs, settings and what the function gave."""

import json
import math
import sys

import torch


class Locals:
    """Keeps the local variables with which the named functions return: per-token losses are there."""

    def __init__(self, *functions):
        self.functions, self.seen = functions, {}

    def __enter__(self):
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def _event(self, frame, event, _argument):
        if event == "return" and frame.f_code.co_name in self.functions:
            self.seen[frame.f_code.co_name] = dict(frame.f_locals)

    def __contains__(self, name):
        return any(name in variables for variables in self.seen.values())

    def __getitem__(self, name):
        for variables in self.seen.values():
            if name in variables:
                return variables[name]
        raise KeyError(name)


def plain(value):
    """Nested lists; a float is printed with as many digits as bring back the same f64."""
    if isinstance(value, torch.Tensor):
        return plain(value.detach().tolist())
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        assert math.isfinite(value), value
        return int(value) if value == int(value) and abs(value) < 1e15 else value
    return value


def per_token(loss, mask):
    """`[B, T]` from `[B, T]` or `[B, 1]`, zero where masked."""
    return torch.where(mask > 0, loss.detach().expand_as(mask), torch.zeros_like(mask))


def differentiated(loss, leaf):
    """The gradient with respect to the leaf, zero where nothing depends on it."""
    (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


def write(path, cases):
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
    lines = ",\n".join(json.dumps(plain(case), allow_nan=False) for case in cases)
    path.write_text('{"cases": [\n' + lines + "\n]}\n")
    size = path.stat().st_size
    assert size < 200_000, f"{path.name} has {size} bytes"
    print(f"{path.name}: {len(cases)} cases, {size} bytes")
