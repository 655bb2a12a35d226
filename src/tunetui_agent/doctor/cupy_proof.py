"""Proves that CuPy works: which build it is, and whether it computes a sum, a compiled kernel and a matrix product."""

from __future__ import annotations

from importlib import metadata
from typing import Any

_COUNT = 1000
_REFUSALS = (ImportError, OSError, RuntimeError, ValueError, AttributeError)
"""What CuPy and its libraries raise; anything else ends the child, and the doctor says so."""


def prove_cupy(ordinal: int) -> dict[str, Any]:
    """Facts about the CuPy of this interpreter, tried on the GPU of this CUDA ordinal.

    ``packages`` are the distributions that provide it; ``missing`` says why it does not import; ``version`` and
    ``runtime`` (CUDA's number, 13000 for 13.0) else; ``failed`` maps what did not work to the reason.
    """
    packages = installed_packages()
    torch = _version("torch")
    facts: dict[str, Any] = {"packages": packages, **({"torch": torch} if torch else {})}
    try:
        import cupy
    except _REFUSALS as error:
        return {**facts, "missing": _words(error)}
    facts["version"] = str(cupy.__version__)
    tried = {"its CUDA runtime": _runtime, "a sum": _sum, "a compiled kernel": _kernel, "a matrix product": _product}
    failed = {}
    refusals = (*_REFUSALS, cupy.cuda.compiler.CompileException)
    for what, attempt in tried.items():
        try:
            with cupy.cuda.Device(ordinal):
                facts.update(attempt(cupy))
        except refusals as error:
            failed[what] = _words(error)
    return {**facts, "failed": failed}


def installed_packages() -> list[str]:
    """Distributions that provide the module ``cupy``, as "cupy-cuda13x 14.2.0"."""
    found = set()
    for one in metadata.distributions():
        name = str(one.metadata["Name"] or "").lower()
        if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")):
            found.add(f"{name} {one.version}")
    return sorted(found)


def _runtime(cupy: Any) -> dict[str, Any]:
    return {"runtime": int(cupy.cuda.runtime.runtimeGetVersion())}


def _sum(cupy: Any) -> dict[str, Any]:
    return _same(int(cupy.arange(_COUNT).sum()), _COUNT * (_COUNT - 1) // 2)


def _kernel(cupy: Any) -> dict[str, Any]:
    code = 'extern "C" __global__ void fill(int *out) { out[threadIdx.x] = 3 * threadIdx.x; }'
    found = cupy.zeros(32, cupy.int32)
    cupy.RawModule(code=code).get_function("fill")((1,), (32,), (found,))
    return _same(found.get().tolist(), list(range(0, 96, 3)))


def _product(cupy: Any) -> dict[str, Any]:
    ones = cupy.ones((64, 64), cupy.float32)
    return _same(float(cupy.matmul(ones, ones).sum()), 64.0**3)


def _same(found: Any, wanted: Any) -> dict[str, Any]:
    if found != wanted:
        raise ValueError(f"wrong result: {str(found)[:60]} instead of {str(wanted)[:60]}")
    return {}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
