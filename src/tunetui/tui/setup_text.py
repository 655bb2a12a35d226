"""A grid in the making, in words: its fields as lines of a form, and what it would come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunetui.core.definitions import Grid
from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import parse
from tunetui.core.figures import count, counted, rough_duration, setting
from tunetui.core.labels import device_label, host_name, one_line
from tunetui.core.mistakes import show_path
from tunetui.core.planning import Forecast
from tunetui.core.routes import LOCAL
from tunetui.core.text_fitting import wrapped
from tunetui.session.host_answers import HostAnswer
from tunetui.session.setting_up import Prospect
from tunetui.tui.setup_fields import Field
from tunetui.tui.spans import Span, Spans, plain, toned
from tunetui.tui.widgets.form import Choice, FormLine
from tunetui.tui.widgets.tones import Tone

_SECONDS_PER_HOUR = 3600.0
_EXCLUSION_CELLS = 17


# ---------------------------------------------------------------------------------------------- the form


def form_lines(
    fields: Sequence[Field], prospect: Prospect | None, answers: Mapping[str, HostAnswer], asking: Sequence[str]
) -> list[FormLine]:
    """The fields as the form shows them, with what is known of each behind it."""
    error = prospect.error if prospect is not None else ""
    lines = []
    for place, field in enumerate(fields):
        note, tone = _note(field, answers, asking)
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


def _note(field: Field, answers: Mapping[str, HostAnswer], asking: Sequence[str]) -> tuple[str, Tone | None]:
    if field.kind == "host" and field.values:
        return _host_note(field, answers.get(field.label), asking)
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


def _host_note(field: Field, answer: HostAnswer | None, asking: Sequence[str]) -> tuple[str, Tone | None]:
    if field.label in asking:
        return "asking ...", "accent"
    if answer is None:
        return f"{field.note}; not asked yet", "muted"
    if answer.problem:
        return f"✗ {answer.problem}", "bad"
    there = ", ".join(device_label(device) for device in answer.devices) or "no device"
    return f"✓ {there}{'; ' + answer.text if answer.text else ''}", "good"


# -------------------------------------------------------------------------------------- what it comes to


def summary_lines(
    prospect: Prospect | None, where: str, prices: Mapping[str, float | None], *, counting: bool
) -> list[Spans]:
    """How many configurations, how long, for how much, and the first thing that is wrong.

    ``where`` says for which device that is; ``prices`` are USD per hour of the chosen hosts, None where not known.
    """
    if prospect is None:
        return [toned("counting ...", "muted")]
    lines: list[Spans] = []
    if prospect.error:
        lines.append(toned(f"✗ {one_line(prospect.error)}", "bad"))
        lines += [toned(f"  {one_line(prospect.hint)}", "warning")] if prospect.hint else []
    if prospect.forecast is not None and prospect.grid is not None:
        lines += _counts(prospect.forecast, counting=counting)
        lines += [plain(f"time  {time_words(prospect)}")]
        lines += [plain(f"cost  {words}") for words in _cost(prospect, prices)]
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


def _counts(found: Forecast, *, counting: bool) -> list[Spans]:
    sampled = any(each.valid is None for each in found.counts.values())
    valid = sum(each.valid or 0 for each in found.counts.values())
    cartesian = sum(each.cartesian for each in found.counts.values())
    head = f"{count(found.trials)} to measure" if sampled else f"{counted(valid, 'valid configuration')}"
    first: list[Span] = [(head, "strong"), (f" of {counted(cartesian, 'combination')}", None)]
    if not sampled and found.trials != valid:
        first.append((f", {count(found.trials)} of them measured", None))
    if counting:
        first.append(("  counting ...", "accent"))
    each = [f"{one_line(name)} {count(one.planned)}" for name, one in found.counts.items()]
    if found.problems > 1:
        each.insert(0, counted(found.problems, "problem"))
    lines: list[Spans] = [tuple(first), toned(" · ".join(each), "muted")] if len(each) > 1 else [tuple(first)]
    lines += [toned(f"left out: {one_line(name)}: {one_line(why)}", "warning") for name, why in found.left_out.items()]
    return lines


def seconds_of(prospect: Prospect) -> tuple[float, bool] | None:
    """Seconds on one device without races, and whether they are an estimate (else a bound); None without a plan."""
    found, grid = prospect.forecast, prospect.grid
    if found is None or grid is None:
        return None
    if prospect.speed is None:
        return found.sampling_seconds_at_most, False
    return _within_budget(prospect.speed.seconds_per_trial * found.trials, grid), True


def time_words(prospect: Prospect) -> str:
    """How long it takes on one device, and by which rule that was estimated."""
    told, found, grid = seconds_of(prospect), prospect.forecast, prospect.grid
    if told is None or found is None or grid is None or not found.trials:
        return "nothing to measure"
    seconds, estimated = told
    races = grid.method.finalists_seconds * found.problems if grid.method.finalists and found.trials > 1 else 0.0
    race = f", then races of up to {rough_duration(races)}" if races else ""
    if estimated and prospect.speed is not None:
        per_trial = f"{prospect.speed.seconds_per_trial:.2g} s for each of {counted(prospect.speed.trials, 'trial')}"
        return f"{rough_duration(seconds)}{race}; by {per_trial} of this kernel on this device before"
    bound = f"2 x {setting(grid.method.max_seconds)} s a trial"
    ends = f", ended by the budget of {setting(grid.budget.minutes)} min" if grid.budget.minutes is not None else ""
    return f"{rough_duration(seconds)} of sampling at most ({bound}{ends}){race}; builds not counted"


def _cost(prospect: Prospect, prices: Mapping[str, float | None]) -> list[str]:
    told = seconds_of(prospect)
    unknown = [host_name(name) for name, price in prices.items() if price is None]
    known = [price for price in prices.values() if price is not None]
    if told is None or not known:
        return [f"not known: no usd_per_hour of {', '.join(unknown)} in settings.toml"] if {*prices} != {LOCAL} else []
    seconds, estimated = told
    usd = sum(known) * seconds / _SECONDS_PER_HOUR / len(prices)
    at_most = "" if estimated else " at most"
    but = f"; without {', '.join(unknown)}" if unknown else ""
    return [f"${usd:.2f}{at_most} at ${sum(known):.2f} an hour{but}"]


def _within_budget(seconds: float, grid: Grid) -> float:
    return seconds if grid.budget.minutes is None else min(seconds, grid.budget.minutes * 60)
