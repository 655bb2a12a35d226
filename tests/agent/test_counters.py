from __future__ import annotations

from dataclasses import replace

from tests.agent.kernel_folders import double_spec, double_trial, failed, measured
from tunetui_agent.devices import open_device
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.messages import Argument, Launch, RunSpec, Trial, TrialFailed, TrialMeasured

TICKETS = """
import numpy as np

def double(x, y, ticket, *, unroll):
    if ticket.any():  # then another execution's ticket is still drawn: this kernel would merge too early
        y[...] = 0
        return
    ticket += 1
    np.multiply(x, 2, out=y)
    RESET
"""


def counting_spec(reset: str) -> RunSpec:
    spec = double_spec(TICKETS.replace("RESET", reset))
    arguments = [*spec.kernel.arguments, Argument(name="ticket", role="counter", dtype="int32")]
    (own,) = spec.kernel.implementations
    own = replace(own, launches=[Launch(entry="double", arguments=["x", "y", "ticket"])])
    return replace(spec, kernel=replace(spec.kernel, arguments=arguments, implementations=[own]))


def counting_trial() -> Trial:
    trial = double_trial()
    return replace(trial, shapes={**trial.shapes, "ticket": [3]})


def outcome_of(reset: str) -> TrialMeasured | TrialFailed:
    return Evaluator(counting_spec(reset), open_device("cpu")).evaluate(counting_trial(), None, lambda _: None)


def test_a_counter_begins_at_zero_and_every_execution_finds_it_so() -> None:
    assert measured(outcome_of("ticket[...] = 0")).samples_ns


def test_a_counter_left_other_than_zero_is_a_wrong_kernel() -> None:
    outcome = failed(outcome_of("pass"))
    assert outcome.status == "wrong"
    assert outcome.cause == "left its counter 'ticket' other than zero"
