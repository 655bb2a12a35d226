"""The trials still to be measured, in order, and the artifacts that they wait for; performs no I/O."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from tunetui_agent.messages import BuildFinished, Trial

LOOKAHEAD = 512
"""How many coming trials are looked at: what is built ahead, and what an endless queue costs per step."""


@dataclass
class Entry:
    """One waiting trial."""

    trial: Trial
    keyed: bool = False  # whether the builder has said which artifact it needs
    asked: bool = False
    artifact: str | None = None  # None once keyed: nothing to build
    refusal: tuple[str, str, str] | None = None  # status, cause, detail of a trial that cannot be measured
    retried: bool = False
    for_race: bool = False  # only to be built: a row of an earlier start that is to be raced
    precision_percent: float | None = None  # of a row that is measured once more than the sweep does


@dataclass
class Artifact:
    """One build that trials wait for."""

    name: str
    implementation: str
    state: str = "missing"  # "missing" | "building" | "ready" | "failed"
    alone: bool = False  # built in a batch of its own, because a batch with it in it broke
    seconds: float | None = None  # None where it was found in the cache: looking is not building
    log: str = ""


class Backlog:
    """First in, first out, except where a trial's build is late and the next one's is ready."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._known: set[str] = set()
        self._artifacts: dict[str, Artifact] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def count_of(self, implementations: Collection[str]) -> int:
        """How many trials of these wait."""
        return sum(entry.trial.implementation in implementations for entry in self._entries.values())

    def add(self, trials: Iterable[Trial]) -> None:
        """Append the trials whose id was never seen before."""
        for trial in trials:
            if trial.id not in self._known:
                self._known.add(trial.id)
                self._entries[trial.id] = Entry(trial)

    def put_back(self, entry: Entry) -> None:
        """Make a trial the next one again."""
        self._entries[entry.trial.id] = entry
        self._entries.move_to_end(entry.trial.id, last=False)

    def repeat(self, entries: Iterable[Entry]) -> None:
        """Append trials that were measured to be measured again."""
        for entry in entries:
            self._entries[entry.trial.id] = replace(entry, retried=False)

    def add_for_race(self, trials: Iterable[Trial], *, first: bool = False) -> None:
        """Add trials that are only to be built, known or not; a trial that waits already is left as it is."""
        for trial in trials:
            if trial.id not in self._entries:
                self._known.add(trial.id)
                self._entries[trial.id] = Entry(trial, for_race=True)
                if first:
                    self._entries.move_to_end(trial.id, last=False)

    def is_built_for_race(self, trial: str) -> bool:
        """Whether a trial waits only to be built for a race."""
        return trial in self._entries and self._entries[trial].for_race

    # ------------------------------------------------------------------ what somebody asks for meanwhile

    def withdraw(self, trials: Iterable[str]) -> list[str]:
        """Remove and forget those that wait to be measured: they may be added again."""
        taken = self._remove(trials)
        self._known.difference_update(taken)
        return taken

    def skip(self, trials: Iterable[str]) -> list[str]:
        """Remove those that wait to be measured; they stay known."""
        return self._remove(trials)

    def requeue(self, trials: Iterable[Trial]) -> list[str]:
        """Append trials, known or not; one that waits already is left where it is."""
        added = [trial for trial in trials if trial.id not in self._entries or self.is_built_for_race(trial.id)]
        for trial in added:
            self._known.add(trial.id)
            self._entries.pop(trial.id, None)
            self._entries[trial.id] = Entry(trial)
        return [trial.id for trial in added]

    def pin(self, trials: Sequence[str]) -> None:
        """Make the first of these that wait the next one, the others after it."""
        for trial in reversed(trials):
            if trial in self._entries:
                self._entries.move_to_end(trial, last=False)

    def remeasure(self, trial: Trial, precision_percent: float) -> None:
        """Make a trial the next one, to be measured to this precision."""
        self._known.add(trial.id)
        self.put_back(Entry(trial, precision_percent=precision_percent))

    def _remove(self, trials: Iterable[str]) -> list[str]:
        found = [trial for trial in trials if trial in self._entries and not self._entries[trial].for_race]
        for trial in found:
            del self._entries[trial]
        return found

    # ------------------------------------------------------------------ what is next

    def take_ready(self, *, in_order: bool) -> Entry | None:
        """Remove and return the first trial that can be measured now; ``in_order`` looks at the very first only."""
        for entry in islice(self._entries.values(), 1 if in_order else LOOKAHEAD):
            if self._is_ready(entry):
                return self._entries.pop(entry.trial.id)
        return None

    def first(self) -> Trial | None:
        """The trial that is next, built or not."""
        return next((entry.trial for entry in self._entries.values()), None)

    def head_is_ready(self) -> bool:
        entry = next(iter(self._entries.values()), None)
        return entry is not None and self._is_ready(entry)

    def take_refused(self) -> list[Entry]:
        """Remove and return the coming trials that can never be measured, each with its `refusal`."""
        refused = [entry for entry in self._coming() if entry.refusal or self._failed_build(entry)]
        for entry in refused:
            build = self._failed_build(entry)
            if build and not entry.refusal:
                entry.refusal = ("build_failed", first_line(build.log), build.log)
            del self._entries[entry.trial.id]
        return refused

    def refuse(self, trials: Iterable[str], status: str, cause: str, detail: str = "") -> None:
        """These trials can never be measured."""
        for trial in trials:
            if trial in self._entries:
                self._entries[trial].refusal = (status, cause, detail)

    def unkeyed(self) -> list[Trial]:
        """Coming trials of one implementation whose artifacts nobody has asked for yet; marks them as asked.

        None while the nearest of them is far off, so that a long queue is asked about in large helpings.
        """
        nearest = islice(self._entries.values(), LOOKAHEAD // 2)
        if all(entry.keyed or entry.asked or entry.refusal for entry in nearest):
            return []
        entries = [entry for entry in self._coming() if not (entry.keyed or entry.asked or entry.refusal)]
        chosen = [entry for entry in entries if entry.trial.implementation == entries[0].trial.implementation]
        for entry in chosen:
            entry.asked = True
        return [entry.trial for entry in chosen]

    def set_key(self, trial: str, artifact: str | None) -> None:
        """What the builder answered for one trial."""
        entry = self._entries.get(trial)
        if entry is None:
            return
        entry.keyed, entry.artifact = True, artifact
        if artifact is not None and artifact not in self._artifacts:
            self._artifacts[artifact] = Artifact(artifact, entry.trial.implementation)

    def next_builds(self, batch_limits: dict[str, int], builders: int) -> list[tuple[Artifact, Trial]]:
        """The next batch to build: missing artifacts of one implementation in the order of need, marked as building.

        Each comes with a trial that needs it.  What is missing is spread over ``builders``.
        """
        missing: dict[str, tuple[Artifact, Trial]] = {}
        for entry in self._coming():
            build = self._artifacts.get(entry.artifact or "")
            if build is None or build.state != "missing" or entry.refusal:
                continue
            first = next(iter(missing.values()))[0] if missing else build
            if build.implementation == first.implementation and not (build is not first and build.alone):
                missing.setdefault(build.name, (build, entry.trial))
            if first.alone:
                break
        if not missing:
            return []
        first = next(iter(missing.values()))[0]
        share = -(-len(missing) // max(1, builders))
        batch = list(missing.values())[: max(1, min(batch_limits.get(first.implementation, 1), share))]
        for build, _ in batch:
            build.state = "building"
        return batch

    def build_again_alone(self, artifacts: Iterable[str]) -> None:
        """A batch broke as a whole: which of its members did it?"""
        for name in artifacts:
            self._artifacts[name].state, self._artifacts[name].alone = "missing", True

    def built(self, result: BuildFinished) -> None:
        """One build is over."""
        build = self._artifacts[result.artifact]
        build.state = "ready" if result.ok else "failed"
        build.seconds, build.log = None if result.cached else result.seconds, result.log

    def build_seconds(self, entry: Entry) -> float | None:
        """What this trial's artifact took to build, or None where nothing was built for it in this run."""
        return self._artifacts[entry.artifact].seconds if entry.artifact else None

    def _coming(self) -> Iterator[Entry]:
        return islice(self._entries.values(), LOOKAHEAD)

    def _is_ready(self, entry: Entry) -> bool:
        if not entry.keyed or entry.refusal:
            return False
        return entry.artifact is None or self._artifacts[entry.artifact].state == "ready"

    def _failed_build(self, entry: Entry) -> Artifact | None:
        build = self._artifacts.get(entry.artifact or "")
        return build if build and build.state == "failed" else None


def first_line(log: str) -> str:
    """What a builder says of a failure before the compiler's own words."""
    lines = (line.strip() for line in log.splitlines() if line.strip())
    return next(lines, "the build failed and said nothing")[:500]
