"""The agent's command lines: what each command takes, read without argparse, which takes as long to load as all the rest.

Whatever does not fit at once is given to argparse, so that help and complaints are as everybody knows them.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

IDLE_SECONDS = 30.0
"""How long an agent without work keeps its device while nobody is attached: to start another one takes a second."""
GARBAGE_DAYS = 14.0
PARTS = ("gpus", "driver-proof", "nvrtc-proof", "nvml", "nvrtc", "cupy")
"""What the doctor asks through a child that it can kill."""

Option = dict[str, Any]
"""As `argparse.ArgumentParser.add_argument` takes it."""

_HIDDEN = "==SUPPRESS=="  # as argparse calls it
_FLAG: Option = {"action": "store_true"}
_PROBED: dict[str, Option] = {
    "--module": {"action": "append", "default": [], "help": "a Python module to look for"},
    "--prefer-prebuilt": {"action": "append", "default": [], "metavar": "LANGUAGE"},
}
_CHILD: dict[str, Option] = {
    "--spec": {"type": Path, "required": True},
    "--supervisor": {"type": int, "required": True},
}
_COMMON: dict[str, Option] = {
    "--root": {"type": Path, "default": None, "help": "the host folder (default: ~/.cache/tunetui)"},
    "--python": {"default": "", "help": "the Python to run on, instead of this one"},
    "--user-site": {**_FLAG, "help": "let it find what is in ~/.local"},
}
COMMANDS: dict[str, tuple[str, dict[str, Option]]] = {
    "start": ("begin the run whose description comes on stdin, and leave it running", {
        "--idle-seconds": {"type": float, "default": IDLE_SECONDS, "help": "end without work or followers"},
    }),
    "attach": ("follow a run: its records on stdout, commands on stdin", {
        "--run": {"required": True},
        "--from-seq": {"type": int, "default": 0},
        "--offset": {"type": int, "default": 0},
        "--epoch": {"default": ""},
        "--client": {"default": "", "help": "who follows; nobody in particular leaves no trace of it"},
    }),
    "list": ("the runs of this host", {}),
    "recount": ("what a run was told, for somebody who did not begin it", {
        "--run": {"required": True},
        "--claim": {"default": "", "metavar": "CLIENT", "help": "let this follower deal it, unless another does"},
    }),
    "stop": ("ask a run to end after its present trial", {
        "--run": {"required": True},
        "--now": {**_FLAG, "help": "do not wait for the present trial"},
    }),
    "gc": ("remove old runs that are not alive", {
        "--days": {"type": float, "default": GARBAGE_DAYS},
        "--dry-run": {**_FLAG, "help": "only say what would be removed"},
        "--acknowledged": {**_FLAG, "help": "only runs that a JSON list on stdin names"},
    }),
    "probe": ("the devices and compilers of this host", {
        **_PROBED,
        "--modules-follow": {**_FLAG, "help": "more modules come on stdin, as a JSON list"},
    }),
    "doctor": ("what a run needs of this host, each thing with what to do about it", {
        "--device": {"default": "", "help": 'only "cpu", or only the GPU of this UUID'},
        "--part": {"choices": PARTS, "help": _HIDDEN},  # one question, put by a child of the doctor
        "--ordinal": {"type": int, "default": 0, "help": _HIDDEN},
    }),
    "pack": ("build what a request on stdin names into a bundle; abandoned when stdin ends", {
        "--output": {"type": Path, "required": True},
        "--jobs": {"type": int, "default": 0, "help": "builders at once (default: one for each core)"},
    }),
    "unpack": ("bring a bundle that comes on stdin into this host's cache", {
        "--kernel": {"default": "", "help": "refuse a bundle of another kernel"},
    }),
    "replay": ("run measured trials once more, under a profiler; started by the agent itself", {
        "--task": {"type": Path, "required": True},
    }),
    "environment": ("the Python of this host that imports what a run needs", {
        "--kind": {"choices": ("cpu", "gpu"), "required": True},
        "--probe": {**_FLAG, "help": "where there is one, go on with what it finds here"},
        **_PROBED,
    }),
    "environment-build": ("build the environment that a request on stdin describes", {
        "--serve": {**_FLAG, "help": _HIDDEN},  # the process that builds
    }),
    "echo": ("answer each line with the time: how long the way is, and what the clock says", {}),
    "receive": ("keep the wheel that comes on stdin", {
        "--name": {"required": True},
        "--size": {"type": int, "required": True},
        "--sha256": {"required": True},
    }),
    "compile": ("write this agent, compiled for this Python, to a file", {"--output": {"type": Path, "required": True}}),
    "worker": ("started by the agent itself", _CHILD),
    "builder": ("started by the agent itself", _CHILD),
}  # fmt: skip


def parse(arguments: Sequence[str]) -> Any:
    """The command's options as attributes, and ``command``.  Ends the process, as argparse does, where nothing fits."""
    read = _read(arguments)
    return read if read is not None else parser().parse_args(arguments)


def _read(arguments: Sequence[str]) -> SimpleNamespace | None:
    """What argparse would say, or None where it is to say it itself."""
    if not arguments or arguments[0] not in COMMANDS:
        return None
    options = {**_COMMON, **COMMANDS[arguments[0]][1]}
    values: dict[str, Any] = {"command": arguments[0]}
    words = iter(arguments[1:])
    for word in words:
        name, given, value = word.partition("=")
        option = options.get(name)
        if option is None or (given and option.get("action") == "store_true"):
            return None
        if option.get("action") == "store_true":
            values[_attribute(name)] = True
            continue
        value = value if given else next(words, "-")
        if not given and value.startswith("-"):  # none, or one that only argparse can tell from an option
            return None
        try:
            made = option.get("type", str)(value)
        except ValueError:
            return None
        if made not in option.get("choices", (made,)):
            return None
        attribute = _attribute(name)
        values[attribute] = [*values.get(attribute, []), made] if option.get("action") == "append" else made
    for name, option in options.items():
        if _attribute(name) not in values:
            if option.get("required"):
                return None
            default = option.get("default", False if option.get("action") == "store_true" else None)
            values[_attribute(name)] = list(default) if isinstance(default, list) else default
    return SimpleNamespace(**values)


def _attribute(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def parser() -> argparse.ArgumentParser:
    """The same in full."""
    import argparse

    whole = argparse.ArgumentParser(prog="tunetui_agent", description="The agent's command line.")
    commands = whole.add_subparsers(dest="command", required=True)
    for name, (text, own) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        for flag, option in {**_COMMON, **own}.items():
            command.add_argument(flag, **option)
    return whole
