"""Takes one trial from its artifact to its figure: load, verify, warm up, sample, verify again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tunetui_agent.devices import Execution, OpenDevice
from tunetui_agent.faults import TrialFault
from tunetui_agent.measure import Sampling, measure
from tunetui_agent.messages import Implementation, RunSpec, Trial, TrialFailed, TrialMeasured, TrialProgressed, TrialRef
from tunetui_agent.verify import InputSet, Oracle


def trial_ref(trial: Trial) -> TrialRef:
    """The part of a trial that every event about it carries."""
    return TrialRef(
        id=trial.id,
        implementation=trial.implementation,
        problem=trial.problem,
        configuration=trial.configuration,
        provenance=trial.provenance,
    )


class Evaluator:
    """Measures the trials of one run on one device, one at a time, in the worker child."""

    def __init__(self, spec: RunSpec, device: OpenDevice) -> None:
        self._spec = spec
        self._device = device
        self._oracle = Oracle(spec)
        self._implementations = {i.name: i for i in spec.kernel.implementations}

    def evaluate(
        self, trial: Trial, artifact: str | None, progress: Callable[[TrialProgressed], None]
    ) -> TrialMeasured | TrialFailed:
        """Verifies and times a trial.

        Args:
            artifact: folder of the built artifact (`Builder.folder`), None where the language needs no build.
            progress: called at most four times a second while sampling.

        Returns:
            The samples, or why there are none.  ``build_seconds`` and ``stage`` are left to the supervisor.
        """
        begun = time.perf_counter()
        name = Path(artifact).name if artifact else ""
        try:
            return self._evaluate(trial, artifact, name, progress, begun)
        except TrialFault as fault:
            self._oracle.discard_damaged()
            return TrialFailed(
                trial=trial_ref(trial),
                status=fault.status,
                cause=fault.cause,
                detail=fault.detail,
                quality=fault.quality,
                seconds=time.perf_counter() - begun,
                artifact=name,
            )

    def _evaluate(
        self, trial: Trial, artifact: str | None, name: str, progress: Callable[[TrialProgressed], None], begun: float
    ) -> TrialMeasured:
        execution = self._device.prepare(self._spec, self._implementation(trial), trial, artifact)
        quality = self._verify(trial, execution)
        inputs = self._oracle.timing_inputs(trial)
        execution.bind(inputs)
        execution.poison()
        sampling = self._sample(trial, execution, progress)
        self._judge(trial, execution, inputs, "after timing: ")
        seconds = time.perf_counter() - begun
        sampled = sampling.warmup_seconds + sampling.sampling_seconds
        return TrialMeasured(
            trial=trial_ref(trial),
            samples_ns=sampling.samples_ns,
            stopped_by=sampling.stopped_by,
            warmups=sampling.warmups,
            quality=quality,
            build_seconds=None,
            seconds=seconds,
            sampling_seconds=sampled,
            verify_seconds=max(0.0, seconds - sampled),
            artifact=name,
            resources=execution.resources(),
            telemetry=sampling.telemetry,
            tags=[*sampling.tags, *(["baseline"] if self._implementation(trial).baseline else [])],
        )

    def _implementation(self, trial: Trial) -> Implementation:
        if trial.implementation not in self._implementations:
            raise TrialFault("unsupported", f"the run's kernel has no implementation {trial.implementation!r}")
        return self._implementations[trial.implementation]

    def _verify(self, trial: Trial, execution: Execution) -> dict[str, float]:
        """One execution on fresh inputs, judged; returns the check's figures."""
        inputs = self._oracle.verification_inputs(trial)
        execution.bind(inputs)
        execution.poison()
        execution.run()
        return self._judge(trial, execution, inputs, "")

    def _judge(self, trial: Trial, execution: Execution, inputs: InputSet, when: str) -> dict[str, float]:
        damage = execution.damage()
        if damage:
            raise TrialFault("wrong", when + damage)
        try:
            return self._oracle.judge(trial, inputs, execution.outputs())
        except TrialFault as fault:
            raise TrialFault(fault.status, when + fault.cause, fault.detail, fault.quality) from fault

    def _sample(self, trial: Trial, execution: Execution, progress: Callable[[TrialProgressed], None]) -> Sampling:
        def speak(count: int, median_ns: float, half_width_percent: float | None) -> None:
            progress(
                TrialProgressed(
                    trial=trial.id, samples=count, median_ns=median_ns, half_width_percent=half_width_percent
                )
            )

        return measure(self._device, execution, self._spec.method, speak)
