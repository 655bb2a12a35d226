"""What NVML says of every GPU, as one JSON object; it only ever asks, and changes no setting.

Source: NVML API Reference, "Device Queries" and "System Queries" (driver 580).  Runs in a child of the doctor, because
NVML hangs on a GPU that has fallen off its bus.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SLOWDOWN = 1  # NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
_SM, _MEMORY = 1, 2  # NVML_CLOCK_SM, NVML_CLOCK_MEM
_APPLICATION_CLOCKS = 0  # NVML_RESTRICTED_API_SET_APPLICATION_CLOCKS
_UNCORRECTED, _VOLATILE, _AGGREGATE = 1, 0, 1

_QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "uuid": lambda n, h: _text(n.nvmlDeviceGetUUID(h)),
    "name": lambda n, h: _text(n.nvmlDeviceGetName(h)),
    "memory_bytes": lambda n, h: int(n.nvmlDeviceGetMemoryInfo(h).total),
    "memory_used_bytes": lambda n, h: int(n.nvmlDeviceGetMemoryInfo(h).used),
    "utilisation_percent": lambda n, h: int(n.nvmlDeviceGetUtilizationRates(h).gpu),
    "persistence": lambda n, h: bool(n.nvmlDeviceGetPersistenceMode(h)),
    "compute_mode": lambda n, h: int(n.nvmlDeviceGetComputeMode(h)),
    "display_active": lambda n, h: bool(n.nvmlDeviceGetDisplayActive(h)),
    "mig": lambda n, h: bool(n.nvmlDeviceGetMigMode(h)[0]),
    "ecc": lambda n, h: bool(n.nvmlDeviceGetEccMode(h)[0]),
    "ecc_pending": lambda n, h: bool(n.nvmlDeviceGetEccMode(h)[1]),
    "ecc_uncorrected_now": lambda n, h: int(n.nvmlDeviceGetTotalEccErrors(h, _UNCORRECTED, _VOLATILE)),
    "ecc_uncorrected_ever": lambda n, h: int(n.nvmlDeviceGetTotalEccErrors(h, _UNCORRECTED, _AGGREGATE)),
    "remapped_rows": lambda n, h: list(n.nvmlDeviceGetRemappedRows(h)),  # correctable, uncorrectable, pending, failed
    "temperature_c": lambda n, h: int(n.nvmlDeviceGetTemperature(h, 0)),
    "slowdown_c": lambda n, h: int(n.nvmlDeviceGetTemperatureThreshold(h, _SLOWDOWN)),
    "power_w": lambda n, h: n.nvmlDeviceGetPowerUsage(h) / 1e3,
    "power_limit_w": lambda n, h: n.nvmlDeviceGetEnforcedPowerLimit(h) / 1e3,
    "power_default_w": lambda n, h: n.nvmlDeviceGetPowerManagementDefaultLimit(h) / 1e3,
    "sm_clock_mhz": lambda n, h: int(n.nvmlDeviceGetClockInfo(h, _SM)),
    "sm_clock_max_mhz": lambda n, h: int(n.nvmlDeviceGetMaxClockInfo(h, _SM)),
    "sm_clock_application_mhz": lambda n, h: int(n.nvmlDeviceGetApplicationsClock(h, _SM)),
    "memory_clock_mhz": lambda n, h: int(n.nvmlDeviceGetClockInfo(h, _MEMORY)),
    "memory_clocks_mhz": lambda n, h: [int(clock) for clock in n.nvmlDeviceGetSupportedMemoryClocks(h)],
    "clocks_restricted": lambda n, h: bool(n.nvmlDeviceGetAPIRestriction(h, _APPLICATION_CLOCKS)),
    "event_reasons": lambda n, h: int(_event_reasons(n)(h)),
    "pcie": lambda n, h: [
        int(n.nvmlDeviceGetCurrPcieLinkGeneration(h)), int(n.nvmlDeviceGetCurrPcieLinkWidth(h)),
        int(n.nvmlDeviceGetMaxPcieLinkGeneration(h)), int(n.nvmlDeviceGetMaxPcieLinkWidth(h)),
    ],
    "compute_processes": lambda n, h: _processes(n, n.nvmlDeviceGetComputeRunningProcesses(h)),
    "graphics_processes": lambda n, h: _processes(n, n.nvmlDeviceGetGraphicsRunningProcesses(h)),
}  # fmt: skip
"""Fact to question; a question that the driver does not answer leaves its fact out."""


def read_nvml() -> dict[str, Any]:
    """``driver``, ``nvml``, ``gpus``; or ``error`` with ``code`` (an NVML status, -1 where the Python module is missing)."""
    try:
        import pynvml
    except ImportError as error:
        return {"error": str(error), "code": -1}
    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
        facts = {"driver": _text(nvml.nvmlSystemGetDriverVersion()), "nvml": _text(nvml.nvmlSystemGetNVMLVersion())}
    except nvml.NVMLError as error:
        return {"error": str(error), "code": int(error.value)}
    return {**facts, "gpus": [_gpu(nvml, index) for index in range(count)]}


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"index": index}
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        return {**facts, "error": str(error), "code": int(error.value)}
    for name, question in _QUESTIONS.items():
        try:
            facts[name] = question(nvml, handle)
        except (nvml.NVMLError, AttributeError):  # AttributeError: a binding older than the question
            continue
    return facts


def _event_reasons(nvml: Any) -> Any:
    return (
        getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None) or nvml.nvmlDeviceGetCurrentClocksThrottleReasons
    )


def _processes(nvml: Any, found: list[Any]) -> list[dict[str, Any]]:
    return [{"pid": int(p.pid), "name": _name(nvml, p.pid), "bytes": int(p.usedGpuMemory or 0)} for p in found]


def _name(nvml: Any, pid: int) -> str:
    try:
        return _text(nvml.nvmlSystemGetProcessName(pid))
    except nvml.NVMLError:
        return ""


def _text(said: str | bytes) -> str:
    """Bindings before 11.5 answer with bytes."""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
