"""Kernels for tests: one of a few elements that can misbehave in many ways, and a description of one for GPUs."""

from __future__ import annotations

REFERENCE = """
import numpy as np

def make_inputs(problem, seed):
    return {"x": np.random.default_rng(seed).random(problem["n"]).astype("float32")}

def reference(problem, inputs):
    return inputs["x"].astype("float64") * 2

def check(problem, inputs, expected, outputs):
    error = float(np.abs(outputs["y"] - expected).max())
    return {"ok": error < 1e-5, "cause": f"off by {error:.3g}", "max_abs_error": error}
"""

DOUBLE = """
import ctypes, os, sys, time
import numpy as np

def double(x, y, *, how, number):
    if how == "waits":  # until the test opens its gate, or all of them
        while not (os.path.exists(GATE) or os.path.exists(f"{GATE}-{number}")):
            time.sleep(0.005)
    if how == "writes nothing":
        return
    np.multiply(x, 2, out=y)
    if how == "segfaults":
        ctypes.string_at(0)
    if how == "exits":
        os._exit(7)
    if how == "raises":
        raise RuntimeError("not today")
    if how == "prints":
        print("some noise")
        os.write(1, b'{"say":"outcome"}\\n{"ctl":"dead"}\\n')
    if how == "reads":
        y[0] += len(sys.stdin.read())
    if how == "gives nan":
        y[0] = np.nan
    if how == "is wrong":
        y += 1
    while how == "hangs":  # whoever waits for it needs the CPU
        time.sleep(1)
    if how == "is slow":
        time.sleep(0.05)
    if how == "changes its input":
        x += 0.5
    if how == "writes beyond":
        ctypes.memset(y.ctypes.data + y.nbytes, 1, 8)
    if how == "breaks the next":
        sys.broken = True
    if how == "is the next" and hasattr(sys, "broken"):
        ctypes.string_at(0)
"""


def double_source(gate: str = "") -> str:
    """The source of a kernel that does well and badly, as ``how`` says.

    Trials that wait do so for files beside ``gate``, by their ``number``, which there is only where there is a gate.
    """
    return DOUBLE.replace("GATE", repr(gate)).replace("number):", "number):" if gate else "number=1):")


def kernel_toml(name: str, implementations: str, *, summary: str = "", n: int = 64) -> str:
    """A kernel.toml of a kernel from ``x`` to ``y``, both float32 of shape (n,); the rest of it follows."""
    return f"""
name = "{name}"
summary = "{summary}"
reference = "reference.py"
[problem.n]
type = "int"
default = {n}
min = 1
[arguments.x]
role = "input"
dtype = "float32"
shape = ["n"]
[arguments.y]
role = "output"
dtype = "float32"
shape = ["n"]
{implementations}"""


SCALE_KERNEL = kernel_toml("scale", """
[arguments.n]
role = "scalar"
dtype = "int32"
value = "n"
[implementations.numpy.cpu]
language = "python"
source = "scale.py"
entry = "scale"
arguments = ["x", "y"]
[implementations.mojo.gpu]
language = "mojo"
source = "scale.mojo"
parameters = ["block", "layout"]
where = ["block <= device_max_threads_per_block"]
[implementations.mojo.gpu.axes]
block = [64, 128, 256]
layout = ["row", "column"]
blocks = [1, 2]
[[implementations.mojo.gpu.launches]]
entry = "scale"
arguments = ["x", "y", "n"]
grid = ["blocks"]
block = ["block"]
[[implementations.mojo.gpu.launches]]
entry = "finish"
arguments = ["y", "n"]
grid = ["1"]
block = ["block"]
""", n=100)  # fmt: skip
SCALE_GRID = """
name = "scales"
kernel = "./kernel"
implementations = ["mojo"]
device = "gpu"
[problem]
n = [100, 200]
"""
