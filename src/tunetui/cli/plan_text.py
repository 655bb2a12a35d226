"""What will be measured, said before it is: the plan, its device and method, what an earlier start left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import tunetui
from tunetui.core.definitions import Budget, Grid, Kernel
from tunetui.core.figures import count, counted, rough_duration, setting
from tunetui.core.labels import assignments, device_label, one_line, toolchain_label, varying
from tunetui.core.planning import Counts, Plan
from tunetui.core.routes import LOCAL
from tunetui.core.snapshot import MEASURED, Run
from tunetui.core.text_fitting import text_width, wrapped
from tunetui_agent.messages import Device, Method, Toolchain, Value

if TYPE_CHECKING:
    from tunetui.session import ResumeSummary, Session
    from tunetui.session.attaching import Attached
    from tunetui.session.looking_on import Onlooker
    from tunetui.session.places import Group

_INDENT = 12
_VALUES_SHOWN = 24
_DAMAGE_SHOWN = 5


def session_lines(session: Session, width: int | None, *, fresh: bool = False) -> list[str]:
    """The plan of an open session and what it found; with ``fresh``, nothing of that counts (a dry run leaves it there)."""
    places = places_told(session.groups)
    lines = plan_lines(session.grid, session.kernel, session.plan, session.device, session.toolchains, width, places)
    for host in session.expected:
        lines += _said("waiting", [f"{one_line(host)} joins when it is ready"], width)
    resumed = session.resume.found and not fresh
    missing = session.resume.missing if resumed else len(session.plan.trials)
    for bundle in session.arrived:
        by, on = ", ".join(bundle.languages.values()), ", ".join(bundle.architectures)
        lines += _said("bundle", [one_line(f"{counted(bundle.artifacts, 'artifact')} for {on}, built by {by}")], width)
    if session.resume.found and fresh:
        lines += _said("fresh", [f"{counted(session.resume.done, 'row')} there would be measured again"], width)
    else:
        lines += resume_lines(session.resume, width)
    if session.resume.holder:
        lines += _said("held", [f"{one_line(session.resume.holder)} has this run in hand"], width)
    load_seconds = session.grid.reliability.seconds
    estimate = time_estimate(session.plan, missing, session.snapshot, session.grid.method, load_seconds)
    return [*lines, *_said("time", [estimate], width)]


def following_lines(hand: Attached | Onlooker) -> list[str]:
    """What there is to be said of a run that another tunetui deals."""
    run = hand.snapshot
    name = run.plan.run if run.plan is not None else "?"
    done = f"{run.counts.done} of {run.counts.total} trials done"
    return [f"following   {one_line(name)}: {done}", f"            {one_line(hand.why)}"]


def places_told(groups: Sequence[Group]) -> list[str]:
    """Every model of device with the hosts that have it; nothing where only this machine measures."""
    hosts = [[place.host for place in group.places] for group in groups]
    if hosts == [[LOCAL]]:
        return []
    told = []
    for group, names in zip(groups, hosts, strict=True):
        each = [
            f"{count(names.count(name))} on {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)
        ]
        shared = f"{count(len(names))} devices share the queue: " if len(names) > 1 else "on "
        told.append(f"{device_label(group.places[0].device)}; {one_line(shared + ', '.join(each))}")
    return told


def plan_lines(
    grid: Grid,
    kernel: Kernel,
    plan: Plan,
    device: Device,
    toolchains: Sequence[Toolchain],
    width: int | None,
    places: Sequence[str] = (),
) -> list[str]:
    """The plan in labelled lines of at most ``width`` columns where words allow it; ``places`` in place of ``device``."""
    lines = [f"tunetui {tunetui.__version__}: {one_line(grid.name)}"]
    lines += _said("kernel", [f"{one_line(kernel.name)}: {one_line(kernel.summary)}"], width)
    lines += _said("problem", _problems(plan.problems), width)
    for name, axes in plan.axes.items():
        lines += _said(one_line(name), _axes(axes), width)
        lines += _said("", _space(plan.counts[name]), width)
    for name, reason in plan.left_out.items():
        lines += _said("left out", [f"{one_line(name)}: {one_line(reason)}"], width)
    lines += _said("device" if len(places) < 2 else "devices", places or [device_label(device)], width)
    lines += _said("toolchains", ["; ".join(toolchain_label(t) for t in toolchains if t.available)], width)
    lines += _said("method", [method_line(grid.method)], width)
    if (load := grid.reliability).seconds:
        every = f"every {count(load.verify_every)}th result" if load.verify_every else "some results"
        said = f"the winner of each problem runs for {rough_duration(load.seconds)} under load at the end, {every} verified"
        lines += _said("reliability", [said], width)
    asked = [f"{one_line(metric)} {one_line(bound)}" for metric, bound in grid.targets.items()]
    lines += _said("targets", [", ".join(asked)], width)
    lines += _said("budget", [_budget(grid.budget)], width)
    for notice in plan.notices:
        lines += _said("note", [one_line(notice)], width)
    sampled = ", a random sample of what is valid" if plan.sampled else ""
    return [*lines, *_said("plan", [f"{counted(len(plan.trials), 'trial')}, seed {plan.seed}{sampled}"], width)]


def resume_lines(resume: ResumeSummary, width: int | None) -> list[str]:
    """What an earlier start of the same run left."""
    if resume.archived is not None:
        return _said("fresh", [f"the earlier journal is kept as {one_line(resume.archived)}"], width)
    lines = _said("damaged", [one_line(text) for text in resume.damage[:_DAMAGE_SHOWN]], width)
    if len(resume.damage) > _DAMAGE_SHOWN:
        lines += _said("", [f"and {counted(len(resume.damage) - _DAMAGE_SHOWN, 'line')} more"], width)
    if not resume.found:
        return lines
    words = [f"{counted(resume.done, 'row')} done", f"{counted(resume.missing, 'trial')} to measure"]
    lines += _said("found", [f"{', '.join(words)}, in {one_line(resume.journal)}"], width)
    if resume.failed:
        lines += _said("", [f"{count(resume.failed)} of them failed: --retry-failed measures those again"], width)
    for reason, number in resume.stale.items():
        lines += _said("stale", [f"{counted(number, 'row')} to measure again: {one_line(reason)}"], width)
    if resume.reattached:
        attached = "" if resume.foreseen else ": attached to it"
        lines += _said("", [f"the agent is still at work{attached}"], width)
    return lines


def time_estimate(plan: Plan, missing: int, run: Run, method: Method, load_seconds: float = 0.0) -> str:
    """How long the missing trials take: by rows that were measured before, else what the method allows at most.

    Nobody knows before whose intervals will overlap: races are told as what they take at most.  ``load_seconds``: how long
    the winner of each problem is run under load.
    """
    if missing == 0:
        return "nothing left to measure"
    raced = method.finalists and len(plan.trials) > 1
    race = (
        f", then up to {rough_duration(method.finalists_seconds * len(plan.problems))} to race finalists"
        if raced
        else ""
    )
    if load_seconds:
        race += f", then {rough_duration(load_seconds * len(plan.problems))} under load"
    spent = [row.seconds for row in run.rows.values() if row.status == MEASURED and row.seconds > 0]
    if spent:
        return f"{rough_duration(sum(spent) / len(spent) * missing)}, by the trials measured before{race}"
    most = plan.sampling_seconds_at_most * missing / max(1, len(plan.trials))
    sampling = f"{rough_duration(most)} of sampling at most, less where the precision is reached sooner"
    return f"{sampling}{race}; builds not counted"


def method_line(method: Method) -> str:
    """How each trial is measured, in one line."""
    cache = "cold caches" if method.cache == "cold" else f"{one_line(method.cache)} caches"
    race = f"; up to {count(method.finalists)} finalists raced at the end" if method.finalists else ""
    return (
        f"{cache}; until the median is known to ±{setting(method.precision_percent)} % "
        f"at {setting(method.confidence_percent)} % confidence, {count(method.min_samples)} to "
        f"{count(method.max_samples)} samples, {setting(method.max_seconds)} s at most{race}"
    )


def _problems(problems: Sequence[Mapping[str, Value]]) -> list[str]:
    """Fields with their values; a swept field lists all of them."""
    if not problems:
        return ["none"]
    swept = varying(problems)
    words = assignments({name: value for name, value in problems[0].items() if name not in swept})
    for name in swept:
        words.append(_values(name, list(dict.fromkeys(problem[name] for problem in problems))))
    shown = ", ".join(words)
    return [shown, f"{count(len(problems))} problems, ranked apart"] if len(problems) > 1 else [shown]


def _axes(axes: Mapping[str, Sequence[Value]]) -> list[str]:
    return [", ".join(_values(name, values) for name, values in axes.items()) or "no axes"]


def _values(name: str, values: Sequence[Value]) -> str:
    shown = [setting(value) for value in values[:_VALUES_SHOWN]]
    more = f" and {count(len(values) - _VALUES_SHOWN)} more" if len(values) > _VALUES_SHOWN else ""
    return one_line(f"{name}={'|'.join(shown)}{more}")


def _space(counts: Counts) -> list[str]:
    """How many configurations there are, and what excludes the others; numbers over all problems."""
    if counts.valid is None:
        return [f"{count(counts.cartesian)} combinations, sampled before the constraints are counted out"]
    planned = f", {count(counts.planned)} planned" if counts.planned != counts.valid else ""
    head = f"{counted(counts.cartesian, 'combination')}, {count(counts.valid)} valid{planned}"
    excluded = [f"{count(number)} excluded by {one_line(text)}" for text, number in counts.excluded.items() if number]
    return ["; ".join([head, *excluded])]


def _budget(budget: Budget) -> str:
    limits = []
    if budget.minutes is not None:
        limits.append(f"{setting(budget.minutes)} min")
    if budget.trials is not None:
        limits.append(counted(budget.trials, "trial"))
    if budget.usd is not None:
        limits.append(f"{setting(budget.usd)} USD")
    return ", ".join(limits)


def _said(label: str, texts: Sequence[str], width: int | None) -> list[str]:
    """Texts behind their label, each wrapped under itself; nothing where there is nothing to say."""
    lines = []
    for place, text in enumerate(text for text in texts if text):
        head = label if place == 0 else ""
        gap = " " * max(1, _INDENT - text_width(head))
        lines += wrapped(text.split(" "), width, indent=" " * (_INDENT + 2), first=head + gap)
    return lines
