"""Several hosts and GPUs on the Run screen: which is which, what is old, and what is left where there is little room."""

from __future__ import annotations

import msgspec
import pytest

from tests.core.journals import measured
from tests.tui.test_run_screen import run_of
from tunetui.core.links import LinkState
from tunetui.core.snapshot import Agent, Placed, Progress, Run, Telemetry
from tunetui.tui.device_text import all_devices, device_names, out_of_touch, rail_line
from tunetui.tui.run_board import RunBoard
from tunetui.tui.run_text import live_lines, progress_spans, title_line
from tunetui.tui.spans import text_of
from tunetui_agent.messages import Device, TelemetrySampled

GPU = {
    "utilisation_percent": 97.0, "sm_clock_mhz": 1695.0, "power_w": 148.0, "temperature_c": 61.0, "memory_used_bytes": 9e9,
}  # fmt: skip


def run_on(*hosts: str, name: str = "NVIDIA H200") -> Run:
    """A run with one device for each of these hosts, each with a trial on it."""
    devices = {
        f"d{number}": Device(id=f"d{number}", kind="gpu", name=name, attributes={}) for number in range(len(hosts))
    }
    own = dict(zip(devices, hosts, strict=True))
    return msgspec.structs.replace(
        run_of(count=len(hosts)), devices=devices,
        placed={f"a{device}": Placed(host=host, device=device, model="m") for device, host in own.items()},
        agents={
            f"a{device}": Agent(
                source=f"a{device}", epoch="e", host="vm", platform="x", python="3", version="1", started=900.0, device=device
            )
            for device in own
        },
        running={
            f"a{device}": Progress(trial=measured(number, [1]).trial.id, started=990.0, samples=31, half_width_percent=2.0)
            for number, device in enumerate(own)
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hosts", "names", "title"),
    [
        (["local"], ["NVIDIA H200"], "NVIDIA H200"),
        (["local", "local"], ["NVIDIA H200 #1", "NVIDIA H200 #2"], "2 x NVIDIA H200"),
        (["box"], ["box: NVIDIA H200"], "box: NVIDIA H200"),
        (["local", "box"], ["this machine: NVIDIA H200", "box: NVIDIA H200"], "this machine, box: 2 x NVIDIA H200"),
        (["a", "b", "b"], ["a: NVIDIA H200", "b: NVIDIA H200 #1", "b: NVIDIA H200 #2"], "a, b: 3 x NVIDIA H200"),
    ],
)
def test_devices_are_told_apart_by_host_and_number(hosts: list[str], names: list[str], title: str) -> None:
    run = run_on(*hosts)
    assert list(device_names(run).values()) == names
    assert all_devices(run) == title
    tabs = [tab.label for tab in RunBoard().tabs(run) if "device" in tab.where]
    assert tabs == (names if len(hosts) > 1 else [])


def test_what_is_on_a_device_that_is_not_heard_is_dim_with_its_age() -> None:
    run = run_on("a", "b")
    links = {"a": LinkState("a", "ready", 900.0), "b": LinkState("b", "lost", 985.0, "b: nothing listens")}
    quiet = out_of_touch(run, links)
    assert quiet == {"d1": 985.0}
    lines = live_lines(run, 1000.0, (), 10, quiet)
    assert [text_of(line) for line in lines[1:4:2]] == [
        "  n=31 ±2.0%  a: NVIDIA H200", "  n=31 ±2.0%, 0:15 ago  b: NVIDIA H200",
    ]  # fmt: skip
    assert lines[0][0][1] == "accent"
    assert lines[2][0][1] == lines[3][0][1] == "muted"
    words = text_of(rail_line(run, run.devices["d1"], 1000.0, links["b"], name="b: NVIDIA H200"))
    assert words == " b: NVIDIA H200  link lost 0:15 ago; the run continues on the host (nothing listens)"
    silent = LinkState("a", "ready", 900.0, asked="list its runs", asked_at=996.0)
    words = text_of(rail_line(run, run.devices["d0"], 1000.0, silent, name="a: NVIDIA H200"))
    assert words.endswith("waiting for it to list its runs, 0:04")


def test_the_tab_of_a_device_shows_what_is_on_that_device() -> None:
    run = run_on("a", "b")
    text = [text_of(line) for line in live_lines(run, 1000.0, (), 10, device="d1")]
    assert sum(line.startswith("▶") for line in text) == 1
    assert "b: NVIDIA H200" in text[1]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_what_slows_a_device_down_is_said_in_every_width(width: int) -> None:
    run = run_on("box")
    sample = Telemetry(t=1000.0, source="ad0", figures=GPU, throttle_reasons="power cap")
    line = text_of(rail_line(msgspec.structs.replace(run, telemetry=(sample,)), run.devices["d0"], 1000.0, width=width))
    assert len(line) <= width
    assert "GPU  97%" in line
    assert line.endswith("throttled: power cap")
    assert ("▁" in line or "█" in line, "148 W" in line) == (width > 80, width > 60)


def test_time_and_cost_left_are_said_in_sixty_cells() -> None:
    run = msgspec.structs.replace(
        run_of(TelemetrySampled(figures={}), count=40), resumed=1000.0, finished_since_resumed=1, running={}
    )
    right = progress_spans(run, 1060.0, 60.0, 60 - 26)
    assert text_of(right) == "0/40  ~40:00 left  $1.00 "
    assert "▱" in text_of(progress_spans(run, 1060.0, 60.0, 80 - 26))
    assert text_of(title_line(run, "", 12)).startswith(" quick")
    assert text_of(title_line(run, "", 80)).startswith(" tunetui · quick")
