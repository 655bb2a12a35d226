"""Takes one trial from its artifact to its figure: load, verify, warm up, sample, verify again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tunetui_agent.devices import Execution, OpenDevice
from tunetui_agent.faults import TrialFault
from tunetui_agent.measure import Sampling, Warmth, measure
from tunetui_agent.messages import (
    Implementation,
    Method,
    RunSpec,
    Trial,
    TrialFailed,
    TrialMeasured,
    TrialProgressed,
    reference_to,
)
from tunetui_agent.remeasuring import to_precision
from tunetui_agent.revisits import second_look
from tunetui_agent.sentinels import brief
from tunetui_agent.throttling import first_unthrottled
from tunetui_agent.verify import InputSet, Oracle


@dataclass(frozen=True)
class Prepared:
    """A trial's kernel, loaded, verified on fresh inputs and bound to the inputs that it is timed on."""

    trial: Trial
    artifact: str  # its name; empty where nothing is built
    execution: Execution
    inputs: InputSet
    quality: dict[str, float]
    seconds: float  # that all this took
    verify_seconds: float  # of which: inputs, reference and checks


class Evaluator:
    """Measures the trials of one run on one device, one at a time, in the worker child."""

    def __init__(self, spec: RunSpec, device: OpenDevice, references: Path | None = None) -> None:
        """``references`` is a folder for what the run's next worker can take over (`Oracle`)."""
        self._spec = spec
        self._device = device
        self._oracle = Oracle(spec, references=references)
        self._warmth = Warmth()
        self._implementations = {i.name: i for i in spec.kernel.implementations}

    def evaluate(
        self,
        trial: Trial,
        artifact: str | None,
        progress: Callable[[TrialProgressed], None],
        stage: str = "sweep",
        precision_percent: float | None = None,
    ) -> TrialMeasured | TrialFailed:
        """Verifies and times a trial.

        Args:
            artifact: folder of the built artifact (`Builder.folder`), None where the language needs no build.
            progress: called at most four times a second while sampling.
            stage: "sweep", "sentinel" for a brief look, "remeasured" for one that ``precision_percent`` makes longer, or
                "revisit" for a second visit, which is verified on the timing inputs alone: its process has no others yet.

        Returns:
            The samples, or why there are none.  ``build_seconds`` is left to the supervisor.
        """
        begun = time.perf_counter()
        try:
            prepared = self.prepare(trial, artifact, is_known=stage == "revisit")
            method = to_precision(self._spec.method, precision_percent)
            method = {"sentinel": brief, "revisit": second_look}.get(stage, replace)(method)
            seconds = method.trial_timeout_seconds / 2 - (time.perf_counter() - begun)
            (sampling,) = first_unthrottled(
                lambda: [self._sample(prepared, method, progress)], method.throttle_retries, seconds
            )
            return self.conclude(prepared, sampling, stage, time.perf_counter() - begun)
        except TrialFault as fault:
            return self.failed(trial, fault, stage, time.perf_counter() - begun, artifact)

    def foresee(self, trial: Trial) -> None:
        """Makes what every trial of this one's problem needs.  A fault is left for the first of them to find again."""
        with contextlib.suppress(TrialFault):
            self._oracle.foresee(trial)

    def prepare(self, trial: Trial, artifact: str | None, *, is_known: bool = False) -> Prepared:
        """Loads and verifies a trial's kernel, ready for timing.  Raises `TrialFault`.

        One that was found right on fresh inputs before (``is_known``) is verified on those that it is timed on.
        """
        begun = time.perf_counter()
        execution = self._device.prepare(self._spec, self._implementation(trial), trial, artifact)
        loaded = time.perf_counter()
        inputs = self._oracle.timing_inputs(trial)
        quality = self._verify(trial, execution, inputs if is_known else self._oracle.verification_inputs(trial))
        verified = time.perf_counter()
        execution.bind(inputs)
        execution.poison()
        name, seconds = Path(artifact).name if artifact else "", time.perf_counter() - begun
        return Prepared(trial, name, execution, inputs, quality, seconds, verified - loaded)

    def conclude(self, prepared: Prepared, sampling: Sampling, stage: str, seconds: float) -> TrialMeasured:
        """Verifies what the timed executions left behind; the figure.  Raises `TrialFault`.

        ``seconds`` is what the trial took so far, all included.
        """
        begun = time.perf_counter()
        self._judge(prepared.trial, prepared.execution, prepared.inputs, "after timing: ")
        judged = time.perf_counter() - begun
        sampled = sampling.warmup_seconds + sampling.sampling_seconds
        return TrialMeasured(
            trial=reference_to(prepared.trial),
            samples_ns=sampling.samples_ns,
            stopped_by=sampling.stopped_by,
            warmups=sampling.warmups,
            quality=prepared.quality,
            build_seconds=None,
            seconds=seconds + judged,
            sampling_seconds=sampled,
            verify_seconds=prepared.verify_seconds + judged,
            stage=stage,
            artifact=prepared.artifact,
            resources=prepared.execution.resources(),
            telemetry=sampling.telemetry,
            tags=[
                *sampling.tags,
                *prepared.execution.tags(),
                *(["baseline"] if self._implementation(prepared.trial).baseline else []),
            ],
        )

    def verify_again(self, prepared: Prepared) -> None:
        """Looks at what the last executions left, then runs once on fresh inputs and judges.  Raises `TrialFault`."""
        damage = prepared.execution.damage()
        if damage:
            raise TrialFault("wrong", damage)
        self._verify(prepared.trial, prepared.execution, self._oracle.verification_inputs(prepared.trial))
        prepared.execution.bind(prepared.inputs)

    def bound_again(self, prepared: Prepared) -> Prepared:
        """After a fault: bound to the inputs that it is timed on, which are made anew where the kernel damaged them."""
        self._oracle.discard_damaged()
        inputs = self._oracle.timing_inputs(prepared.trial)
        prepared.execution.bind(inputs)
        prepared.execution.poison()
        return replace(prepared, inputs=inputs)

    def failed(self, trial: Trial, fault: TrialFault, stage: str, seconds: float, artifact: str | None) -> TrialFailed:
        """The outcome that a fault means; inputs that the kernel damaged are made anew for the next one."""
        self._oracle.discard_damaged()
        return TrialFailed(
            trial=reference_to(trial),
            status=fault.status,
            cause=fault.cause,
            detail=fault.detail,
            quality=fault.quality,
            seconds=seconds,
            stage=stage,
            artifact=Path(artifact).name if artifact else "",
        )

    def _implementation(self, trial: Trial) -> Implementation:
        if trial.implementation not in self._implementations:
            raise TrialFault("unsupported", f"the run's kernel has no implementation {trial.implementation!r}")
        return self._implementations[trial.implementation]

    def _verify(self, trial: Trial, execution: Execution, inputs: InputSet) -> dict[str, float]:
        """One execution on these inputs, judged; returns the check's figures."""
        execution.bind(inputs)
        execution.poison()
        execution.run()
        return self._judge(trial, execution, inputs, "")

    def _judge(self, trial: Trial, execution: Execution, inputs: InputSet, when: str) -> dict[str, float]:
        damage = execution.damage()
        if damage:
            raise TrialFault("wrong", when + damage)
        try:
            qualities = [self._oracle.judge(trial, inputs, outputs) for outputs in execution.outputs()]
        except TrialFault as fault:
            raise TrialFault(fault.status, when + fault.cause, fault.detail, fault.quality) from fault
        return qualities[0]

    def _sample(self, prepared: Prepared, method: Method, progress: Callable[[TrialProgressed], None]) -> Sampling:
        def speak(count: int, median_ns: float, half_width_percent: float | None) -> None:
            trial = prepared.trial.id
            progress(
                TrialProgressed(trial=trial, samples=count, median_ns=median_ns, half_width_percent=half_width_percent)
            )

        return measure(self._device, prepared.execution, method, speak, self._warmth)
