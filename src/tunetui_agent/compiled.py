"""The agent's archive once more, with its modules compiled for one Python: commands then start in a third of the time."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import CodeType

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SEAL_BYTES = 64
_UNCHECKED = (1).to_bytes(4, "little")  # the compiled form is taken without a look at the source beside it


def write_compiled(
    packed: Path, target: Path, compiled: Callable[[str, bytes], CodeType | None] = lambda _, __: None
) -> None:
    """Write ``packed`` with everything compiled to ``target``, whole or not at all.

    ``compiled`` may know the code of a source, by its name in the archive and its text: to compile takes longest.  The last 64 bytes are the SHA-256 of those before them, so that damage is seen.  Another Python than this one finds
    the sources in it.
    """
    data = sealed(packed, compiled)
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def is_sealed(data: bytes) -> bool:
    """Whether the bytes are all that was once written as a compiled archive."""
    return hashlib.sha256(data[:-_SEAL_BYTES]).hexdigest().encode() == data[-_SEAL_BYTES:]


def sealed(packed: Path, compiled: Callable[[str, bytes], CodeType | None]) -> bytes:
    """The bytes of the compiled archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            text = source.read(name)
            if name.endswith(".py"):
                code = compiled(name, text) or compile(text, f"{packed}/{name}", "exec", dont_inherit=True)
                head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(text)
                target.writestr(zipfile.ZipInfo(f"{name}c", _EPOCH), head + marshal.dumps(code))
            target.writestr(zipfile.ZipInfo(name, _EPOCH), text)  # as it is: packing takes longer than all the rest
        target.comment = b"0" * _SEAL_BYTES
    body = made.getvalue()[:-_SEAL_BYTES]
    return body + hashlib.sha256(body).hexdigest().encode()
