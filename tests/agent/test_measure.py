from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.agent.kernel_folders import QUICK, double_spec, double_trial, measured
from tunetui_agent.devices import open_device, probe
from tunetui_agent.devices.cpu import Cache, CpuDevice, caches, last_level_bytes, usable_cores, usable_cpus
from tunetui_agent.devices.eviction import Evictor
from tunetui_agent.devices.host_load import HostWatch, read_host_times
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.measure import Warmth
from tunetui_agent.messages import Argument, Method, TrialFailed, TrialMeasured, TrialProgressed, Value

COUNTING = """
import numpy as np
calls = []
def double(x, y, *, unroll):
    calls.append(1)
    np.multiply(x, 2, out=y)
"""


@pytest.fixture(scope="module")
def cpu() -> CpuDevice:
    device = open_device("cpu")
    assert isinstance(device, CpuDevice)
    return device


def measure_double(cpu: CpuDevice, method: Method, said: list[TrialProgressed] | None = None) -> TrialMeasured:
    tell = said.append if said is not None else lambda _: None
    return measured(Evaluator(double_spec(method=method), cpu).evaluate(double_trial(), None, tell))


def test_every_sample_is_kept_and_positive(cpu: CpuDevice) -> None:
    outcome = measure_double(cpu, replace(QUICK, precision_percent=0.0, max_samples=9, max_seconds=60.0))
    assert len(outcome.samples_ns) == 9
    assert min(outcome.samples_ns) > 0
    assert outcome.stopped_by == "max_samples"


def test_a_wide_enough_precision_stops_at_the_first_check(cpu: CpuDevice) -> None:
    outcome = measure_double(cpu, replace(QUICK, precision_percent=1e9, max_seconds=60.0))
    assert (len(outcome.samples_ns), outcome.stopped_by) == (QUICK.min_samples, "precision")


def test_the_time_budget_ends_sampling_once_the_median_has_an_interval(cpu: CpuDevice) -> None:
    outcome = measure_double(cpu, replace(QUICK, max_seconds=0.0, precision_percent=0.0))
    assert outcome.stopped_by == "max_seconds"
    assert len(outcome.samples_ns) == 6


def test_warm_up_runs_at_least_as_often_as_asked(cpu: CpuDevice) -> None:
    outcome = measure_double(cpu, replace(QUICK, warmup_samples=5, max_seconds=60.0))
    assert outcome.warmups == 5


def test_only_a_device_that_was_idle_is_warmed_up_for_the_seconds_asked(cpu: CpuDevice) -> None:
    method = replace(QUICK, warmup_samples=2, warmup_seconds=0.05, max_seconds=60.0)
    evaluator = Evaluator(double_spec(method=method), cpu)
    first, second = (measured(evaluator.evaluate(double_trial(), None, lambda _: None)) for _ in range(2))
    assert first.warmups > 2
    assert second.warmups == 2


def test_a_device_stays_warm_for_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    method, now = replace(QUICK, warmup_seconds=0.05), [100.0]
    monkeypatch.setattr("tunetui_agent.measure.time.perf_counter", lambda: now[0])
    warmth = Warmth()
    assert warmth.seconds_needed(method) == 0.05
    warmth.worked()
    now[0] += 0.25
    assert warmth.seconds_needed(method) == 0.0
    now[0] += 0.01
    assert warmth.seconds_needed(method) == 0.05


def test_warm_up_lasts_at_least_as_long_as_asked(cpu: CpuDevice) -> None:
    outcome = measure_double(cpu, replace(QUICK, warmup_samples=1, warmup_seconds=0.05, max_seconds=60.0))
    assert outcome.warmups > 1
    assert outcome.sampling_seconds >= 0.05


def test_sampling_and_verifying_are_parts_of_the_whole_trial(cpu: CpuDevice) -> None:
    outcome = measure_double(cpu, QUICK)
    assert outcome.sampling_seconds * 1e9 >= sum(outcome.samples_ns)
    assert outcome.verify_seconds > 0
    assert outcome.seconds > outcome.sampling_seconds + outcome.verify_seconds  # loading and allocating are neither


def test_progress_speaks_of_the_samples_so_far(cpu: CpuDevice) -> None:
    said: list[TrialProgressed] = []
    outcome = measure_double(cpu, replace(QUICK, precision_percent=0.0, max_samples=10**9, max_seconds=0.8), said)
    assert said
    assert all(0 < each.samples <= len(outcome.samples_ns) for each in said)
    assert [each.samples for each in said] == sorted(each.samples for each in said)


def test_the_conditions_of_the_measurement_are_told(cpu: CpuDevice) -> None:
    telemetry = measure_double(cpu, replace(QUICK, precision_percent=0.0, max_samples=10**9)).telemetry
    assert telemetry["call_overhead_ns"] != 0
    assert "load_average_1m" in telemetry
    assert isinstance(telemetry["other_load_percent"], float)


def test_the_kernel_is_called_once_per_sample_warm_up_and_verification(cpu: CpuDevice) -> None:
    import builtins

    source = COUNTING.replace("calls = []", "import builtins\ncalls = builtins.tunetui_calls = []")
    method = replace(QUICK, precision_percent=0.0, max_samples=7, max_seconds=60.0)
    outcome = measured(
        Evaluator(double_spec(source, method=method), cpu).evaluate(double_trial(), None, lambda _: None)
    )
    calls = builtins.tunetui_calls  # type: ignore[attr-defined]
    assert len(calls) == 1 + outcome.warmups + len(outcome.samples_ns)


def test_samples_begin_with_poisoned_outputs_and_with_the_scratch_that_the_execution_before_left(
    cpu: CpuDevice,
) -> None:
    import builtins

    source = """
import builtins
import numpy as np
builtins.tunetui_poisoned = []
def double(x, y, own, *, unroll):
    builtins.tunetui_poisoned.append((bool(np.isnan(y).all()), bool(np.isnan(own).any())))
    np.multiply(x, 2, out=y)
    own[:] = 0
"""
    method = replace(QUICK, min_samples=6, precision_percent=0.0, max_samples=7, max_seconds=60.0)
    spec, trial = double_spec(source, method=method), double_trial()
    (implementation,) = spec.kernel.implementations
    launch = replace(implementation.launches[0], arguments=["x", "y", "own"])
    scratch = Argument(name="own", role="scratch", dtype="float32")
    kernel = replace(
        spec.kernel,
        arguments=[*spec.kernel.arguments, scratch],
        implementations=[replace(implementation, launches=[launch])],
    )
    trial = replace(trial, shapes={**trial.shapes, "own": [4]})
    measured(Evaluator(replace(spec, kernel=kernel), cpu).evaluate(trial, None, lambda _: None))
    verified, warmed_up, *sampled = builtins.tunetui_poisoned  # type: ignore[attr-defined]
    assert verified == warmed_up == (True, True)
    assert sampled == [(True, False), *[(False, False)] * 5, (True, False)], "a batch of six, then one of one"


def test_cold_evicts_before_every_sample_and_hot_never(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = open_device("cpu")
    assert isinstance(cpu, CpuDevice)
    evictions: list[int] = []
    really = Evictor.evict

    def counted(evictor: Evictor) -> None:
        evictions.append(1)
        really(evictor)

    monkeypatch.setattr(Evictor, "evict", counted)
    method = replace(QUICK, precision_percent=0.0, max_samples=7, max_seconds=60.0)
    cold = measure_double(cpu, method)
    assert len(evictions) == len(cold.samples_ns)
    evictions.clear()
    measure_double(cpu, replace(method, cache="hot"))
    assert not evictions


def test_eviction_overwrites_twice_the_last_level_cache_from_every_core() -> None:
    cpus = usable_cpus()
    evictor = Evictor(cpus, last_level_bytes=3 << 20, private_bytes=1 << 20)
    assert evictor.size_bytes >= 2 * max(3 << 20, len(cpus) << 20)
    for number in (1, 2):
        evictor.evict()
        assert all(np.all(share == number) for share in evictor._shares)
    names = {thread.name for thread in threading.enumerate()}
    assert {f"evict-{cpu}" for cpu in cpus} <= names
    assert os.sched_getaffinity(0) == set(cpus)  # pinning the helpers has not pinned this thread


def test_the_open_cpu_says_how_it_evicts(cpu: CpuDevice) -> None:
    assert "before every sample" in cpu.eviction
    known = last_level_bytes(caches(usable_cpus()))
    assert ("assumed" in cpu.eviction) == (known == 0)
    assert cpu._evictor.size_bytes >= 2 * known


def test_the_probed_cpu_is_the_one_that_runs_this_test() -> None:
    (device,) = (found for found in probe() if found.id == "cpu")
    assert device.attributes["cores"] == usable_cores() <= len(os.sched_getaffinity(0))
    assert device.attributes["memory_bytes"] > 1 << 28
    assert device.name


def test_an_unknown_device_names_those_there_are() -> None:
    with pytest.raises(LookupError, match=r"no device 'GPU-none' .*cpu"):
        open_device("GPU-none")


def test_caches_are_counted_once_per_instance(tmp_path: Path) -> None:
    for cpu, shared in ((0, "0-1"), (1, "0-1"), (2, "2-3")):
        for index, (level, kind, size, who) in enumerate(
            [
                ("1", "Instruction", "32K", str(cpu)),
                ("2", "Unified", "1024K", str(cpu)),
                ("3", "Unified", "32M", shared),
            ]
        ):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            for name, text in (("level", level), ("type", kind), ("size", size), ("shared_cpu_list", who)):
                (folder / name).write_text(text + "\n")
    found = caches([0, 1, 2], tmp_path)
    assert Cache(3, "Unified", 32 << 20, frozenset({2, 3})) in found
    assert last_level_bytes(found) == 64 << 20
    assert [cache.level for cache in found] == [2, 2, 2, 3, 3]


def test_a_host_without_cache_files_is_told_apart_from_one_with_small_caches(tmp_path: Path) -> None:
    assert last_level_bytes(caches([0], tmp_path)) == 0


def test_host_times_count_user_system_and_steal_of_the_watched_cpus_only(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu 9 9 9 9 9 9 9 9 0 0\ncpu0 100 0 50 1000 7 0 0 30 0 0\ncpu1 900 0 0 0 0 0 0 900 0 0\n")
    times = read_host_times([0], stat)
    assert times is not None
    tick = os.sysconf("SC_CLK_TCK")
    assert (times.busy, times.steal) == (150 / tick, 30 / tick)


def test_no_share_of_time_is_claimed_over_too_few_ticks() -> None:
    figures, _ = HostWatch(usable_cpus()).finish([1] * 20)
    assert "other_load_percent" not in figures


def test_a_kernel_that_fails_while_it_is_timed_leaves_nothing_watching() -> None:
    class Watched(CpuDevice):
        finished = 0

        def watch(self) -> HostWatch:
            device = self

            class Counted(HostWatch):
                def finish(self, samples_ns: list[int]) -> tuple[dict[str, Value], list[str]]:
                    device.finished += 1
                    return super().finish(samples_ns)

            return Counted(usable_cpus())

    device = Watched()
    source = COUNTING.replace("    np.mult", "    1 / (len(calls) < 5)\n    np.mult")
    outcome = Evaluator(double_spec(source), device).evaluate(double_trial(), None, lambda _: None)
    assert isinstance(outcome, TrialFailed)
    assert "ZeroDivisionError" in outcome.cause
    assert device.finished == 1
