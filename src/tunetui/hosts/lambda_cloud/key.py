"""The key to a Lambda Cloud account: from the environment or a private file, and never to be seen again."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError

VARIABLE = "LAMBDA_API_KEY"
FILE = "lambda.key"
_WHERE = "Lambda's dashboard makes keys: https://cloud.lambda.ai/api-keys"
_MOST_BYTES = 4096
_KEY = re.compile(r"[\x21-\x7e]{8,512}")
"""Nothing that could end a header line and begin another."""


class ApiKey:
    """A key that does not print, format, compare or pickle itself."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "ApiKey(hidden)"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not to be written down")

    def header(self) -> str:
        """What goes into the Authorization header; the only way to the key."""
        return f"Bearer {self._text}"

    @property
    def mark(self) -> str:
        """Eight hexadecimal digits that tell keys apart and lead back to none."""
        return hashlib.blake2b(self._text.encode(), digest_size=4, person=b"tunetui-lambda").hexdigest()


def load_key(folder: Path, environment: Mapping[str, str] = os.environ) -> ApiKey:
    """The key in ``LAMBDA_API_KEY``, else in ``folder/lambda.key``, which nobody else may be able to read.

    Raises:
        InputError: there is none, the file is not private, or what it holds is no key.
    """
    if environment.get(VARIABLE, "").strip():
        return _checked(environment[VARIABLE].strip(), f"the variable {VARIABLE}")
    path = folder / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise InputError(
            "there is no key to Lambda Cloud",
            hint=f"set {VARIABLE}, or write it to {clean(str(path))}, mode 0600\n{_WHERE}",
        ) from None
    except OSError as error:
        raise InputError(f"{clean(str(path))} cannot be read: {error.strerror}") from None
    try:
        _check_private(os.fstat(descriptor), path)
        raw = os.read(descriptor, _MOST_BYTES)  # what was looked at is what is read
    finally:
        os.close(descriptor)
    return _checked(raw.decode("ascii", errors="replace").strip(), clean(str(path)))


def _check_private(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{clean(str(path))} is no file")
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.getuid() or mode & 0o077:
        raise InputError(
            f"{clean(str(path))} can be read by others (mode {mode:04o}): the key in it may be known by now",
            hint=f"chmod 600 {clean(str(path))}; if others use this machine, make a new key\n{_WHERE}",
        )


def _checked(text: str, source: str) -> ApiKey:
    if not _KEY.fullmatch(text):
        raise InputError(f"{source} holds no key: one line of letters, digits and signs is expected", hint=_WHERE)
    return ApiKey(text)
