"""What a run was asked: kept beside its journal and told to its agents, so that it can be taken up without its grid, or elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.definitions import Grid, Kernel
from tunetui.session.opening import BatchOptions
from tunetui.store.atomic import explained
from tunetui.store.definitions import Definitions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tunetui.core.snapshot import Run
    from tunetui.session.opening import Opened

FILE = "asked.json"
VERSION = 1
_MOST_BYTES = 64 << 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a start of a run was given, but whom to trust and who answers questions."""

    version: int = VERSION
    grid: Grid
    kernel: Kernel
    grid_path: str
    stem: str  # absolute path of the outputs, without their suffixes
    hosts: list[str]
    command: str = ""
    build_jobs: int = 0
    profile: str = ""
    artifacts: list[str] = []
    usd_per_hour: dict[str, float] = {}

    def options(self, **others: Any) -> BatchOptions:
        """A start that asks the same; ``others`` are fields of `BatchOptions` that were not kept, or are other ones."""
        kept: dict[str, Any] = {
            "grid_path": Path(self.grid_path),
            "output_stem": Path(self.stem),
            "hosts": self.hosts,
            "command": self.command,
            "build_jobs": self.build_jobs,
            "profile": self.profile,
            "usd_per_hour": self.usd_per_hour,
            "artifacts": [path for path in map(Path, self.artifacts) if path.is_file()],
            "definitions": Definitions(self.grid, self.kernel, {}),
        }
        return BatchOptions(**(kept | others))


def asked_of(opened: Opened, hosts: Sequence[str]) -> Asked:
    """What a start was given, with the hosts that it came to."""
    options = opened.options
    return Asked(
        grid=opened.grid,
        kernel=opened.kernel,
        grid_path=str(options.grid_path.absolute()),
        stem=str(options.stem),
        hosts=list(hosts),
        command=options.command,
        build_jobs=options.build_jobs,
        profile=options.profile,
        usd_per_hour=options.usd_per_hour,
        artifacts=[str(path.absolute()) for path in options.artifacts],
    )


def keep(folder: Path, asked: Asked) -> None:
    """Put it beside a run's journal; not worth waiting for the disk.  Raises StoreError."""
    part = folder / f".{FILE}.part"
    try:
        part.write_bytes(msgspec.json.encode(asked))
        part.replace(folder / FILE)
    except OSError as error:
        raise explained(error, folder / FILE) from None


def kept(folder: Path) -> Asked | None:
    """What is kept beside a journal; None where there is nothing, or nothing that this version understands."""
    try:
        with (folder / FILE).open("rb") as file:
            return _understood(msgspec.json.decode(file.read(_MOST_BYTES)))
    except (OSError, msgspec.DecodeError):
        return None


def about(asked: Asked, run: Run, provenances: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What an agent is told for whoever takes the run up from another machine; its own spec has the kernel's files."""
    told = msgspec.to_builtins(asked)
    told["kernel"]["files"] = {}
    return {
        "asked": told,
        "planned": msgspec.to_builtins(run.plan),
        "started": run.started,
        "provenances": {identity: dict(fields) for identity, fields in provenances.items()},
    }


def told(about: Any, files: Any) -> Asked | None:
    """What an agent was told, with its kernel's files; None where that is not enough, or not understood."""
    if not isinstance(about, dict) or not isinstance(about.get("asked"), dict):
        return None
    document = dict(about["asked"])
    if isinstance(document.get("kernel"), dict):
        document["kernel"] = {**document["kernel"], "files": files}
    return _understood(document)


def _understood(document: Any) -> Asked | None:
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return None
    try:
        return msgspec.convert(document, Asked)
    except msgspec.ValidationError:
        return None
