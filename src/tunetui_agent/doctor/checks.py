"""One line of the doctor's report, and the words for its four outcomes."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, FAILURE, NOT_APPLICABLE = "ok", "warning", "failure", "n/a"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at: what was found, and what to do where it is not as it should be.

    A warning lets runs go on with worse figures or fewer rows; a failure stops them.  ``advice`` is one thing to do or
    to know a line; a line that starts with "$ " is a command to be typed as it stands.
    """

    section: str
    name: str
    status: str  # OK | WARNING | FAILURE | NOT_APPLICABLE
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Section:
    """Makes the checks of one section."""

    title: str

    def ok(self, name: str, found: str) -> Check:
        return Check(section=self.title, name=name, status=OK, found=found)

    def warn(self, name: str, found: str, advice: str) -> Check:
        return Check(section=self.title, name=name, status=WARNING, found=found, advice=advice)

    def fail(self, name: str, found: str, advice: str) -> Check:
        return Check(section=self.title, name=name, status=FAILURE, found=found, advice=advice)

    def skip(self, name: str, why: str, advice: str = "") -> Check:
        return Check(section=self.title, name=name, status=NOT_APPLICABLE, found=why, advice=advice)


def gib(size_bytes: float) -> str:
    """A size in GiB, or in MiB below one."""
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"
