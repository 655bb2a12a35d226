from __future__ import annotations

from tests.core.journals import agent, agent_started, app, device_found, planned
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui_agent.messages import CeilingsMeasured

CEILINGS = CeilingsMeasured(figures={"ceiling_read_gb_per_s": 20.0})


def test_what_a_device_can_do_at_most_joins_its_description() -> None:
    run = fold(Run(), [app(0, planned()), agent(0, agent_started()), agent(1, device_found()), agent(2, CEILINGS)])
    assert run.devices["cpu"].details["ceiling_read_gb_per_s"] == 20.0
    assert run.devices["cpu"].name == "A real CPU"


def test_a_later_agent_keeps_what_an_earlier_one_measured_until_it_knows_better() -> None:
    records = [app(0, planned()), agent(0, agent_started()), agent(1, device_found()), agent(2, CEILINGS)]
    later = [agent(0, agent_started(run="b"), source="b"), agent(1, device_found(), source="b")]
    assert fold(Run(), [*records, *later]).devices["cpu"].details["ceiling_read_gb_per_s"] == 20.0
    better = agent(2, CeilingsMeasured(figures={"ceiling_read_gb_per_s": 30.0}), source="b")
    assert fold(Run(), [*records, *later, better]).devices["cpu"].details["ceiling_read_gb_per_s"] == 30.0
