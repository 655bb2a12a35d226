"""The NVIDIA driver of this host: is it there, whole, and does CUDA start; what the known errors mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tunetui_agent.doctor.checks import Check, Section
from tunetui_agent.doctor.texts import read_text

DRIVER = Section("NVIDIA driver")
_NVML_MISMATCH, _NVML_NO_MODULE = 18, -1
_LEAST_CUDA = (12, 0)  # CuPy's wheels are built for CUDA 12 and 13

_REBOOT = "the driver was updated under a running kernel module: reboot (or unload and reload the nvidia modules)"
_IN_CONTAINER = (
    "in a container: start it with --gpus all (NVIDIA Container Toolkit), NVIDIA_DRIVER_CAPABILITIES=compute,utility"
)
_ADVICE = {
    "SYSTEM_NOT_READY": (
        "the host's GPU fabric is not up (CUDA error 802). On NVSwitch machines (HGX, SXM): systemctl status "
        "nvidia-fabricmanager; its version must equal the driver's. On a rented host: restart it, else replace it"
    ),
    "SYSTEM_DRIVER_MISMATCH": _REBOOT,
    "COMPAT_NOT_SUPPORTED_ON_DEVICE": (
        "a CUDA forward-compatibility libcuda is in front of the driver's own, and this GPU does not support that: "
        "take the `compat` folder out of LD_LIBRARY_PATH, or update the driver"
    ),
    "NO_DEVICE": (
        f"CUDA sees no GPU: is CUDA_VISIBLE_DEVICES set to nothing? are /dev/nvidia* there and yours to open?\n{_IN_CONTAINER}"
    ),
    "DEVICE_UNAVAILABLE": "another process holds the GPU exclusively: end it, or nvidia-smi -c DEFAULT (as root)",
    "OUT_OF_MEMORY": "others fill the GPU's memory: see the processes below",
    "UNSUPPORTED_PTX_VERSION": "the driver is older than the compiler: update the driver",
    "NO_BINARY_FOR_GPU": "this compiler does not build for this GPU: install the NVRTC that fits it",
    "INVALID_IMAGE": "this compiler is newer than the driver: install the NVRTC that fits the driver",
    "ECC_UNCORRECTABLE": "the GPU's memory is damaged: reset the GPU or reboot; on a rented host replace it",
    "STUB_LIBRARY": "libcuda.so.1 is the toolkit's stub: take the `stubs` folder out of LD_LIBRARY_PATH",
    "NOT_PERMITTED": "the driver refuses this user: look at the rights of /dev/nvidia*",
    "UNKNOWN": "look at `dmesg | grep -i nvrm` for an Xid; sudo nvidia-modprobe -u helps after suspend; else reboot",
}
"""Parts of CUDA error names (Driver API, ``CUresult``) to what to do."""


def advice_for(text: str) -> str:
    """What to do about a CUDA error, by the name in its text."""
    for name, advice in _ADVICE.items():
        if name in text:
            return advice
    return "look at `dmesg | grep -i nvrm`; reboot the host, or replace it where it is rented"


def module_version(text: str) -> tuple[str, bool]:
    """Version of the loaded kernel module in /proc/driver/nvidia/version, and whether it is the open one; ("", False)."""
    line = next((line for line in text.splitlines() if line.startswith("NVRM version:")), "")
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)*)\s", f"{line} ")
    return (found[1] if found else "", "Open Kernel Module" in line)


def is_present(root: Path, cuda: dict[str, Any]) -> bool:
    """Whether an NVIDIA GPU should work here: module, device files, or an answer of CUDA's other than "nothing"."""
    if read_text(root / "proc/driver/nvidia/version") or any((root / "dev").glob("nvidia[0-9]*")):
        return True
    return bool(cuda.get("gpus")) or ("error" in cuda and "was not found" not in str(cuda["error"]))


def pci_gpus(root: Path = Path("/")) -> list[str]:
    """PCI addresses of NVIDIA display and 3D controllers (vendor 10de, class 03), driver or not."""
    devices = sorted((root / "sys/bus/pci/devices").glob("*"))
    return [
        device.name
        for device in devices
        if read_text(device / "vendor") == "0x10de" and read_text(device / "class").startswith("0x03")
    ]


def check_absence(root: Path) -> list[Check]:
    """The one line of a machine without a driver: nothing to do, or a GPU that lies idle for want of one."""
    idle = pci_gpus(root)
    if idle:
        advice = f"install the NVIDIA driver (580 or newer runs CUDA 13); {_IN_CONTAINER}"
        return [DRIVER.fail("driver", f"NVIDIA GPU at {', '.join(idle)}, but no NVIDIA driver here", advice)]
    return [DRIVER.skip("driver", "no NVIDIA driver on this machine: its CPU can be measured")]


def check_driver(root: Path, cuda: dict[str, Any], nvml: dict[str, Any], python: str) -> list[Check]:
    """Kernel module against library, NVML, and whether CUDA starts and which version it supports."""
    return [_versions(root, nvml), _nvml(nvml, python), _cuda(cuda)]


def _versions(root: Path, nvml: dict[str, Any]) -> Check:
    module, is_open = module_version(read_text(root / "proc/driver/nvidia/version"))
    library = str(nvml.get("driver", ""))
    if nvml.get("code") == _NVML_MISMATCH or (module and library and module != library):
        found = f"kernel module {module or 'unknown'}, library {library or 'of another version'}"
        return DRIVER.fail("driver", found, _REBOOT)
    kind = " (open kernel module)" if is_open else ""
    if not module and not library:
        return DRIVER.warn("driver", "its version is not visible here", _IN_CONTAINER)
    return DRIVER.ok("driver", f"{module or library}{kind}" + ("" if module else ", kernel module not visible here"))


def _nvml(nvml: dict[str, Any], python: str) -> Check:
    if nvml.get("code") == _NVML_NO_MODULE:
        advice = (
            f"$ {python} -m pip install nvidia-ml-py\nwithout it clocks, power, throttling and other users go unwatched"
        )
        return DRIVER.warn("NVML", "the Python module nvidia-ml-py is missing", advice)
    if "error" in nvml:
        advice = _REBOOT if nvml.get("code") == _NVML_MISMATCH else advice_for("")
        return DRIVER.fail("NVML", str(nvml["error"]), advice)
    return DRIVER.ok("NVML", f"{nvml['nvml']}, {_gpus(len(nvml['gpus']))}")


def _cuda(cuda: dict[str, Any]) -> Check:
    if "error" in cuda:
        text = str(cuda["error"])
        advice = _IN_CONTAINER if "libcuda" in text else advice_for(text)
        return DRIVER.fail("CUDA", text, advice)
    if not cuda["gpus"]:
        return DRIVER.fail("CUDA", "the driver starts but offers no GPU", advice_for("NO_DEVICE"))
    version = str(cuda["gpus"][0]["driver_version"])
    found = f"{version} supported by the driver, {_gpus(len(cuda['gpus']))}"
    if tuple(int(part) for part in version.split(".")) < _LEAST_CUDA:
        return DRIVER.fail(
            "CUDA", found, "CuPy's builds need CUDA 12: update the driver to 525 or newer (580 for CUDA 13)"
        )
    return DRIVER.ok("CUDA", found)


def _gpus(count: int) -> str:
    return f"{count} GPU{'' if count == 1 else 's'}"
