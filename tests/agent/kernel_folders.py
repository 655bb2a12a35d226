"""Real kernels for tests of the measuring half: folders read from disk, and a tiny one made of text."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tunetui_agent.messages import (
    Argument,
    Implementation,
    KernelSpec,
    Launch,
    Method,
    RunSpec,
    Trial,
    TrialFailed,
    TrialMeasured,
    Value,
)

KERNELS = Path(__file__).resolve().parents[2] / "kernels"

QUICK = Method(min_samples=6, max_samples=12, max_seconds=0.2, warmup_samples=1, warmup_seconds=0.0)

DOUBLE_REFERENCE = """
import numpy as np

def make_inputs(problem, seed):
    return {"x": np.random.default_rng(seed).random(problem["size"], dtype=np.float32) + 1}

def reference(problem, inputs):
    return 2 * inputs["x"].astype(np.float64)

def check(problem, inputs, expected, outputs):
    error = float(np.abs(outputs["y"] - expected).max())
    return {"ok": error < 1e-5, "cause": f"off by {error:.3g}", "max_abs_error": error}
"""

DOUBLE = "import numpy as np\ndef double(x, y, *, unroll):\n    np.multiply(x, 2, out=y)\n"


def double_spec(source: str = DOUBLE, reference: str = DOUBLE_REFERENCE, method: Method = QUICK) -> RunSpec:
    """A Python kernel that writes 2 x into y; tests break it in every way."""
    implementation = Implementation(
        name="numpy",
        language="python",
        source="double.py",
        parameters=["unroll"],
        launches=[Launch(entry="double", arguments=["x", "y"])],
    )
    arguments = [
        Argument(name="x", role="input", dtype="float32"),
        Argument(name="y", role="output", dtype="float32"),
    ]
    kernel = KernelSpec(
        name="double",
        reference="reference.py",
        files={"double.py": source, "reference.py": reference},
        arguments=arguments,
        implementations=[implementation],
    )
    return RunSpec(protocol=1, run="test", device="cpu", kernel=kernel, method=method)


def double_trial(size: int = 1000, **configuration: Value) -> Trial:
    """One trial of `double_spec`."""
    return Trial(
        id="0" * 16,
        implementation="numpy",
        problem={"size": size},
        configuration=configuration or {"unroll": 1},
        provenance="1" * 16,
        shapes={"x": [size], "y": [size]},
    )


def folder_spec(folder: Path, method: Method = QUICK) -> RunSpec:
    """A kernel folder's CPU implementations as a run."""
    table = tomllib.loads((folder / "kernel.toml").read_text())
    arguments = [
        Argument(name=name, role=each["role"], dtype=_first_dtype(each["dtype"]))
        for name, each in table["arguments"].items()
    ]
    implementations = [
        Implementation(
            name=name,
            language=each["cpu"]["language"],
            source=each["cpu"]["source"],
            parameters=each["cpu"].get("parameters", []),
            launches=[Launch(entry=each["cpu"]["entry"], arguments=each["cpu"]["arguments"])],
        )
        for name, each in table["implementations"].items()
        if "cpu" in each
    ]
    files = {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".py", ".mojo")}
    kernel = KernelSpec(
        name=table["name"],
        reference=table["reference"],
        files=files,
        arguments=arguments,
        implementations=implementations,
    )
    return RunSpec(protocol=1, run="test", device="cpu", kernel=kernel, method=method)


def folder_trial(
    folder: Path, implementation: str, problem: dict[str, Value], configuration: dict[str, Value]
) -> Trial:
    """A trial whose shapes and scalars are plain names or numbers (no expressions), omitted problem fields at their defaults."""
    table = tomllib.loads((folder / "kernel.toml").read_text())
    problem = {**{name: each["default"] for name, each in table["problem"].items()}, **problem}
    known: dict[str, Any] = {**problem, **configuration}
    wanted = set(table["implementations"][implementation]["cpu"]["arguments"])
    mentioned = {name: each for name, each in table["arguments"].items() if name in wanted}
    return Trial(
        id="0" * 16,
        implementation=implementation,
        problem=problem,
        configuration=configuration,
        provenance="1" * 16,
        shapes={
            name: [known.get(part, part) for part in each["shape"]]
            for name, each in mentioned.items()
            if each["role"] != "scalar"
        },
        scalars={name: known[each["value"]] for name, each in mentioned.items() if each["role"] == "scalar"},
    )


def measured(outcome: TrialMeasured | TrialFailed) -> TrialMeasured:
    """The outcome, which must be a figure."""
    assert isinstance(outcome, TrialMeasured), f"{outcome.status}: {outcome.cause}\n{outcome.detail}"
    return outcome


def failed(outcome: TrialMeasured | TrialFailed) -> TrialFailed:
    """The outcome, which must be a failure."""
    assert isinstance(outcome, TrialFailed), "measured, though it should have failed"
    return outcome


def _first_dtype(dtype: str | dict[str, str]) -> str:
    return dtype if isinstance(dtype, str) else next(iter(dtype.values()))
