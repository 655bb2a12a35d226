"""Many rows of one kind read at once, as columns."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tunetui.core.packing import CAUSES, HEAD, ID_AT, NOTHING_TOLD, VALUES, decode_told
from tunetui.core.row import Evidence, Row
from tunetui_agent.messages import Value

Floats = NDArray[np.float64]

_HEAD = np.dtype(
    [
        ("status", "u1"), ("width", "u1"), ("axes", "<u2"), ("count", "<u4"), ("subject", "<u4"), ("circumstances", "<u4"),
        ("cause", "<u4"), ("times_measured", "<u4"), ("plan", "<i4"), ("median_ns", "<f8"), ("ci_low_ns", "<f8"),
        ("ci_high_ns", "<f8"), ("measured_at", "<f8"), ("build_seconds", "<f8"), ("seconds", "<f8"), ("told_at", "<i8"),
        ("id_bytes", "<u4"),
    ]
)  # fmt: skip
"""As `tunetui.core.packing.HEAD`, with the length of the id that follows."""
if (_HEAD.itemsize, _HEAD.fields["told_at"][1]) != (ID_AT, HEAD.size - 8):  # type: ignore[index]
    raise AssertionError("a row's head is packed otherwise than it is read")


class Opened(NamedTuple):
    """Columns of rows of one subject and circumstances: as the properties of each, for a fraction of the time.

    Floats are NaN where nothing is known.
    """

    settings: list[list[Value]]
    causes: list[str]
    heads: NDArray[Any]
    """Their fields as `heads_of` reads them."""
    samples: list[tuple[int, bytes]]
    """Of each row the bytes of one sample, an unsigned integer, and those of all."""
    told: list[tuple[Value, ...]]
    """One column for each name in their circumstances: of qualities, then resources, then telemetry."""


def heads_of(rows: Sequence[Row]) -> NDArray[Any]:
    """What stands at the beginning of each row, one field a column."""
    return np.frombuffer(b"".join([row.packed[:ID_AT] for row in rows]), _HEAD)


def opened_alike(rows: Sequence[Row], heads: NDArray[Any]) -> Opened:
    """The columns of rows that share their `Row.subject` and `Row.circumstances`; ``heads`` as `heads_of` reads them."""
    packed, axes = [row.packed for row in rows], len(rows[0].axes)
    values_at = heads["id_bytes"].astype(np.intp) + ID_AT
    begins, widths = values_at + 4 * axes, heads["width"].tolist()
    ends = (begins + heads["width"] * heads["count"].astype(np.intp)).tolist()
    places = list(zip(packed, values_at.tolist(), begins.tolist(), ends, strict=True))
    codes = np.frombuffer(b"".join([each[at:begin] for each, at, begin, _ in places]), "<u4").reshape(len(rows), axes)
    bare = {number: rows[number].evidence for number in np.flatnonzero(heads["told_at"] < 0).tolist()}
    samples = [(width, each[begin:end]) for width, (each, _, begin, end) in zip(widths, places, strict=True)]
    told = [decode_told(each[end:]) if end < len(each) else NOTHING_TOLD for each, _, _, end in places]
    for number, evidence in bare.items():
        samples[number] = (evidence.samples_ns.itemsize, evidence.samples_ns.tobytes())
        told[number] = _as_told(evidence)
    return Opened(
        settings=[list(map(VALUES.values.__getitem__, column)) for column in codes.T.tolist()],
        causes=list(map(CAUSES.values.__getitem__, heads["cause"].tolist())),
        heads=heads,
        samples=samples,
        told=list(zip(*told, strict=True))[2:],
    )


def samples_of(width: int, raw: bytes) -> array[int]:
    """One row's samples of `Opened.samples`."""
    return array("q", np.frombuffer(raw, f"<u{width}").astype(np.int64).tobytes()) if raw else array("q")


def _as_told(evidence: Evidence) -> list[Value]:
    figures = (evidence.quality, evidence.resources, evidence.telemetry)
    return [evidence.artifact, evidence.detail, *(value for each in figures for value in each.values())]
