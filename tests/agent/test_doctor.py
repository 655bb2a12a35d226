"""The doctor: real children and a real report from this machine, and texts of other machines judged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import Host
from tests.agent.file_trees import files_below
from tunetui.engines.archive import agent_archive
from tunetui_agent.asking import ask_child
from tunetui_agent.build.nvrtc import Nvrtc, NvrtcError, find_nvrtc
from tunetui_agent.doctor import host as host_checks
from tunetui_agent.doctor.checks import FAILURE, NOT_APPLICABLE, OK, WARNING
from tunetui_agent.doctor.cuda_proof import CUDA_SOURCE, PTX, expected
from tunetui_agent.doctor.driver import is_present, pci_gpus
from tunetui_agent.doctor.limits import cpu_quota, memory_limit_bytes, throttled_percent
from tunetui_agent.doctor.parts import ask_part

HAS_GPU = is_present(Path("/"), ask_part("gpus"))
EXAMINED = {
    "Python",
    "NumPy",
    "machine",
    "/proc",
    "folder",
    "disk",
    "cores",
    "load",
    "memory",
    "CPU governor",
    "logout",
}


# ------------------------------------------------------------------------------------------ this machine


def test_this_machine_is_examined_and_every_complaint_comes_with_advice(host: Host) -> None:
    answer = host.ask("doctor")
    assert answer["ok"] is True
    checks = answer["checks"]
    assert {check["name"] for check in checks if check["section"] == "Host"} == EXAMINED
    assert {check["status"] for check in checks} <= {OK, WARNING, FAILURE, NOT_APPLICABLE}
    assert all(check["found"] for check in checks)
    assert [check for check in checks if check["status"] in (WARNING, FAILURE) and not check["advice"]] == []
    places = [(check["section"], check["name"]) for check in checks]
    assert len(places) == len(set(places))
    assert "NVRTC" in {check["name"] for check in checks}


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_without_a_gpu_the_driver_is_one_line_that_does_not_apply(host: Host) -> None:
    checks = [check for check in host.ask("doctor")["checks"] if check["section"] not in ("Host", "Compilers")]
    assert [(check["status"], check["found"]) for check in checks] == [
        (NOT_APPLICABLE, "no NVIDIA driver on this machine: its CPU can be measured")
    ]


def test_asking_for_the_cpu_alone_does_not_speak_of_gpus(host: Host) -> None:
    sections = {check["section"] for check in host.ask("doctor", "--device", "cpu")["checks"]}
    assert sections == {"Host", "Compilers"}


def test_a_gpu_that_is_not_there_is_a_failure_that_names_what_is(host: Host) -> None:
    checks = host.ask("doctor", "--device", "GPU-none")["checks"]
    (missing,) = [check for check in checks if check["name"] == "device"]
    assert missing["status"] == FAILURE
    assert missing["advice"].startswith("there is: cpu")


def test_a_python_without_libraries_is_told_what_to_install(tmp_path: Path) -> None:
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(agent_archive())
    bare = Host(tmp_path / "host", (sys.executable, "-I", "-S", str(archive)))
    (numpy,) = [check for check in bare.ask("doctor")["checks"] if check["name"] == "NumPy"]
    assert numpy["status"] == FAILURE
    assert numpy["advice"] == f"$ {sys.executable} -m pip install numpy"


def test_examining_makes_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert host_checks.check_folder(folder).status == OK
    assert host_checks.check_disk(folder, Path("/")).status in (OK, WARNING)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_can_write_to_is_a_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    check = host_checks.check_folder(tmp_path)
    assert check.status == FAILURE
    assert "0777" in check.found
    tmp_path.chmod(0o700)
    assert host_checks.check_folder(tmp_path).status == OK


# ------------------------------------------------------------------------------------------ children


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_question_that_hangs_is_killed_and_said() -> None:
    answer = ask_child(python("import signal; signal.pause()"), timeout_seconds=0.2)
    assert answer == {"error": "no answer within 0.2 s", "hung": True}


def test_a_question_that_crashes_is_said_with_its_last_words() -> None:
    answer = ask_child(python("import os, sys; sys.stderr.write('Xid 79'); sys.stderr.flush(); os.abort()"), 60)
    assert answer == {"error": "the process that asked killed by SIGABRT: Xid 79"}


def test_noise_before_an_answer_is_overlooked() -> None:
    assert ask_child(python("""print("libfoo: loaded"); print('{"version": "13.0"}')"""), 60) == {"version": "13.0"}


def test_an_answer_that_is_no_object_is_an_error() -> None:
    assert "exited with status 0" in ask_child(python("print([1])"), 60)["error"]


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "No such file" in ask_child([str(tmp_path / "none")], 60)["error"]


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_the_proofs_fail_in_words_without_a_driver() -> None:
    assert "libcuda" in ask_part("driver-proof")["error"]
    assert "libcuda" in ask_part("nvrtc-proof")["error"]
    assert "libcuda" in ask_part("gpus")["error"]


@pytest.mark.skipif(not HAS_GPU, reason="this machine has no GPU")
def test_cuda_is_proved_on_every_gpu_and_each_is_examined(host: Host) -> None:
    checks = host.ask("doctor")["checks"]
    gpus = {check["section"] for check in checks if check["section"].startswith("GPU ") and check["name"] == "device"}
    assert len(gpus) == len(ask_part("gpus")["gpus"])
    proofs = [check for check in checks if check["name"] in ("CUDA runs", "NVRTC runs")]
    assert [check["status"] for check in proofs] == [OK] * 2 * len(gpus), proofs


# ------------------------------------------------------------------------------------------ the proof itself


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    try:
        return find_nvrtc()
    except NvrtcError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("architecture", ["sm_80", "sm_86", "sm_89", "sm_90"])
def test_the_proofs_kernel_builds_for_every_gpu_we_name(nvrtc: Nvrtc, architecture: str) -> None:
    compiled = nvrtc.compile(CUDA_SOURCE, "proof.cu", {}, [f"-arch={architecture}", "-default-device"])
    assert compiled.cubin, compiled.log


def test_the_proofs_ptx_is_taken_by_the_assembler(tmp_path: Path) -> None:
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        pytest.skip("no ptxas on PATH")
    source = tmp_path / "proof.ptx"
    source.write_bytes(PTX)
    command = [ptxas, "-arch=sm_90", str(source), "-o", str(tmp_path / "proof.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_proof_expects_what_the_source_computes() -> None:
    numbers = expected()
    assert len(numbers) == 1024
    assert numbers[0] == 1013904223
    assert numbers[3] == (3 * 1664525 + 1013904223) % 2**32
    assert len(set(numbers)) == 1024
    assert b"1664525" in PTX
    assert "1664525u" in CUDA_SOURCE


# ------------------------------------------------------------------------------------------ other machines' texts

# A virtual machine with cgroup v1 whose processes sit in a group of their own.
CGROUP_V1 = "9:name=systemd:/\n5:devices:/\n4:memory:/api/6e6f\n3:cpuset:/\n2:cpu,cpuacct:/\n0::/\n"


def test_the_tightest_of_nested_groups_limits(tmp_path: Path) -> None:
    root = files_below(tmp_path, {
        "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
        "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "8589934592\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/cpu.max": "400000 100000\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/memory.max": "max\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/cpu.stat":
            "usage_usec 812\nnr_periods 200\nnr_throttled 50\n",
    })  # fmt: skip
    assert cpu_quota(root) == 1.5
    assert memory_limit_bytes(root) == 8 << 30
    assert throttled_percent(root) == 25.0


def test_a_containers_group_is_the_mount_itself_where_its_name_is_the_hosts(tmp_path: Path) -> None:
    root = files_below(tmp_path, {
        "proc/self/cgroup": "0::/docker/4f2a\n",
        "sys/fs/cgroup/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/memory.max": "4294967296\n",
    })  # fmt: skip
    assert cpu_quota(root) == 2.0
    assert memory_limit_bytes(root) == 4 << 30


def test_limits_of_cgroup_v1_are_read_and_its_huge_number_is_no_limit(tmp_path: Path) -> None:
    root = files_below(tmp_path, {
        "proc/self/cgroup": CGROUP_V1,
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    })  # fmt: skip
    assert cpu_quota(root) is None
    assert memory_limit_bytes(root) is None
    files_below(root, {"sys/fs/cgroup/memory/api/6e6f/memory.limit_in_bytes": "25769803776\n"})
    assert memory_limit_bytes(root) == 24 << 30


def test_a_quota_is_a_warning_that_says_how_often_it_hurt(tmp_path: Path) -> None:
    root = files_below(tmp_path, {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
        "sys/fs/cgroup/cpu.stat": "nr_periods 1000\nnr_throttled 120\n",
    })  # fmt: skip
    check = host_checks.check_cores(root)
    assert check.status == WARNING
    assert "limited to 0.5 cores' worth of time, held back in 12 % of periods" in check.found


@pytest.mark.parametrize(
    ("governors", "status", "found"),
    [
        ([], NOT_APPLICABLE, "not visible here"),
        (["performance", "performance"], OK, "performance on 2"),
        (["powersave", "performance"], WARNING, "performance on 1, powersave on 1 of 2 CPUs"),
    ],
)
def test_a_clock_that_follows_the_load_is_a_warning(
    tmp_path: Path, governors: list[str], status: str, found: str
) -> None:
    place = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
    files_below(tmp_path, {place.format(cpu): f"{name}\n" for cpu, name in enumerate(governors)})
    check = host_checks.check_governor(tmp_path)
    assert check.status == status
    assert found in check.found


DEBIAN = "[Login]\n#NAutoVTs=6\n#KillUserProcesses=no\n#KillExcludeUsers=root\n"
DROP_IN = "systemd/logind.conf.d/50-kill.conf"


@pytest.mark.parametrize(
    ("files", "user", "dies"),
    [
        ({"etc/systemd/logind.conf": DEBIAN}, "ann", False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}, "ann", True),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}, "root", False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\nKillExcludeUsers=ann\n"}, "ann", False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\nKillOnlyUsers=bob\n"}, "ann", False),
        ({"etc/systemd/logind.conf": DEBIAN, f"usr/lib/{DROP_IN}": "[Login]\nKillUserProcesses=yes\n"}, "ann", True),
        ({f"usr/lib/{DROP_IN}": "KillUserProcesses=yes\n", f"etc/{DROP_IN}": "KillUserProcesses=no\n"}, "ann", False),
        ({}, "ann", False),
    ],
)
def test_whether_a_run_outlives_its_login_is_read_as_logind_reads_it(
    tmp_path: Path, files: dict[str, str], user: str, dies: bool
) -> None:
    assert host_checks.dies_at_logout(user, files_below(tmp_path, files)) is dies


MOUNTS = """\
23 28 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
28 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard
71 28 0:45 / /lambda/nfs/my\\040data rw,relatime shared:90 - nfs4 10.0.0.2:/x rw,vers=4.2
80 28 0:50 / /home rw,nosuid,noexec - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "option"),
    [("/root/.cache", "ext4", "rw"), ("/lambda/nfs/my data/x", "nfs4", "rw"), ("/home/ann/.cache", "xfs", "noexec")],
)
def test_the_mount_that_holds_a_folder_is_the_innermost(path: str, kind: str, option: str) -> None:
    found, options = host_checks.mount_of(Path(path), MOUNTS)
    assert found == kind
    assert option in options


def test_memory_is_what_is_available_and_what_the_container_allows(tmp_path: Path) -> None:
    root = files_below(tmp_path, {
        "proc/meminfo": "MemTotal:       24684084 kB\nMemFree:        22999256 kB\nMemAvailable:   23851196 kB\n",
        "proc/self/cgroup": "0::/\n",
    })  # fmt: skip
    assert host_checks.check_memory(root).found == "22.7 GiB available of 23.5 GiB"
    files_below(root, {"sys/fs/cgroup/memory.max": str(512 << 20)})
    assert host_checks.check_memory(root).status == WARNING


def test_an_unmounted_proc_is_named(tmp_path: Path) -> None:
    check = host_checks.check_proc(tmp_path)
    assert check.status == WARNING
    assert "/proc/sys/kernel/random/boot_id" in check.found


def test_nvidia_cards_on_the_bus_are_found_and_other_devices_are_not(tmp_path: Path) -> None:
    devices: dict[str, Any] = {
        "0000:00:02.0": ("0x8086", "0x030000"),  # another vendor's display
        "0000:01:00.0": ("0x10de", "0x030200"),  # a data-centre GPU
        "0000:01:00.1": ("0x10de", "0x040300"),  # the sound of one
    }
    place = "sys/bus/pci/devices/{}/{}"
    for name, (vendor, kind) in devices.items():
        files_below(tmp_path, {place.format(name, "vendor"): f"{vendor}\n", place.format(name, "class"): f"{kind}\n"})
    assert pci_gpus(tmp_path) == ["0000:01:00.0"]
