"""Who measures when a run begins: hosts that are ready, but for those that do not answer when they are asked what they have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tunetui.session.catching_up import CatchingUp
from tunetui.session.joining import Joining
from tunetui.session.opening import left_out
from tunetui.session.places import group_places, merged, with_suffixes
from tunetui.session.visiting import let_go_of
from tunetui.session.working import Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.core.errors import TunetuiError
    from tunetui.session.places import Group


class LineUp(Joining):
    """How a session comes to its devices before anything is measured."""

    _away: dict[str, TunetuiError]  # hosts that were ready and did not answer when they were asked more
    _unheard: list[str]  # of those the ones that agents may be at work on, where no other host is left

    def _settle(self, groups: Sequence[Group]) -> None:
        """These are who measures, before anything is measured."""
        self.groups = with_suffixes(groups, self.snapshot)
        self.places = [place for group in self.groups for place in group.places]
        self.plan = merged([group.plan for group in self.groups])
        self._work = Work([self._crew(group) for group in self.groups], self._recording, self._links)

    def _catching_up_with_all(self) -> CatchingUp:
        """With the hosts that are ready; of those that do not answer it is told here."""
        return CatchingUp(
            {place.host: place.link for place in self.places},
            self._recording,
            self._folder.folder.name,
            dict(self._coming),
            listed={place.host: place.listed for place in self.places if place.listed is not None},
            on_away=self._away.__setitem__,
        )

    async def _go_on_without_the_away(self) -> None:
        """Nothing is measured yet: hosts that do not answer any more take no part, and join when they do."""
        away = dict(self._away)
        self._away.clear()
        if not away:
            return
        rest = [place for place in self.places if place.host not in away]
        if not rest:
            self._unheard = [host for host in away if self._held_back.may_be_at_work(host)]
            raise next(iter(away.values()))
        said = list(self._opened.said)
        for host, error in away.items():
            said.append(left_out(host, error, self._visits, self._links))
            if host in self._visits.expected:
                self._coming[host] = None
        await let_go_of(place for place in self.places if place.host in away)
        groups, unable = group_places(rest, self._opened.grid, self._opened.kernel)
        self._opened = replace(self._opened, groups=groups, said=said + unable)
        self._settle(groups)
