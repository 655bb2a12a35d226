"""What the doctor makes of a GPU's facts: which are well, which are not, and what it advises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent.file_trees import files_below
from tunetui_agent.doctor.checks import FAILURE, NOT_APPLICABLE, OK, WARNING, Check
from tunetui_agent.doctor.compilers import check_nvrtc
from tunetui_agent.doctor.driver import advice_for, check_absence, check_driver, is_present, module_version
from tunetui_agent.doctor.gpu import check_gpu
from tunetui_agent.doctor.libraries import check_cupy, counters_refused

UUID = "GPU-5d4c1d1e-0000-4000-8000-000000000001"
CUDA = {
    "uuid": UUID, "ordinal": 0, "name": "NVIDIA H100 80GB HBM3", "memory_bytes": 85_000_000_000,
    "driver_version": "13.0", "attributes": {"compute_capability": 90, "multiprocessors": 132},
}  # fmt: skip
PROOF: dict[str, Any] = {
    "driver": {"ok": True, "context_seconds": 0.31},
    "nvrtc": {"ok": True, "version": "13.0"},
}
# An idle GPU in order, in the form in which NVML's answers are kept.
FACTS: dict[str, Any] = {
    "index": 0, "uuid": UUID, "name": "NVIDIA H100 80GB HBM3", "memory_bytes": 85_520_809_984,
    "memory_used_bytes": 620_000_000, "utilisation_percent": 0, "persistence": True, "compute_mode": 0,
    "display_active": False, "mig": False, "ecc": True, "ecc_pending": True, "ecc_uncorrected_now": 0,
    "ecc_uncorrected_ever": 0, "remapped_rows": [0, 0, 0, 0], "temperature_c": 31, "slowdown_c": 87, "power_w": 71.2,
    "power_limit_w": 700.0, "power_default_w": 700.0, "sm_clock_mhz": 345, "sm_clock_max_mhz": 1980,
    "sm_clock_application_mhz": 1980, "memory_clock_mhz": 2619, "memory_clocks_mhz": [2619, 1593],
    "clocks_restricted": True, "event_reasons": 1, "pcie": [5, 16, 5, 16], "compute_processes": [],
    "graphics_processes": [],
}  # fmt: skip

PROPRIETARY = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024
GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)
"""
OPEN = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (dvs-builder@U22-I3-AE18-23-3)
GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)
"""
MODULE = "proc/driver/nvidia/version"


def only(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_a_healthy_idle_gpu_has_nothing_to_complain_of() -> None:
    checks = check_gpu(UUID, CUDA, PROOF, FACTS)
    assert [check for check in checks if check.status != OK] == []
    assert {check.section for check in checks} == {"GPU 0: NVIDIA H100 80GB HBM3"}
    assert "can be locked by root with nvidia-smi -i 0 -lgc" in only(checks, "clocks").found


@pytest.mark.parametrize(
    ("facts", "name", "status", "said"),
    [
        (
            {"compute_processes": [{"pid": 41, "name": "python3", "bytes": 2 << 30}]},
            "processes",
            WARNING,
            "pid 41, 2.0",
        ),
        ({"utilisation_percent": 88}, "processes", WARNING, "none visible, but the GPU is 88 % busy"),
        ({"memory_used_bytes": 60_000_000_000}, "memory", WARNING, "in use"),
        ({"compute_mode": 2}, "compute mode", FAILURE, "prohibited"),
        ({"mig": True}, "MIG", WARNING, "on"),
        ({"ecc_uncorrected_now": 3}, "ECC", FAILURE, "3 uncorrected errors"),
        ({"remapped_rows": [1, 0, 1, 0]}, "ECC", WARNING, "wait to be remapped"),
        ({"remapped_rows": [0, 9, 0, 1]}, "ECC", FAILURE, "could not be remapped"),
        ({"ecc_pending": False}, "ECC", WARNING, "to change at the next boot"),
        ({"ecc": False, "ecc_pending": False}, "ECC", OK, "off"),
        ({"event_reasons": 0x0C}, "throttling", WARNING, "power cap, hardware slowdown"),
        ({"event_reasons": 0x02}, "throttling", OK, "application clocks"),
        ({"temperature_c": 84}, "temperature", WARNING, "84 °C"),
        ({"power_limit_w": 400.0}, "power", WARNING, "limit 400 W of 700 W"),
        ({"memory_clocks_mhz": []}, "clocks", OK, "cannot be locked here"),
        ({"clocks_restricted": False}, "clocks", OK, "can be locked by any user"),
        ({"persistence": False}, "persistence mode", WARNING, "off"),
        ({"display_active": True}, "display", WARNING, "a display is driven"),
        ({"pcie": [1, 1, 4, 16]}, "PCIe", OK, "gen 1 x1 now"),
    ],
)
def test_what_is_out_of_order_is_said(facts: dict[str, Any], name: str, status: str, said: str) -> None:
    check = only(check_gpu(UUID, CUDA, PROOF, {**FACTS, **facts}), name)
    assert check.status == status
    assert said in check.found
    assert bool(check.advice) == (status in (WARNING, FAILURE))


@pytest.mark.parametrize("missing", sorted(FACTS.keys() - {"index"}))
def test_a_question_that_the_driver_does_not_answer_is_no_complaint(missing: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != missing}
    checks = check_gpu(UUID, CUDA, PROOF, facts)
    assert {check.status for check in checks} <= {OK, NOT_APPLICABLE}


def test_without_nvml_the_proof_still_stands() -> None:
    checks = check_gpu(UUID, CUDA, PROOF, {})
    assert only(checks, "CUDA runs").status == OK
    assert only(checks, "health").status == NOT_APPLICABLE


@pytest.mark.parametrize(
    ("proof", "name", "advice"),
    [
        ({"driver": {"error": "no answer within 90 s", "hung": True}}, "CUDA runs", "CUDA hangs on this GPU"),
        ({"driver": {"error": "tunetui_proof: wrong result: 4 of 1024"}}, "CUDA runs", "does not compute correctly"),
        ({"driver": {"error": "cuInit: CUDA_ERROR_SYSTEM_NOT_READY: x"}}, "CUDA runs", "nvidia-fabricmanager"),
        ({**PROOF, "nvrtc": {"error": "CUDA_ERROR_INVALID_IMAGE"}}, "NVRTC runs", "newer than the driver"),
        ({**PROOF, "nvrtc": {"error": "NVRTC was not found: pip x", "unbuilt": True}}, "NVRTC runs", "see Compilers"),
    ],
)
def test_a_gpu_that_does_not_compute_is_a_failure(proof: dict[str, Any], name: str, advice: str) -> None:
    check = only(check_gpu(UUID, CUDA, proof, FACTS), name)
    assert check.status == FAILURE
    assert advice in check.advice


def test_a_gpu_that_cuda_does_not_offer_is_said_and_one_in_mig_mode_is_not_blamed() -> None:
    hidden = only(check_gpu(UUID, {}, {}, FACTS), "CUDA runs")
    assert (hidden.status, "CUDA_VISIBLE_DEVICES" in hidden.advice) == (WARNING, True)
    assert only(check_gpu(UUID, {}, {}, {**FACTS, "mig": True}), "CUDA runs").status == NOT_APPLICABLE


def test_a_gpu_that_nvml_has_lost_is_a_failure() -> None:
    checks = check_gpu("GPU 3", {}, {}, {"index": 3, "error": "GPU is lost", "code": 15})
    assert (checks[-1].status, checks[-1].found) == (FAILURE, "GPU is lost")


# ------------------------------------------------------------------------------------------ driver


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (PROPRIETARY, ("550.54.15", False)),
        (OPEN, ("580.159.04", True)),
        ("", ("", False)),
        ("NVRM version: ?", ("", False)),
    ],
)
def test_the_kernel_modules_version_is_read(text: str, version: tuple[str, bool]) -> None:
    assert module_version(text) == version


@pytest.mark.parametrize(
    "nvml",
    [
        {"driver": "580.159.04", "nvml": "13.580.159.04", "gpus": []},
        {"error": "RM has detected an NVML/RM version mismatch.", "code": 18},
    ],
)
def test_a_driver_updated_without_a_reboot_is_a_failure(tmp_path: Path, nvml: dict[str, Any]) -> None:
    root = files_below(tmp_path, {MODULE: PROPRIETARY})
    check = only(check_driver(root, {"gpus": [CUDA]}, nvml, "python3"), "driver")
    assert check.status == FAILURE
    assert "550.54.15" in check.found
    assert "reboot" in check.advice


def test_a_whole_driver_is_well(tmp_path: Path) -> None:
    root = files_below(tmp_path, {MODULE: OPEN})
    nvml = {"driver": "580.159.04", "nvml": "13.580.159.04", "gpus": [FACTS]}
    checks = check_driver(root, {"gpus": [CUDA]}, nvml, "python3")
    assert [check.status for check in checks] == [OK, OK, OK]
    assert checks[0].found == "580.159.04 (open kernel module)"


def test_a_missing_binding_is_a_warning_with_its_install_line(tmp_path: Path) -> None:
    root = files_below(tmp_path, {MODULE: OPEN})
    check = only(check_driver(root, {"gpus": [CUDA]}, {"error": "No module", "code": -1}, "/v/python"), "NVML")
    assert check.status == WARNING
    assert check.advice.startswith("$ /v/python -m pip install nvidia-ml-py\n")


@pytest.mark.parametrize(
    ("cuda", "advice"),
    [
        ({"error": "CUDA does not start: CUDA_ERROR_SYSTEM_NOT_READY: system not yet initialized"}, "802"),
        ({"error": "no NVIDIA driver: libcuda.so.1 was not found"}, "--gpus all"),
        ({"error": "CUDA does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: x"}, "reboot"),
        ({"gpus": []}, "CUDA_VISIBLE_DEVICES"),
        ({"gpus": [{**CUDA, "driver_version": "11.4"}]}, "525"),
    ],
)
def test_a_cuda_that_does_not_start_is_explained(tmp_path: Path, cuda: dict[str, Any], advice: str) -> None:
    root = files_below(tmp_path, {MODULE: OPEN})
    check = only(check_driver(root, cuda, {"error": "No module", "code": -1}, "python3"), "CUDA")
    assert check.status == FAILURE
    assert advice in check.advice


def test_every_cuda_error_has_advice() -> None:
    assert advice_for("CUDA_ERROR_SOMETHING_NEW")


def test_no_driver_is_nothing_to_do_unless_a_gpu_lies_idle(tmp_path: Path) -> None:
    nothing = {"error": "no NVIDIA driver: libcuda.so.1 was not found"}
    assert not is_present(tmp_path, nothing)
    assert [check.status for check in check_absence(tmp_path)] == [NOT_APPLICABLE]
    place = "sys/bus/pci/devices/0000:01:00.0/"
    files_below(tmp_path, {f"{place}vendor": "0x10de\n", f"{place}class": "0x030200\n"})
    assert [check.status for check in check_absence(tmp_path)] == [FAILURE]
    assert is_present(files_below(tmp_path, {MODULE: OPEN}), nothing)


# ------------------------------------------------------------------------------------------ libraries


def cupy(driver_cuda: str, **facts: Any) -> Check:
    (check,) = check_cupy(facts, driver_cuda, "python3")
    return check


def test_a_missing_cupy_comes_with_the_line_for_this_driver() -> None:
    missing = {"packages": [], "missing": "ModuleNotFoundError: No module named 'cupy'"}
    assert cupy("13.0", **missing).advice == '$ python3 -m pip install "cupy-cuda13x[ctk]" nvidia-ml-py'
    assert cupy("12.8", **missing).advice == '$ python3 -m pip install "cupy-cuda12x[ctk]" nvidia-ml-py'


def test_a_cupy_built_for_a_newer_cuda_than_the_drivers_is_a_failure() -> None:
    check = cupy("12.8", packages=["cupy-cuda13x 14.2.0"], version="14.2.0", runtime=13000, failed={"a sum": "x"})
    assert check.status == FAILURE
    assert "the driver runs CUDA 12.8 at most" in check.found
    assert check.advice.splitlines()[:2] == [
        "$ python3 -m pip uninstall cupy-cuda13x",
        '$ python3 -m pip install "cupy-cuda12x[ctk]" nvidia-ml-py',
    ]


def test_a_cupy_of_an_older_cuda_runs_on_a_newer_driver() -> None:
    check = cupy("13.0", packages=["cupy-cuda12x 13.6.0"], version="13.6.0", runtime=12090, failed={})
    assert (check.status, check.found.startswith("cupy-cuda12x 13.6.0, CUDA 12")) == (OK, True)


def test_two_cupys_and_one_that_cannot_compute_are_failures() -> None:
    two = cupy("13.0", packages=["cupy-cuda12x 13.6.0", "cupy-cuda13x 14.2.0"], version="14.2.0", failed={})
    assert (two.status, "more than one" in two.found) == (FAILURE, True)
    broken = cupy(
        "13.0", packages=["cupy-cuda13x 14.2.0"], version="14.2.0", failed={"a matrix product": "no libcublas"}
    )
    assert (broken.status, "a matrix product fails: no libcublas" in broken.found) == (FAILURE, True)


@pytest.mark.parametrize(
    ("capability", "status", "advice"), [(90, OK, ""), (70, FAILURE, "CUDA 12"), (200, FAILURE, "a newer NVRTC")]
)
def test_an_nvrtc_that_does_not_build_for_this_gpu_is_a_failure(capability: int, status: str, advice: str) -> None:
    facts = {"version": "13.0", "path": "/lib/libnvrtc.so.13", "architectures": [75, 80, 90, 120]}
    check = check_nvrtc(facts, [capability], "python3")
    assert check.status == status
    assert advice in check.advice


def test_a_missing_nvrtc_matters_only_where_there_is_a_gpu() -> None:
    facts = {"error": "NVRTC was not found: pip install nvidia-cuda-nvrtc (CUDA 13) or nvidia-cuda-nvrtc-cu12"}
    assert check_nvrtc(facts, [], "python3").status == NOT_APPLICABLE
    missing = check_nvrtc(facts, [90], "python3")
    assert (missing.status, missing.advice) == (FAILURE, "$ python3 -m pip install nvidia-cuda-nvrtc")


@pytest.mark.parametrize(
    ("params", "capabilities", "allowed"),
    [
        ("RmLogonRC: 1\nRmProfilingAdminOnly: 1\n", "000001ffffffffff", True),  # root
        ("RmLogonRC: 1\nRmProfilingAdminOnly: 1\n", "00000000a80425fb", False),  # root in a container
        ("RmLogonRC: 1\nRmProfilingAdminOnly: 1\n", "0000000000000000", False),
        ("RmLogonRC: 1\nRmProfilingAdminOnly: 0\n", "0000000000000000", True),
        ("", "000001ffffffffff", False),
    ],
)
def test_counters_are_for_administrators_unless_the_driver_says_otherwise(
    params: str, capabilities: str, allowed: bool
) -> None:
    status = f"Name:\tpython3\nCapPrm:\t{capabilities}\nCapEff:\t{capabilities}\n"
    assert (counters_refused(params, status) is None) is allowed
