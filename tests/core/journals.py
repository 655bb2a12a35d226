"""Records for tests of the fold and the store: encoded and decoded by the real code, as a journal holds them."""

from __future__ import annotations

from typing import Any

from tunetui.core.events import PlannedKernel, Record, RunPlanned
from tunetui.core.records import decode_record, encode_app_record
from tunetui_agent.messages import AgentStarted, Device, DeviceFound, Toolchain, TrialMeasured, TrialRef, encode_event

PROBLEM: dict[str, Any] = {"corpus_size": 1000, "dims": 16, "queries": 1, "k": 10, "dtype": "float32"}
AGENT = "agent-1"


def ref(number: int, *, problem: dict[str, Any] | None = None, implementation: str = "numpy") -> TrialRef:
    return TrialRef(
        id=f"{number:016x}",
        implementation=implementation,
        problem=PROBLEM if problem is None else problem,
        configuration={"tile_rows": number, "select": "sort"},
        provenance="p" * 16,
    )


def measured(number: int, samples: list[int], **changes: Any) -> TrialMeasured:
    fields: dict[str, Any] = {
        "trial": ref(number),
        "samples_ns": samples,
        "stopped_by": "precision",
        "warmups": 3,
        "quality": {"recall": 1.0, "max_abs_error": 1e-7},
        "build_seconds": None,
        "seconds": 0.2,
        "sampling_seconds": 0.1,
        "verify_seconds": 0.05,
    }
    return TrialMeasured(**(fields | changes))


def planned(**changes: Any) -> RunPlanned:
    fields: dict[str, Any] = {
        "run": "quick-00c0ffee",
        "name": "quick",
        "tunetui_version": "0.1.0",
        "command": "tunetui --batch quick.toml",
        "started": 1_700_000_000.0,
        "seed": 7,
        "grid": {"name": "quick", "axes": {"tile_rows": [1, 2]}, "targets": {"latency_ms.p95": "< 50"}},
        "kernel": PlannedKernel(
            name="semantic-search",
            source_hashes={"search_numpy.py": "ab" * 32},
            metrics={"throughput_vectors_per_s": "corpus_size * queries / seconds"},
        ),
        "problems": [PROBLEM],
        "axes": {"numpy": {"tile_rows": [1, 2], "select": ["sort"]}},
        "trials": 2,
        "method": {"cache": "cold", "confidence_percent": 95.0},
    }
    return RunPlanned(**(fields | changes))


def agent_started(**changes: Any) -> AgentStarted:
    fields: dict[str, Any] = {
        "protocol": 1,
        "version": "0.1.0",
        "run": AGENT,
        "epoch": "e1",
        "pid": 42,
        "boot_id": "b",
        "host": "here",
        "platform": "linux",
        "python": "3.10.13",
    }
    return AgentStarted(**(fields | changes))


def device_found() -> DeviceFound:
    device = Device(id="cpu", kind="cpu", name="A real CPU", attributes={"cores": 2, "memory_bytes": 1 << 34})
    return DeviceFound(
        device=device, toolchains=[Toolchain(language="python", available=True, version="3.11.9")], eviction="64 MiB"
    )


def app(seq: int, event: Any, t: float = 1000.0) -> Record:
    """A record of the app's, through the bytes that its journal would hold."""
    return decode_record("app", encode_app_record(seq, t, event))


def agent(seq: int, event: Any, t: float = 1000.0, source: str = AGENT) -> Record:
    """A record of an agent's, through the bytes that its journal would hold."""
    return decode_record(source, encode_event(seq, t, event))
