"""The GPUs of this host as the CUDA driver itself describes them, through ctypes: no CuPy, no context, no memory taken.

Source: CUDA Driver API, "Device Management" and the ``CUdevice_attribute`` enumeration (CUDA Toolkit 13.0).
"""

from __future__ import annotations

import ctypes
import uuid
from ctypes import byref, c_char, c_char_p, c_int, c_size_t
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ATTRIBUTES = {
    "max_threads_per_block": 1,
    "warp_size": 10,
    "registers_per_block": 12,
    "multiprocessors": 16,
    "memory_bus_bits": 37,
    "l2_bytes": 38,
    "max_threads_per_multiprocessor": 39,
    "shared_memory_per_multiprocessor_bytes": 81,
    "registers_per_multiprocessor": 82,
    "shared_memory_per_block_bytes": 97,  # the most that a kernel may opt in to
    "max_blocks_per_multiprocessor": 106,
    "reserved_shared_memory_per_block_bytes": 111,
}
"""Our names, without the prefix ``device_`` that expressions see, to the driver's attribute numbers."""

_MAJOR, _MINOR = 75, 76
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


class DriverError(Exception):
    """The CUDA driver is missing or refuses; the message is for the user."""


@dataclass(frozen=True)
class Gpu:
    """One GPU; ``uuid`` is as nvidia-smi prints it, ``driver_version`` what CUDA version the driver supports."""

    ordinal: int
    uuid: str
    name: str
    memory_bytes: int
    attributes: dict[str, int]
    driver_version: str


def find_gpus() -> list[Gpu]:
    """Every GPU that CUDA can use, in CUDA's own order.

    Raises:
        DriverError: no driver, or one that does not start.
    """
    driver = _Driver()
    return [driver.gpu(ordinal) for ordinal in range(driver.count())]


def kernel_driver_version() -> str:
    """Version of the loaded NVIDIA kernel module such as "580.159.04"; empty where there is none."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(errors="replace")
    except OSError:
        return ""
    return next((word for word in text.split() if word[:1].isdigit() and word.count(".") >= 1), "")


def uuid_text(raw: bytes, name: str) -> str:
    """As nvidia-smi and NVML write it.  Only its name tells a MIG instance: "NVIDIA A100-SXM4-40GB MIG 1g.5gb"."""
    return f"{'MIG' if ' MIG ' in name else 'GPU'}-{uuid.UUID(bytes=raw)}"


class _Driver:
    def __init__(self) -> None:
        try:
            self._lib = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            missing = "cannot open shared object file" in str(error)
            why = "libcuda.so.1 was not found" if missing else f"libcuda.so.1 does not load: {error}"
            raise DriverError(f"no NVIDIA driver: {why}") from None
        self._lib.cuGetErrorName.argtypes = [c_int, ctypes.POINTER(c_char_p)]
        self._lib.cuGetErrorString.argtypes = [c_int, ctypes.POINTER(c_char_p)]
        status = self._lib.cuInit(0)
        if status not in (0, _NO_DEVICE):
            raise DriverError(f"CUDA does not start: {self._words(status)}")
        self._usable = status == 0

    def count(self) -> int:
        found = c_int()
        if self._usable:
            self._check(self._lib.cuDeviceGetCount(byref(found)), "cuDeviceGetCount")
        return found.value

    def gpu(self, ordinal: int) -> Gpu:
        device = c_int()
        self._check(self._lib.cuDeviceGet(byref(device), ordinal), "cuDeviceGet")
        name, raw, total, version = ctypes.create_string_buffer(256), (c_char * 16)(), c_size_t(), c_int()
        self._check(self._lib.cuDeviceGetName(name, len(name), device), "cuDeviceGetName")
        # The _v2 calls name MIG instances by their own UUID; drivers before 11.4 have only the first.
        get_uuid = getattr(self._lib, "cuDeviceGetUuid_v2", None) or self._lib.cuDeviceGetUuid
        self._check(get_uuid(byref(raw), device), "cuDeviceGetUuid")
        self._check(self._lib.cuDeviceTotalMem_v2(byref(total), device), "cuDeviceTotalMem")
        self._check(self._lib.cuDriverGetVersion(byref(version)), "cuDriverGetVersion")
        attributes = {key: self._attribute(number, device) for key, number in ATTRIBUTES.items()}
        major, minor = self._attribute(_MAJOR, device), self._attribute(_MINOR, device)
        attributes |= {"compute_capability": 10 * major + minor, "memory_bytes": total.value}
        return Gpu(
            ordinal=ordinal,
            uuid=uuid_text(bytes(raw), name.value.decode(errors="replace")),
            name=name.value.decode(errors="replace"),
            memory_bytes=total.value,
            attributes=attributes,
            driver_version=f"{version.value // 1000}.{version.value % 1000 // 10}",
        )

    def _attribute(self, number: int, device: Any) -> int:
        value = c_int()
        self._check(self._lib.cuDeviceGetAttribute(byref(value), number, device), "cuDeviceGetAttribute")
        return value.value

    def _check(self, status: int, call: str) -> None:
        if status != 0:
            raise DriverError(f"{call}: {self._words(status)}")

    def _words(self, status: int) -> str:
        name, text = c_char_p(), c_char_p()
        self._lib.cuGetErrorName(status, byref(name))
        self._lib.cuGetErrorString(status, byref(text))
        said = [part.value.decode(errors="replace") for part in (name, text) if part.value]
        return ": ".join(said) or f"error {status}"
