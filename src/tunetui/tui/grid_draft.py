"""A grid as it is edited: its text, where it belongs, what was there before, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunetui.core.errors import InputError
from tunetui.core.toml_editing import Keys
from tunetui.session.setting_up import kernel_of, new_grid, open_grid, save_grid
from tunetui.tui.setup_fields import Field, fields_of, read_plain
from tunetui_agent.messages import Value

_CHANGES_KEPT = 200


class GridDraft:
    """Text first: fields are made from it, and every change makes another text of it."""

    def __init__(self, path: Path, text: str, opened: str | None) -> None:
        self.path, self.text = path, text
        self.opened = opened
        """What stands in the file as far as is known; None where there is no file yet."""
        self.kernel = kernel_of(text, path)
        self._before: list[str] = []
        self._offered: dict[Keys, list[Value]] = {}

    @classmethod
    def open(cls, path: Path) -> GridDraft:
        """A grid file.  Raises InputError."""
        text = open_grid(path)
        return cls(path, text, text)

    @classmethod
    def new(cls, kernel: str, folder: Path) -> GridDraft:
        """A new grid for a kernel, to be saved in a folder.  Raises InputError."""
        text = new_grid(kernel, folder)
        stem = str(read_plain(text).get("name", "grid"))
        names = (f"{stem}{'' if number < 2 else f'-{number}'}.toml" for number in range(1, 1000))
        path = next((folder / name for name in names if not (folder / name).exists()), folder / f"{stem}.toml")
        return cls(path, text, None)

    @property
    def is_changed(self) -> bool:
        """Whether something would be lost; a new grid that nobody touched is nothing to lose."""
        return self.text != self.opened if self.opened is not None else bool(self._before)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._before)

    def fields(self, hosts: Sequence[tuple[str, str]], named_instead: str = "") -> list[Field]:
        """Its fields; values that were switched off stay to be switched on again."""
        found = fields_of(read_plain(self.text), self.kernel, self._offered, hosts, named_instead)
        for field in found:
            if field.kind == "several" and field.keys[0] in {"axes", "problem"}:
                self._offered[field.keys] = list(field.values)
        return found

    def change(self, text: str) -> bool:
        """Another text; whether it is another one."""
        if text == self.text:
            return False
        self._before = [*self._before[1 - _CHANGES_KEPT :], self.text]
        self._take(text)
        return True

    def undo(self) -> None:
        """The text before the last change."""
        if self._before:
            self._take(self._before.pop())

    def save(self, path: Path | None = None) -> Path:
        """Write the file; under another name it becomes that file.

        Raises:
            InputError: something else stands there by now.
            StoreError: it cannot be written.
        """
        target = path or self.path
        save_grid(target, self.text, self.opened if target == self.path else None)
        self.path, self.opened = target, self.text
        return target

    def path_of(self, entry: str) -> Path:
        """The path that somebody typed, beside the present one.  Raises InputError where it is no name of a grid."""
        path = (self.path.parent / Path(entry.strip()).expanduser()).absolute()
        if not entry.strip() or path.name.endswith(".leaderboard.toml") or path.is_dir():
            raise InputError("that is no name for a grid file", hint="such as my-sweep.toml")
        return path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml")

    def _take(self, text: str) -> None:
        named = read_plain(text).get("kernel") != read_plain(self.text).get("kernel")
        self.text = text
        if named or self.kernel is None:
            self.kernel = kernel_of(text, self.path)
            self._offered = {}
