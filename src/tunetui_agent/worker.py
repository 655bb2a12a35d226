"""The worker child: opens the device and measures one trial, or races several, as its supervisor says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunetui_agent.collecting import collect_as_usual
from tunetui_agent.folder import RunFolder
from tunetui_agent.lifeline import Lifeline, live_and_die_with, read_spec, read_trials
from tunetui_agent.messages import TrialFailed, TrialMeasured, TrialRef, Value, reference_to

if TYPE_CHECKING:
    from pathlib import Path

    from tunetui_agent.devices import OpenDevice
    from tunetui_agent.evaluate import Evaluator
    from tunetui_agent.messages import RunSpec, Trial

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
"""Set to 1 in the worker's environment before NumPy is loaded: threads are an axis of the kernel, not of its library."""


def main(spec_path: Path, supervisor: int) -> int:
    """Serve until the supervisor closes the pipe."""
    live_and_die_with(supervisor, runs_foreign_code=True)
    line = Lifeline()
    spec = read_spec(spec_path)
    try:
        device, evaluator = _open(spec, RunFolder(spec_path.parent).references)
    except (LookupError, ImportError) as error:
        line.send({"say": "refused", "cause": _refusal(error)})
        return 3
    collect_as_usual()
    line.send({
        "say": "ready",
        "device": _described(device),
        "target": asdict(device.target),
        "eviction": device.eviction,
    })  # fmt: skip
    for message in line.messages():
        if message["do"] == "measure":
            last = _measure(line, device, evaluator, spec, message)
        elif message["do"] == "race":
            last = _race(line, device, evaluator, spec, message)
        elif message["do"] == "foresee":
            evaluator.foresee(*read_trials([message["trial"]]))
            continue
        elif message["do"] == "examine":
            last = _examine(line, device, evaluator, spec, message)
        else:
            continue  # a race that was asked to end had ended
        if last:
            break
    return 0


def _measure(line: Lifeline, device: OpenDevice, evaluator: Evaluator, spec: RunSpec, message: dict[str, Any]) -> bool:
    """One trial; whether it was the last that this process can measure."""
    (trial,) = read_trials([message["trial"]])
    outcome = evaluator.evaluate(
        trial,
        message["artifact"],
        lambda event: _tell(line, "progress", event),
        message["stage"],
        message.get("precision_percent"),
    )
    last = _is_lost(device)
    if isinstance(outcome, TrialMeasured):
        _tell_ceilings(line, device, spec, message)
    try:
        _tell(line, "outcome", outcome, last=last)
    except ValueError:
        _tell(line, "outcome", _not_finite(trial, message["stage"]), last=last)
    return last


def _race(line: Lifeline, device: OpenDevice, evaluator: Evaluator, spec: RunSpec, message: dict[str, Any]) -> bool:
    """All finalists in turns: their outcomes one by one, then what became of the race."""
    from tunetui_agent.race import Race

    trials = read_trials(message["trials"])
    race = Race(evaluator, device, spec.method, lambda event: _tell(line, "progress", event), line.is_called)
    result = race.run(list(zip(trials, message["artifacts"], strict=True)))
    if result.outcomes:
        _tell_ceilings(line, device, spec, message)
    for outcome in result.outcomes:
        try:
            _tell(line, "outcome", outcome)
        except ValueError:
            result.dropped[outcome.trial.id] = _not_finite(outcome.trial, "finalists").cause
    last = _is_lost(device)
    line.send({
        "say": "raced",
        "settled_by": result.settled_by,
        "rounds": result.rounds,
        "dropped": result.dropped,
        "last": last,
    })  # fmt: skip
    return last


def _examine(line: Lifeline, device: OpenDevice, evaluator: Evaluator, spec: RunSpec, message: dict[str, Any]) -> bool:
    """Rows whose times stand, looked at once more: each one's figures, then that it is over."""
    from tunetui_agent.examine import Examiner

    def say(event: Any) -> None:
        line.send({"say": "examining", "kind": type(event).__name__, "event": asdict(event) if event else None})

    trials = read_trials(message["trials"])
    examiner = Examiner(spec, device, evaluator, say, line.is_called)
    examiner.examine(message["what"], list(zip(trials, message["artifacts"], strict=True)))
    last = _is_lost(device)
    line.send({"say": "examined", "last": last})
    return last


def _tell_ceilings(line: Lifeline, device: OpenDevice, spec: RunSpec, message: dict[str, Any]) -> None:
    """What the device can do at most, before the first figure that is held against it; nothing waits for it to begin."""
    if not message["ceilings"] or _is_lost(device):
        return
    line.send({"say": "describing"})
    figures: dict[str, Value] = {"ceiling_reason": "n/a: method.ceilings is none"}
    try:
        if spec.method.ceilings != "none":
            figures = device.ceilings()
    except (OSError, RuntimeError, MemoryError) as error:  # what is on the device leaves no room for it, say
        figures = {"ceiling_reason": f"n/a: {' '.join(str(error).split())[:200]}"}
    line.send({"say": "ceilings", "figures": figures})


def _described(device: OpenDevice) -> dict[str, Any]:
    """The device, and how its energy can be measured or why not."""
    from tunetui_agent.devices.energy import meter_details

    described = asdict(device.device)
    described["details"] |= meter_details(device)
    return described


def _is_lost(device: OpenDevice) -> bool:
    """Whether a kernel poisoned this process's context: it is lost for good, and the next trial gets a new process."""
    return not getattr(device, "usable", True)


def _not_finite(trial: Trial | TrialRef, stage: str) -> TrialFailed:
    cause = "the trial's figures are not all finite"
    ref = trial if isinstance(trial, TrialRef) else reference_to(trial)
    return TrialFailed(trial=ref, status="errored", cause=cause, stage=stage)


def _open(spec: RunSpec, references: Path) -> tuple[OpenDevice, Evaluator]:
    # Both load NumPy, which a bare host may lack.
    import numpy  # noqa: F401, ICN001 - said at once, not by the first trial

    from tunetui_agent.devices import open_device
    from tunetui_agent.evaluate import Evaluator

    device = open_device(spec.device)
    return device, Evaluator(spec, device, references)


def _refusal(error: LookupError | ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        return f"{top} is missing: pip install {top}"
    return str(error.args[0]) if error.args else type(error).__name__


def _tell(line: Lifeline, what: str, event: Any, *, last: bool = False) -> None:
    line.send({"say": what, "kind": type(event).__name__, "event": asdict(event), "last": last})
