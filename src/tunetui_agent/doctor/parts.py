"""The questions that may hang or crash whoever asks them, each put by a child process that can be killed."""

from __future__ import annotations

from typing import Any

from tunetui_agent.asking import ask_child
from tunetui_agent.children import agent_command

TIMEOUT_SECONDS = {"gpus": 60.0, "driver-proof": 90.0, "nvrtc-proof": 90.0, "nvml": 30.0, "nvrtc": 30.0, "cupy": 180.0}
"""Part to the time after which it is killed: starting CUDA on a host of eight GPUs takes seconds, a first CuPy more."""


def answer_part(name: str, ordinal: int) -> dict[str, Any]:
    """What the child answers; ``ordinal`` is CUDA's number of a GPU, for the parts that are about one."""
    if name == "gpus":
        return _gpus()
    if name in ("driver-proof", "nvrtc-proof"):
        from tunetui_agent.doctor import cuda_proof

        prove = cuda_proof.prove_driver if name == "driver-proof" else cuda_proof.prove_nvrtc
        return prove(ordinal)
    if name == "nvml":
        from tunetui_agent.doctor.nvml_facts import read_nvml

        return read_nvml()
    if name == "nvrtc":
        return _nvrtc()
    from tunetui_agent.doctor.cupy_proof import prove_cupy

    return prove_cupy(ordinal)


def ask_part(name: str, ordinal: int = 0) -> dict[str, Any]:
    """The child's answer, or ``error`` where it died, hung or spoke nonsense (``hung`` says that it had to be killed)."""
    command = agent_command("doctor", "--part", name, "--ordinal", str(ordinal))
    return ask_child(command, TIMEOUT_SECONDS[name])


def ask_proofs(ordinal: int) -> dict[str, Any]:
    """The answers of both proofs under ``driver`` and ``nvrtc``; the second is asked only where the first went well.

    Each has a child of its own: a compiler that crashes must not take the driver's answer with it.
    """
    driver = ask_part("driver-proof", ordinal)
    return {"driver": driver} if "error" in driver else {"driver": driver, "nvrtc": ask_part("nvrtc-proof", ordinal)}


def _gpus() -> dict[str, Any]:
    from dataclasses import asdict

    from tunetui_agent.devices.cuda_driver import DriverError, find_gpus

    try:
        return {"gpus": [asdict(gpu) for gpu in find_gpus()]}
    except DriverError as error:
        return {"error": str(error)}


def _nvrtc() -> dict[str, Any]:
    from tunetui_agent.build.nvrtc import NvrtcError, find_nvrtc

    try:
        nvrtc = find_nvrtc()
        return {"version": nvrtc.version, "path": nvrtc.path, "architectures": nvrtc.architectures()}
    except NvrtcError as error:
        return {"error": str(error)}
