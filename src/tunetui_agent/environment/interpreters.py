"""Finds a Python on this host that already imports what the agent's worker needs; each is asked in a child of its own."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tunetui_agent.asking import ask_child

LEAST_PYTHON, LEAST_NUMPY, LEAST_CUPY = (3, 10), (1, 22), (13, 0)
NEEDED = {"cpu": ("numpy",), "gpu": ("numpy", "cupy")}
"""Modules without which no trial can be measured, by kind of device."""

_WANTED = {"cpu": ("numpy",), "gpu": ("numpy", "cupy", "pynvml")}
_SECONDS = 30.0
_AT_ONCE = 4
_MOST_CANDIDATES = 24
_NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python3.10", "python3.14", "python")
_PREFIXES = (
    "~/miniconda3", "~/anaconda3", "~/miniforge3", "~/mambaforge", "~/micromamba", "~/.venv", "~/venv", "/opt/conda",
    "/opt/miniconda3", "/opt/miniforge3", "/opt/venv", "/opt/*", "~/.pyenv/versions/3.*", "/usr/local", "/usr",
)  # fmt: skip

# Old Pythons run this too, and say that they are old.
_QUESTION = """
import json, sys
sys.path[:] = [part for part in sys.path if part]
from importlib import import_module
found = {"version": list(sys.version_info[:3]), "python": sys.executable, "bits": sys.maxsize.bit_length() + 1}
try:
    import site
    found["user_site"] = site.getusersitepackages()
except Exception as error:
    found["user_site"] = ""
modules = {}
for name in sys.argv[1:]:
    try:
        module = import_module(name)
        modules[name] = {"version": str(getattr(module, "__version__", "")), "file": module.__file__ or ""}
        if name == "cupy":
            modules[name]["cuda"] = module.cuda.runtime.runtimeGetVersion() // 1000
    except ImportError as error:
        modules[name] = {"missing": str(error)}
    except Exception as error:
        modules[name] = {"missing": type(error).__name__ + ": " + str(error)}
found["modules"] = modules
try:
    import venv
    found["venv"] = True
    import ensurepip
    found["ensurepip"] = bool(ensurepip.version())
except Exception:
    pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Interpreter:
    """One Python and what it can do; ``why`` is empty where it has everything that was asked for."""

    python: str  # path
    version: tuple[int, ...] = ()
    user_site: bool = False  # whether it finds the modules in ~/.local only, so must not run isolated
    modules: dict[str, str] = field(default_factory=dict)  # to versions
    files: tuple[str, ...] = ()  # of the modules
    can_make: bool = False  # environments (the module venv)
    ensurepip: bool = False
    why: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def find(
    kind: str, cuda: int = 0, extra: tuple[Path, ...] = (), *, only_extra: bool = False
) -> tuple[Interpreter | None, list[Interpreter]]:
    """The Python to use, if any, and all that were asked.

    ``cuda`` is the major version of CUDA that the driver runs; ``extra`` are Pythons looked at right after this one,
    or the only ones that may be used.
    """
    first = [sys.executable] if not only_extra else []
    asked = [ask(python, kind, cuda) for python in first]
    if not any(_is_complete(each, kind) for each in asked):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            own = list(pool.map(lambda path: ask(str(path), kind, cuda), extra))
            rest = [*([] if first else [Path(sys.executable)]), *candidates()]
            done = only_extra and any(not each.why for each in own)
            others = [] if done else list(pool.map(lambda path: ask(str(path), kind, cuda), rest))
        asked = [*asked, *own, *([] if only_extra else others)]
    else:
        others = []
    usable = [each for each in asked if not each.why]
    complete = [each for each in usable if _is_complete(each, kind)]  # with what watches clocks and throttling
    everyone = list({each.python: each for each in [*asked, *others]}.values())
    return next(iter([*complete, *usable]), None), everyone


def _is_complete(found: Interpreter, kind: str) -> bool:
    return not found.why and set(_WANTED[kind]) <= set(found.modules)


def ask(python: str, kind: str, cuda: int = 0) -> Interpreter:
    """What one Python can do, isolated from the user's own site-packages unless it is they that make it usable."""
    isolated = _asked(python, kind, cuda, "-I")
    if isolated.why and isolated.user_site:
        with_site = _asked(python, kind, cuda, "-E")
        if not with_site.why:
            return with_site
    return isolated


def candidates() -> list[Path]:
    """Pythons other than the one that runs this, the likeliest first, each program once."""
    active = [os.environ.get(name, "") for name in ("VIRTUAL_ENV", "CONDA_PREFIX")]
    found = [Path(prefix, "bin", "python") for prefix in active if Path(prefix).is_absolute()]
    path = os.pathsep.join(part for part in os.environ.get("PATH", "").split(os.pathsep) if Path(part).is_absolute())
    found += [Path(there) for name in _NAMES if (there := shutil.which(name, path=path))]
    for pattern in _PREFIXES:
        prefix = Path(pattern).expanduser()
        prefixes = sorted(prefix.parent.glob(prefix.name)) if "*" in pattern else [prefix]
        found += [each / "bin" / name for each in prefixes for name in ("python3", "python")]
    seen = {_identity(Path(sys.executable))}
    once = []
    for program in found:
        if _identity(program) not in seen and os.access(program, os.X_OK):
            seen.add(_identity(program))
            once.append(program)
    return once[:_MOST_CANDIDATES]


def _asked(python: str, kind: str, cuda: int, flag: str) -> Interpreter:
    answer = ask_child([python, flag, "-c", _QUESTION, *_WANTED[kind]], _SECONDS)
    try:
        version = tuple(int(part) for part in answer["version"])
        modules = {str(name): dict(about) for name, about in answer["modules"].items()}
    except (KeyError, TypeError, ValueError):
        return Interpreter(python, why=str(answer.get("error", "it does not run as a Python"))[:300])
    here = {name: about for name, about in modules.items() if "missing" not in about}
    user_site = flag == "-E" or Path(str(answer.get("user_site") or "/none")).is_dir()
    return Interpreter(
        python=str(answer.get("python") or python),
        version=version,
        user_site=user_site,
        modules={name: str(about.get("version", "")) for name, about in here.items()},
        files=tuple(str(about.get("file", "")) for about in here.values()),
        can_make=bool(answer.get("venv")),
        ensurepip=bool(answer.get("ensurepip")),
        why=_why_not(version, answer, modules, kind, cuda),
    )


def _why_not(
    version: tuple[int, ...], answer: dict[str, Any], modules: dict[str, dict[str, Any]], kind: str, cuda: int
) -> str:
    if version[:2] < LEAST_PYTHON:
        return f"Python {_dotted(version)} is older than {_dotted(LEAST_PYTHON)}"
    if answer.get("bits") != 64:
        return "it is no 64-bit Python"
    missing = [f"{name} does not import ({_short(about['missing'])})" for name, about in modules.items()
               if name in NEEDED[kind] and "missing" in about]  # fmt: skip
    if missing:
        return "; ".join(missing)
    for name, least in (("numpy", LEAST_NUMPY), ("cupy", LEAST_CUPY)):
        has = modules.get(name, {}).get("version")
        if name in NEEDED[kind] and _numbers(str(has)) < least:
            return f"{name} {has} is older than {_dotted(least)}"
    built = modules.get("cupy", {}).get("cuda", 0)
    if cuda and isinstance(built, int) and built > cuda:
        return f"its CuPy is built for CUDA {built}, and the driver runs CUDA {cuda}"
    return ""


def _identity(program: Path) -> tuple[str, str]:
    """Two links to one program in one folder are the same Python; the link in an environment is another."""
    return os.path.realpath(program.parent), os.path.realpath(program)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _short(text: Any) -> str:
    return " ".join(str(text).split())[:120]
