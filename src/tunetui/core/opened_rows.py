"""Many rows of one kind read at once, as columns."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from tunetui.core.packing import (
    CAUSES,
    HEAD,
    ID_AT,
    ID_BYTES_AT,
    NOTHING_TOLD,
    TYPECODES,
    UNSIGNED,
    VALUES,
    decode_told,
    known_number,
    packing,
)
from tunetui.core.row import Evidence, Row
from tunetui_agent.messages import Value


class Opened(NamedTuple):
    """Columns of rows of one subject and circumstances: as the properties of each, for a fraction of the time."""

    settings: list[list[Value]]
    causes: list[str]
    medians_ns: list[float | None]
    ci_low_ns: list[float | None]
    ci_high_ns: list[float | None]
    build_seconds: list[float | None]
    samples_ns: list[array[int]]
    told: list[tuple[Value, ...]]
    """One column for each name in their circumstances: of qualities, then resources, then telemetry."""


def opened_alike(rows: Sequence[Row]) -> Opened:
    """The columns of rows that share their `Row.subject` and `Row.circumstances`."""
    packed = [row.packed for row in rows]
    axes = packing(len(rows[0].axes))
    _, widths, _, counts, _, _, causes, _, _, medians, lows, highs, _, built, *_ = zip(
        *map(HEAD.unpack_from, packed), strict=True
    )
    begins = [ID_AT + UNSIGNED.unpack_from(each, ID_BYTES_AT)[0] + axes.size for each in packed]
    ends = [begin + width * count for begin, width, count in zip(begins, widths, counts, strict=True)]
    codes = zip(
        *[axes.unpack_from(each, begin - axes.size) for each, begin in zip(packed, begins, strict=True)], strict=True
    )
    bare = {number: row.evidence for number, row in enumerate(rows) if row.is_bare}
    told = [
        _as_told(bare[number]) if number in bare else decode_told(each[end:]) if end < len(each) else NOTHING_TOLD
        for number, (each, end) in enumerate(zip(packed, ends, strict=True))
    ]
    return Opened(
        settings=[list(map(VALUES.values.__getitem__, column)) for column in codes],
        causes=list(map(CAUSES.values.__getitem__, causes)),
        medians_ns=list(map(known_number, medians)),
        ci_low_ns=list(map(known_number, lows)),
        ci_high_ns=list(map(known_number, highs)),
        build_seconds=list(map(known_number, built)),
        samples_ns=[
            bare[number].samples_ns
            if number in bare
            else array("q", array(TYPECODES[width], each[begin:end]) if width else ())
            for number, (each, width, begin, end) in enumerate(zip(packed, widths, begins, ends, strict=True))
        ],
        told=list(zip(*told, strict=True))[2:],
    )


def _as_told(evidence: Evidence) -> list[Value]:
    figures = (evidence.quality, evidence.resources, evidence.telemetry)
    return [evidence.artifact, evidence.detail, *(value for each in figures for value in each.values())]
