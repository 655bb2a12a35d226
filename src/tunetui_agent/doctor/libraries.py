"""What GPU trials need beside the driver: CuPy that fits it, and hardware counters for those who profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tunetui_agent.doctor.checks import Check, Section
from tunetui_agent.doctor.compilers import find_tool, tool_version
from tunetui_agent.doctor.texts import read_text

LIBRARIES = Section("GPU libraries")
_CAP_SYS_ADMIN = 21  # capabilities(7)
NCU_PLACES = (
    "/usr/local/cuda/bin", "/usr/local/cuda-*/bin", "/opt/nvidia/nsight-compute/*", "/usr/local/NVIDIA-Nsight-Compute*",
    "/opt/nvidia/hpc_sdk/Linux_*/*/compilers/bin",
)  # fmt: skip


def check_cupy(facts: dict[str, Any], driver_cuda: str, python: str) -> list[Check]:
    """CuPy is there, is one build only, and is built for a CUDA that this driver runs (``driver_cuda``, "13.0")."""
    from tunetui_agent.devices.gpu import cupy_hint

    install = f"$ {python} -m {cupy_hint(driver_cuda)}"
    packages = [str(one) for one in facts.get("packages", [])]
    if len(packages) > 1:
        names = " ".join(one.partition(" ")[0] for one in packages)
        advice = f"two builds overwrite each other: remove both, then install one\n$ {python} -m pip uninstall {names}\n{install}"
        return [LIBRARIES.fail("CuPy", f"more than one is installed: {', '.join(packages)}", advice)]
    if "error" in facts:
        return [LIBRARIES.fail("CuPy", str(facts["error"]), f"if it stays so:\n{install} --force-reinstall")]
    if "missing" in facts:
        found = "not installed" if not packages else f"{packages[0]} does not import: {facts['missing']}"
        return [LIBRARIES.fail("CuPy", found, install)]
    built = int(facts.get("runtime", 0)) // 1000
    offered = int(driver_cuda.partition(".")[0] or 0)
    found = (packages[0] if packages else f"cupy {facts['version']}") + (f", CUDA {built}" if built else "")
    if built and offered and built > offered:
        name = packages[0].partition(" ")[0] if packages else "cupy"
        advice = f"$ {python} -m pip uninstall {name}\n{install}\nor update the driver (580 or newer runs CUDA 13)"
        return [LIBRARIES.fail("CuPy", f"{found}, but the driver runs CUDA {driver_cuda} at most", advice)]
    if facts["failed"]:
        what = "; ".join(f"{name} fails: {why}" for name, why in facts["failed"].items())
        return [LIBRARIES.fail("CuPy", f"{found}; {what}", f"its CUDA libraries are missing or mixed\n{install}")]
    return [LIBRARIES.ok("CuPy", f"{found}; sum, compiled kernel and matrix product are right")]


def check_torch(facts: dict[str, Any]) -> Check:
    """torch, which gives one more baseline where it is."""
    if facts.get("torch"):
        return LIBRARIES.ok("torch", f"{facts['torch']} (one more baseline)")
    return LIBRARIES.skip("torch", "not installed; not needed (one baseline less)")


def check_counters(root: Path = Path("/")) -> Check:
    """Whether this user may read the GPU's hardware counters, which only ``--profile`` wants."""
    ncu = find_tool("ncu", NCU_PLACES)
    tool = f"ncu {tool_version(ncu)} at {ncu}" if ncu else "no ncu found"
    params = read_text(root / "proc/driver/nvidia/params")
    reason = counters_refused(params, read_text(root / "proc/self/status"))
    unneeded = "only --profile needs them: achieved occupancy is measured without"
    if reason is None:
        if ncu is None:
            return LIBRARIES.skip("counters", f"allowed, but {tool}", f"{unneeded}; ncu is NVIDIA Nsight Compute")
        return LIBRARIES.ok("counters", f"allowed; {tool} (used with --clock-control none)")
    if not params:
        return LIBRARIES.skip("counters", f"{reason}; {tool}", unneeded)
    advice = (
        f"{unneeded}. To allow them, as root: write options nvidia NVreg_RestrictProfilingToAdminUsers=0 into "
        "/etc/modprobe.d/nvidia.conf and reboot"
    )
    return LIBRARIES.warn("counters", f"{reason}; {tool}", advice)


def counters_refused(params: str, status: str) -> str | None:
    """Why the driver will not let this process read counters, or None where it will.

    ``params`` is /proc/driver/nvidia/params, ``status`` /proc/self/status.  Source: NVIDIA, "ERR_NVGPUCTRPERM".
    """
    values = dict(line.split(":", 1) for line in params.splitlines() if ":" in line)
    restricted = values.get("RmProfilingAdminOnly", "").strip()
    if restricted == "0":
        return None
    if not restricted:
        return "unknown: /proc/driver/nvidia/params is not visible here"
    capabilities = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    if int(capabilities, 16) >> _CAP_SYS_ADMIN & 1:
        return None
    who = "root in a container without CAP_SYS_ADMIN" if os.geteuid() == 0 else "not root"
    return f"the driver allows them to administrators alone, and this is {who}"
