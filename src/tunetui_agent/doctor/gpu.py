"""One GPU: does CUDA really compute on it, is it healthy, and is it ours alone.  Facts in, checks out."""

from __future__ import annotations

from typing import Any

from tunetui_agent.devices.gpu_watch import THROTTLE_REASONS, throttle_words
from tunetui_agent.doctor.checks import Check, Section, gib
from tunetui_agent.doctor.cuda_proof import WRONG
from tunetui_agent.doctor.driver import advice_for

_IDLE, _APPLICATION_CLOCKS, _DISPLAY_CLOCKS = 0x001, 0x002, 0x100  # bits of nvmlClocksEventReasons
_COMPUTE_MODES = {1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}
_NEAR_SLOWDOWN_C = 5
_REPLACE = "reset the GPU (nvidia-smi --gpu-reset, as root) or reboot; on a rented host replace it"


def check_gpu(uuid: str, cuda: dict[str, Any], proof: dict[str, Any], nvml: dict[str, Any]) -> list[Check]:
    """All checks of one GPU, from CUDA's list, the proof and NVML's facts; an empty dict is "did not answer"."""
    index = nvml.get("index", cuda.get("ordinal", "?"))
    section = Section(f"GPU {index}: {cuda.get('name') or nvml.get('name') or uuid}")
    checks = [_identity(section, uuid, cuda, nvml)]
    if "error" in nvml:
        return [*checks, section.fail("NVML", str(nvml["error"]), _REPLACE)]
    checks += _proofs(section, cuda, proof, nvml)
    if not nvml:
        return [*checks, section.skip("health", "NVML does not answer for this GPU")]
    found = [
        _sharing(section, nvml), _memory(section, nvml), _mode(section, nvml), _mig(section, nvml), _ecc(section, nvml),
        _throttling(section, nvml), _temperature(section, nvml), _power(section, nvml), _clocks(section, nvml),
        _persistence(section, nvml), _display(section, nvml), _pcie(section, nvml),
    ]  # fmt: skip
    return [*checks, *found]


def _identity(section: Section, uuid: str, cuda: dict[str, Any], nvml: dict[str, Any]) -> Check:
    parts = [uuid]
    capability = cuda.get("attributes", {}).get("compute_capability")
    if capability:
        parts.append(f"sm_{capability}, {cuda['attributes'].get('multiprocessors')} SMs")
    size = cuda.get("memory_bytes") or nvml.get("memory_bytes")
    parts += [gib(size)] if size else []
    return section.ok("device", ", ".join(parts))


def _proofs(section: Section, cuda: dict[str, Any], proof: dict[str, Any], nvml: dict[str, Any]) -> list[Check]:
    if not cuda:
        if nvml.get("mig"):
            return [section.skip("CUDA runs", "CUDA offers its MIG instances instead of the whole GPU")]
        advice = "is it left out by CUDA_VISIBLE_DEVICES? otherwise: " + advice_for("")
        return [section.warn("CUDA runs", "NVML sees this GPU, CUDA does not", advice)]
    driver, nvrtc = proof["driver"], proof.get("nvrtc")
    if "error" in driver:
        return [section.fail("CUDA runs", str(driver["error"]), _advice(driver))]
    took = f"context in {driver['context_seconds']:.2f} s"
    checks = [section.ok("CUDA runs", f"a kernel ran and its result was right; {took}")]
    if nvrtc is None:
        return checks
    if "error" in nvrtc:
        text = str(nvrtc["error"])
        advice = "CUDA C++ kernels cannot be built: see Compilers" if nvrtc.get("unbuilt") else _advice(nvrtc)
        return [*checks, section.fail("NVRTC runs", text.partition(": pip ")[0], advice)]
    return [*checks, section.ok("NVRTC runs", "CUDA C++ was compiled, ran, and its result was right")]


def _advice(answer: dict[str, Any]) -> str:
    text = str(answer["error"])
    if answer.get("hung"):
        return f"CUDA hangs on this GPU: {_REPLACE}"
    return f"this GPU does not compute correctly: {_REPLACE}" if WRONG in text else advice_for(text)


def _sharing(section: Section, nvml: dict[str, Any]) -> Check:
    found = {one["pid"]: one for key in ("graphics", "compute") for one in nvml.get(f"{key}_processes", [])}
    if not found:
        busy = nvml.get("utilisation_percent") or 0
        if busy:
            why = f"none visible, but the GPU is {busy} % busy"
            return section.warn("processes", why, "others may be using it from outside this container")
        return section.ok("processes", "none but ours")
    words = [_process(one) for _, one in sorted(found.items())]
    advice = "figures taken while others use the GPU are tagged shared-gpu: end them, or take another GPU"
    more = f", and {len(words) - 4} more" if len(words) > 4 else ""
    return section.warn("processes", "; ".join(words[:4]) + more, advice)


def _process(one: dict[str, Any]) -> str:
    size = f", {gib(one['bytes'])}" if one["bytes"] else ""  # containers are not told how much another holds
    return f"{one['name'] or 'unknown'} (pid {one['pid']}{size})"


def _memory(section: Section, nvml: dict[str, Any]) -> Check:
    total, used = nvml.get("memory_bytes"), nvml.get("memory_used_bytes")
    if not total or used is None:  # on a GH200 in coherent mode, NVML may not tell
        return section.skip("memory", "NVML does not tell what is used")
    found = f"{gib(used)} of {gib(total)} in use"
    if used > total / 4:
        return section.warn("memory", found, "large problems may not fit beside what others hold")
    return section.ok("memory", found)


def _mode(section: Section, nvml: dict[str, Any]) -> Check:
    mode = nvml.get("compute_mode")
    if mode is None:
        return section.skip("compute mode", "not told")
    if mode == 2:
        return section.fail(
            "compute mode", _COMPUTE_MODES[2], "nobody may compute on it: nvidia-smi -c DEFAULT (as root)"
        )
    return section.ok("compute mode", _COMPUTE_MODES.get(mode, "default"))


def _mig(section: Section, nvml: dict[str, Any]) -> Check:
    if "mig" not in nvml:
        return section.skip("MIG", "not supported by this GPU")
    if nvml["mig"]:
        advice = "figures are of one instance, which shares clocks and power with its neighbours: never compare them with a whole GPU's"
        return section.warn("MIG", "on", advice)
    return section.ok("MIG", "off")


def _ecc(section: Section, nvml: dict[str, Any]) -> Check:
    *_, pending, failed = nvml.get("remapped_rows", [0, 0, 0, 0])
    if failed:
        return section.fail("ECC", "a row of memory could not be remapped", "the GPU's memory is damaged: replace it")
    if nvml.get("ecc_uncorrected_now"):
        return section.fail("ECC", f"{nvml['ecc_uncorrected_now']} uncorrected errors since boot", _REPLACE)
    if "ecc" not in nvml:
        return section.skip("ECC", "not supported by this GPU")
    state = "on" if nvml["ecc"] else "off"
    if nvml.get("ecc_pending", nvml["ecc"]) != nvml["ecc"]:
        return section.warn(
            "ECC", f"{state}, and to change at the next boot", "bandwidth will change with it: reboot first"
        )
    if pending:
        return section.warn("ECC", f"{state}, memory rows wait to be remapped", _REPLACE)
    ever = nvml.get("ecc_uncorrected_ever") or 0
    return section.ok("ECC", f"{state}, no uncorrected errors since boot" + (f", {ever} in its life" if ever else ""))


def _throttling(section: Section, nvml: dict[str, Any]) -> Check:
    mask = nvml.get("event_reasons")
    if mask is None:
        return section.skip("throttling", "not told")
    if mask & sum(THROTTLE_REASONS):
        advice = "it runs slower than asked already at rest: look at its power cable, cooling and neighbours"
        return section.warn("throttling", throttle_words(mask), advice)
    if mask & _APPLICATION_CLOCKS:
        return section.ok("throttling", "none; held at its application clocks")
    return section.ok("throttling", "none now" + (", idle" if mask & _IDLE else ""))


def _temperature(section: Section, nvml: dict[str, Any]) -> Check:
    now, limit = nvml.get("temperature_c"), nvml.get("slowdown_c")
    if now is None:
        return section.skip("temperature", "not told")
    found = f"{now} °C" + (f", slows down at {limit} °C" if limit else "")
    if limit and now > limit - _NEAR_SLOWDOWN_C:
        return section.warn("temperature", found, "too hot to measure: let it cool, look at its fans and neighbours")
    return section.ok("temperature", found)


def _power(section: Section, nvml: dict[str, Any]) -> Check:
    limit, default, now = (nvml.get(name) for name in ("power_limit_w", "power_default_w", "power_w"))
    if limit is None:
        return section.skip("power", "not told")
    found = f"limit {limit:.0f} W" + (f" of {default:.0f} W by default" if default else "")
    found += f", {now:.0f} W now" if now is not None else ""
    if default and limit < default - 1:
        advice = "somebody lowered its power limit: figures are of the capped GPU (nvidia-smi -pl sets it, as root)"
        return section.warn("power", found, advice)
    return section.ok("power", found)


def _clocks(section: Section, nvml: dict[str, Any]) -> Check:
    now, most, application = (nvml.get(f"sm_clock{name}_mhz") for name in ("", "_max", "_application"))
    if now is None or most is None:
        return section.skip("clocks", "not told")
    found = f"SM {now} of at most {most} MHz"
    found += f", memory {nvml['memory_clock_mhz']} MHz" if "memory_clock_mhz" in nvml else ""
    found += f", application clock {application} MHz" if application else ""
    if not nvml.get("memory_clocks_mhz"):
        return section.ok("clocks", f"{found}; cannot be locked here (the driver lists no clocks to choose from)")
    who = "root" if nvml.get("clocks_restricted", True) else "any user"
    command = f"nvidia-smi -i {nvml.get('index', 0)} -lgc MHZ,MHZ (undo: -rgc)"
    return section.ok("clocks", f"{found}; can be locked by {who} with {command}; tunetui does not")


def _persistence(section: Section, nvml: dict[str, Any]) -> Check:
    if "persistence" not in nvml:
        return section.skip("persistence mode", "not told")
    if nvml["persistence"]:
        return section.ok("persistence mode", "on")
    advice = (
        "each start of CUDA wakes the GPU first, which takes seconds: nvidia-smi -pm 1 (as root); figures do not change"
    )
    return section.warn("persistence mode", "off", advice)


def _display(section: Section, nvml: dict[str, Any]) -> Check:
    if nvml.get("display_active") or (nvml.get("event_reasons") or 0) & _DISPLAY_CLOCKS:
        advice = "the desktop takes time and memory of it, and may end long kernels: log out of it, or take another GPU"
        return section.warn("display", "a display is driven by this GPU", advice)
    return section.ok("display", "none")


def _pcie(section: Section, nvml: dict[str, Any]) -> Check:
    if "pcie" not in nvml:
        return section.skip("PCIe", "not told")
    generation, width, most_generation, most_width = nvml["pcie"]
    # Only said, never judged: links sleep when idle, and a GH200's runs beside its real one (C2C).
    return section.ok("PCIe", f"gen {generation} x{width} now, gen {most_generation} x{most_width} at most")
