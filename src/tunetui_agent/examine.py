"""Looks once more at trials that were measured, in the worker: energy, hardware counters through ncu, a run under load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tunetui_agent.devices.energy import REASON, measure_energy
from tunetui_agent.examined import COUNTERS, ENERGY, TrialExamined
from tunetui_agent.faults import TrialFault
from tunetui_agent.reliability import RELIABILITY, ReliabilityEnded, ReliabilitySampled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tunetui_agent.devices import OpenDevice
    from tunetui_agent.evaluate import Evaluator
    from tunetui_agent.messages import RunSpec, Trial, Value


class Examiner:
    """What cannot be found out is said as a reason; no examination changes a time."""

    def __init__(
        self,
        spec: RunSpec,
        device: OpenDevice,
        evaluator: Evaluator,
        say: Callable[[TrialExamined | ReliabilitySampled | ReliabilityEnded | None], None],
        asked_to_end: Callable[[], bool],
    ) -> None:
        """``say`` is told what was found, and None as a sign of life."""
        self._spec, self._device, self._evaluator = spec, device, evaluator
        self._say, self._asked_to_end = say, asked_to_end

    def examine(self, what: str, trials: Sequence[tuple[Trial, str | None]]) -> None:
        """Examine trials of one problem, each given with its artifact's folder."""
        if what == ENERGY:
            for trial, artifact in trials:
                if self._asked_to_end():
                    return
                begun = time.perf_counter()
                figures = self._energy(trial, artifact)
                self._say(TrialExamined(trial=trial.id, what=what, telemetry=figures, seconds=_since(begun)))
        elif what == COUNTERS:
            self._counters(trials)
        elif what == RELIABILITY:
            from tunetui_agent.under_load import UnderLoad

            for trial, artifact in trials:
                load = UnderLoad(self._spec, self._device, self._evaluator, self._say, self._asked_to_end)
                load.run(trial, artifact)

    def _energy(self, trial: Trial, artifact: str | None) -> dict[str, Value]:
        """The kernel is verified as it is before timing, so that nobody learns the energy of something else."""
        try:
            meter = self._device.energy_meter()
            prepared = self._evaluator.prepare(trial, artifact)
            self._say(None)
            method = self._spec.method  # without a word for longer than a trial may take we are taken for dead
            seconds = min(method.energy_seconds, method.trial_timeout_seconds / 2)
            figures = measure_energy(meter, prepared.execution, seconds)
            damage = prepared.execution.damage()
        except TrialFault as fault:
            return {REASON: f"n/a: {fault.status}: {fault.cause}"}
        except OSError as error:
            return {REASON: f"n/a: {error}"}
        return {REASON: f"n/a: {damage}"} if damage else figures

    def _counters(self, trials: Sequence[tuple[Trial, str | None]]) -> None:
        from tunetui_agent.hardware_counters import Profiler

        begun = time.perf_counter()

        def goes_on() -> bool:
            self._say(None)
            return not self._asked_to_end()

        found = Profiler(self._spec, self._device).profile(trials, goes_on)
        share = _since(begun) / max(1, len(trials))
        for trial, _ in trials:
            self._say(TrialExamined(trial=trial.id, what=COUNTERS, resources=found[trial.id], seconds=round(share, 3)))


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)
