"""Runs measured trials once more, one execution of each, in a process that a profiler looks at."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tunetui_agent.faults import TrialFault
from tunetui_agent.lifeline import die_with_parent, read_trials
from tunetui_agent.messages import decode_spec

if TYPE_CHECKING:
    from pathlib import Path

WARM_UPS = 3


def replay(task: Path) -> int:
    """Replay what the task's file names: ``spec``, ``trials`` and the folders of their ``artifacts``.

    Between the calls that begin and end profiling stands a marker, then one execution.  A trial that fails leaves its
    marker alone, and the next one has its turn.
    """
    from tunetui_agent.devices.gpu import open_device
    from tunetui_agent.verify import Oracle

    die_with_parent()
    asked = json.loads(task.read_bytes())
    spec = decode_spec(asked["spec"])
    implementations = {each.name: each for each in spec.kernel.implementations}
    device, oracle = open_device(spec.device), Oracle(spec)
    runtime = device.cupy.cuda.runtime
    for trial, artifact in zip(read_trials(asked["trials"]), asked["artifacts"], strict=True):
        try:
            execution = device.prepare(spec, implementations[trial.implementation], trial, artifact)
            execution.bind(oracle.timing_inputs(trial))
            execution.poison()
            for _ in range(WARM_UPS):
                execution.run()
        except TrialFault as fault:
            sys.stderr.write(f"{trial.id}: {fault.status}: {fault.cause}\n")
            execution = None
        runtime.profilerStart()
        device.harness.empty()
        device.synchronize()
        try:
            if execution is not None:
                execution.run()
        except TrialFault as fault:
            sys.stderr.write(f"{trial.id}: {fault.status}: {fault.cause}\n")
        if not device.usable:
            return 1
        runtime.profilerStop()
    return 0
