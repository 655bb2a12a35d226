"""Examines a host: everything that a run needs, each line with what was found and what to do about it."""

from __future__ import annotations

import shlex
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunetui_agent import __version__
from tunetui_agent.doctor.checks import Check
from tunetui_agent.doctor.compilers import check_mojo, check_nvrtc, check_toolkit
from tunetui_agent.doctor.driver import DRIVER, check_absence, check_driver, is_present
from tunetui_agent.doctor.gpu import check_gpu
from tunetui_agent.doctor.host import check_host
from tunetui_agent.doctor.libraries import check_counters, check_cupy, check_torch
from tunetui_agent.doctor.parts import ask_part, ask_proofs
from tunetui_agent.messages import PROTOCOL

_AT_ONCE = 8
_PYTHON = shlex.quote(sys.executable)  # as it would be typed


def examine(folder: Path, device: str = "", root: Path = Path("/")) -> dict[str, Any]:
    """One JSON object whose ``checks`` are the report's lines in order.

    ``folder`` is the agent's own; ``device`` limits the report to "cpu" or to one GPU's UUID.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        mojo = pool.submit(check_mojo, folder)
        nvrtc = pool.submit(ask_part, "nvrtc")
        checks = check_host(folder, root)
        gpu_checks, capabilities = ([], []) if device == "cpu" else _examine_gpus(pool, device, root)
        compilers = [check_nvrtc(nvrtc.result(), capabilities, _PYTHON), mojo.result(), *check_toolkit()]
    return {
        "checks": [asdict(check) for check in [*checks, *compilers, *gpu_checks]],
        "agent": __version__,
        "protocol": PROTOCOL,
        "host": socket.gethostname(),
    }


def _examine_gpus(pool: ThreadPoolExecutor, device: str, root: Path) -> tuple[list[Check], list[int]]:
    """Checks of the driver, the libraries and every GPU (or the one asked for), and the GPUs' compute capabilities."""
    asked_nvml = pool.submit(ask_part, "nvml")
    cuda = ask_part("gpus")
    nvml = asked_nvml.result()
    if not is_present(root, cuda):
        absent = check_absence(root)
        return ([*absent, _no_such_gpu(device, [])] if device else absent), []
    checks = check_driver(root, cuda, nvml, _PYTHON)
    seen_by_cuda = {str(gpu["uuid"]): gpu for gpu in cuda.get("gpus", [])}
    seen_by_nvml = {str(gpu.get("uuid", f"GPU {gpu['index']}")): gpu for gpu in nvml.get("gpus", [])}
    known = list(dict.fromkeys([*seen_by_cuda, *seen_by_nvml]))
    wanted = [uuid for uuid in known if device in ("", uuid)]
    proofs = {uuid: pool.submit(ask_proofs, seen_by_cuda[uuid]["ordinal"]) for uuid in wanted if uuid in seen_by_cuda}
    first = next(iter(proofs), None)
    if first:
        # Only after the proof: two processes at once would start CUDA on a GPU that may allow one.
        proofs[first].result()
        cupy = ask_part("cupy", seen_by_cuda[first]["ordinal"])
        version = str(seen_by_cuda[first]["driver_version"])
        checks += [*check_cupy(cupy, version, _PYTHON), check_torch(cupy)]
    checks.append(check_counters(root))
    for uuid in wanted:
        proof = proofs[uuid].result() if uuid in proofs else {}
        checks += check_gpu(uuid, seen_by_cuda.get(uuid, {}), proof, seen_by_nvml.get(uuid, {}))
    if not wanted and device:
        checks.append(_no_such_gpu(device, known))
    return checks, [seen_by_cuda[uuid]["attributes"]["compute_capability"] for uuid in wanted if uuid in seen_by_cuda]


def _no_such_gpu(device: str, known: list[str]) -> Check:
    return DRIVER.fail("device", f"there is no {device} here", f"there is: {', '.join(['cpu', *known])}")
