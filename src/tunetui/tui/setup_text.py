"""A grid in the making, in words: its fields as lines of a form, and what it would come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import parse
from tunetui.core.figures import count, counted, setting
from tunetui.core.labels import device_label, host_name, one_line
from tunetui.core.mistakes import show_path
from tunetui.core.planning import Forecast
from tunetui.core.routes import LOCAL
from tunetui.core.text_fitting import wrapped
from tunetui.session.host_answers import HostAnswer
from tunetui.session.setting_up import Prospect
from tunetui.tui.setup_fields import Field
from tunetui.tui.setup_time import cost_words, expected_time
from tunetui.tui.spans import Span, Spans, plain, toned
from tunetui.tui.widgets.form import Choice, FormLine
from tunetui.tui.widgets.tones import Tone

_EXCLUSION_CELLS = 17
NO_PRICES: Mapping[str, float | None] = {}


# ---------------------------------------------------------------------------------------------- the form


def form_lines(
    fields: Sequence[Field],
    prospect: Prospect | None,
    answers: Mapping[str, HostAnswer],
    asking: Sequence[str],
    usd_per_hour: Mapping[str, float | None] = NO_PRICES,
) -> list[FormLine]:
    """The fields as the form shows them, with what is known of each behind it."""
    error = prospect.error if prospect is not None else ""
    lines = []
    for place, field in enumerate(fields):
        note, tone = _note(field, answers, asking, usd_per_hour)
        if field.kind != "heading" and _is_wrong(field, error):
            note, tone = "✗ see below", "bad"
        key = (field.kind, field.keys, field.place) if field.keys else ("heading", place)
        one = field.kind == "one"
        choices = tuple(
            Choice(host_name(str(value)) if field.kind == "host" else _choice(field, value), chosen, one)
            for value, chosen in zip(field.values, field.on, strict=True)
        )
        label = "" if field.kind == "host" and field.values else one_line(field.label)
        text = one_line(field.text)
        if field.kind in {"item", "fact"} and text:
            text = f"{_exclusion(field, prospect):<{_EXCLUSION_CELLS}}{text}"
        lines.append(FormLine(key, label, text, choices, one_line(note), tone, heading=field.kind == "heading"))
    return lines


def _choice(field: Field, value: object) -> str:
    return "join" if field.kind == "flag" else one_line(setting(value))


def _is_wrong(field: Field, error: str) -> bool:
    """Whether the first error is about this field: it stands with its path behind the file's name."""
    if not error or not field.keys or field.kind == "host":
        return False
    path = show_path((*field.keys, field.place) if field.kind == "item" else field.keys)
    _, found, rest = error.partition(f": {path}")
    return bool(found) and rest[:1] in {":", "[", "."}


def _note(
    field: Field, answers: Mapping[str, HostAnswer], asking: Sequence[str], usd_per_hour: Mapping[str, float | None]
) -> tuple[str, Tone | None]:
    if field.kind == "host" and field.values:
        return _host_note(field, answers.get(field.label), asking, usd_per_hour.get(field.label))
    if field.kind == "several" and field.keys[0] == "axes":
        chosen = f"{sum(field.on)} of {len(field.on)}"
        return f"{chosen}{', ' + field.note if field.note else ''}", "muted"
    return field.note, "muted"


def _exclusion(field: Field, prospect: Prospect | None) -> str:
    """What a constraint does; of an implementation's own, to that one alone."""
    found = prospect.forecast if prospect is not None else None
    if found is None:
        return "..."
    try:
        reads_device = any(name.startswith("device_") for name in parse(field.text).names)
    except ExpressionError:
        return "✗ no expression"
    if reads_device and not found.device_known:
        return "not applied yet"
    counts = [found.counts[field.label]] if field.label in found.counts else list(found.counts.values())
    if any(each.valid is None for each in counts):
        return "sampled"
    number = sum(each.excluded.get(field.text, 0) for each in counts)
    return f"excludes {count(number) if number else 'none'}"


def _host_note(
    field: Field, answer: HostAnswer | None, asking: Sequence[str], usd_per_hour: float | None
) -> tuple[str, Tone | None]:
    price = "" if usd_per_hour is None else f"; ${usd_per_hour:.2f} an hour"
    if field.label in asking:
        return "asking ...", "accent"
    if answer is None:
        return f"{'' if field.label == LOCAL else f'{field.note}{price}; '}not asked yet", "muted"
    if answer.problem:
        return f"✗ {answer.problem.removeprefix(f'{field.label}: ')}", "bad"
    there = ", ".join(device_label(device) for device in answer.devices) or "no device"
    return f"✓ {there}{'; ' + answer.text if answer.text else ''}{price}", "good"


# -------------------------------------------------------------------------------------- what it comes to


def summary_lines(
    prospect: Prospect | None, where: str, prices: Mapping[str, float | None], *, counting: bool, devices: int = 1
) -> list[Spans]:
    """How many configurations, how long, for how much, and the first thing that is wrong.

    ``where`` says for which device that is; ``prices`` are USD per hour of the chosen hosts, None where not known;
    ``devices`` share the trials.
    """
    if prospect is None:
        return [toned("counting ...", "muted")]
    lines: list[Spans] = []
    if prospect.error:
        lines.append(toned(f"✗ {one_line(prospect.error)}", "bad"))
        lines += [toned(f"  {one_line(prospect.hint)}", "warning")] if prospect.hint else []
    found = prospect.forecast
    if found is not None and prospect.grid is not None:
        time = expected_time(prospect.grid, found, prospect.speed, devices)
        lines += [_counts(found, counting=counting), plain(f"time  {time.words}")]
        lines += [plain(f"cost  {words}") for words in cost_words(time, prices)]
        lines += _by_implementation(found)
        lines += [
            toned(f"left out: {one_line(name)}: {one_line(why)}", "warning") for name, why in found.left_out.items()
        ]
    lines.append(toned(where, "muted"))
    return lines


def by_words(lines: Sequence[Spans], width: int) -> list[Spans]:
    """The lines with those of one span broken between words, each under its own."""
    broken: list[Spans] = []
    for line in lines:
        if len(line) != 1 or len(line[0][0]) <= width:
            broken.append(line)
            continue
        (text, tone), *_ = line
        first = text[: len(text) - len(text.lstrip())]
        broken += [
            toned(part, tone) for part in wrapped(text.split(), max(width, 20), indent=first + "  ", first=first)
        ]
    return broken


def _counts(found: Forecast, *, counting: bool) -> Spans:
    sampled = any(each.valid is None for each in found.counts.values())
    valid = sum(each.valid or 0 for each in found.counts.values())
    cartesian = sum(each.cartesian for each in found.counts.values())
    head = f"{count(found.trials)} to measure" if sampled else f"{counted(valid, 'valid configuration')}"
    first: list[Span] = [(head, "strong"), (f" of {counted(cartesian, 'combination')}", None)]
    if not sampled and found.trials != valid:
        first.append((f", {count(found.trials)} of them measured", None))
    if counting:
        first.append(("  counting ...", "accent"))
    return tuple(first)


def _by_implementation(found: Forecast) -> list[Spans]:
    each = [f"{one_line(name)} {count(one.planned)}" for name, one in found.counts.items()]
    if found.problems > 1:
        each.insert(0, counted(found.problems, "problem"))
    return [toned(" · ".join(each), "muted")] if len(each) > 1 else []
