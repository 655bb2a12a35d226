"""The agent's command line: every command answers with JSON on stdout."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.folder import FolderError, HostFolder, checked_name, default_root

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED = 1
IDLE_SECONDS = 30.0
"""How long an agent without work keeps its device while nobody is attached: to start another one takes a second."""
GARBAGE_DAYS = 14.0
PARTS = ("gpus", "driver-proof", "nvrtc-proof", "nvml", "nvrtc", "cupy")
"""What the doctor asks through a child that it can kill."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit status: 0, or 1 when the answer is a refusal."""
    os.umask(0o077)
    asked = _parser().parse_args(arguments)
    # Each command loads only what it needs: `attach` is started after every lost link.
    commands = {
        "start": _start, "attach": _attach, "list": _list, "stop": _stop, "gc": _gc, "probe": _probe,
        "doctor": _doctor, "pack": _pack, "unpack": _unpack, "worker": _worker, "builder": _builder,
        "replay": _replay, "environment": _environment, "environment-build": _environment_build, "receive": _receive,
        "compile": _compile,
        "echo": _echo,
    }  # fmt: skip
    try:
        if asked.python and asked.command != "environment":
            from tunetui_agent.reentry import reenter

            reenter(asked.python, arguments, user_site=asked.user_site)
        return commands[asked.command](asked)
    except FolderError as error:
        return _answer({"ok": False, "error": error.code, "text": str(error)})
    except (BrokenPipeError, KeyboardInterrupt):  # whoever asked is gone
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tunetui_agent", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, default=None, help="the host folder (default: ~/.cache/tunetui)")
    common.add_argument("--python", default="", help="the Python to run on, instead of this one")
    common.add_argument("--user-site", action="store_true", help="let it find what is in ~/.local")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[common], help=text, description=text)

    start = command("start", "begin the run whose description comes on stdin, and leave it running")
    start.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end without work or followers")
    attach = command("attach", "follow a run: its records on stdout, commands on stdin")
    attach.add_argument("--run", required=True)
    attach.add_argument("--from-seq", type=int, default=0)
    attach.add_argument("--offset", type=int, default=0)
    attach.add_argument("--epoch", default="")
    attach.add_argument("--client", default="anonymous")
    command("list", "the runs of this host")
    stop = command("stop", "ask a run to end after its present trial")
    stop.add_argument("--run", required=True)
    stop.add_argument("--now", action="store_true", help="do not wait for the present trial")
    gc = command("gc", "remove old runs that are not alive")
    gc.add_argument("--days", type=float, default=GARBAGE_DAYS)
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    gc.add_argument("--acknowledged", action="store_true", help="only runs that a JSON list on stdin names")
    probe = command("probe", "the devices and compilers of this host")
    doctor = command("doctor", "what a run needs of this host, each thing with what to do about it")
    doctor.add_argument("--device", default="", help='only "cpu", or only the GPU of this UUID')
    doctor.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # one question, put by a child of the doctor
    doctor.add_argument("--ordinal", type=int, default=0, help=argparse.SUPPRESS)
    pack = command("pack", "build what a request on stdin names into a bundle; abandoned when stdin ends")
    pack.add_argument("--output", type=Path, required=True)
    pack.add_argument("--jobs", type=int, default=0, help="builders at once (default: one for each core)")
    unpack = command("unpack", "bring a bundle that comes on stdin into this host's cache")
    unpack.add_argument("--kernel", default="", help="refuse a bundle of another kernel")
    replay = command("replay", "run measured trials once more, under a profiler; started by the agent itself")
    replay.add_argument("--task", type=Path, required=True)
    environment = command("environment", "the Python of this host that imports what a run needs")
    environment.add_argument("--kind", choices=("cpu", "gpu"), required=True)
    environment.add_argument("--probe", action="store_true", help="where there is one, go on with what it finds here")
    for one in (probe, environment):
        one.add_argument("--module", action="append", default=[], help="a Python module to look for")
        one.add_argument("--prefer-prebuilt", action="append", default=[], metavar="LANGUAGE")
    build = command("environment-build", "build the environment that a request on stdin describes")
    build.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)  # the process that builds
    command("echo", "answer each line with the time: how long the way is, and what the clock says")
    receive = command("receive", "keep the wheel that comes on stdin")
    receive.add_argument("--name", required=True)
    receive.add_argument("--size", type=int, required=True)
    receive.add_argument("--sha256", required=True)
    compiled = command("compile", "write this agent, compiled for this Python, to a file")
    compiled.add_argument("--output", type=Path, required=True)
    for name in ("worker", "builder"):
        child = command(name, "started by the agent itself")
        child.add_argument("--spec", type=Path, required=True)
        child.add_argument("--supervisor", type=int, required=True)
    return parser


def _host(asked: argparse.Namespace) -> HostFolder:
    return HostFolder((asked.root or default_root()).expanduser().absolute())


def _start(asked: argparse.Namespace) -> int:
    from tunetui_agent.start import start

    return _answer(start(_host(asked), sys.stdin.buffer.read(), asked.idle_seconds))


def _attach(asked: argparse.Namespace) -> int:
    from tunetui_agent.attach import attach

    run = _host(asked).run(asked.run)
    client = checked_name(asked.client)
    return attach(run, from_seq=asked.from_seq, offset=asked.offset, epoch=asked.epoch, client=client)


def _list(asked: argparse.Namespace) -> int:
    from tunetui_agent.runs import list_runs

    return _answer({"ok": True, "runs": list_runs(_host(asked))})


def _stop(asked: argparse.Namespace) -> int:
    from tunetui_agent.runs import stop

    return _answer(stop(_host(asked).run(asked.run), at_once=asked.now))


def _gc(asked: argparse.Namespace) -> int:
    from tunetui_agent.runs import collect_garbage

    try:
        named = [str(name) for name in json.load(sys.stdin)] if asked.acknowledged else None
    except (ValueError, TypeError):
        return _answer({"ok": False, "error": "acknowledged", "text": "expected a JSON list of names on stdin"})
    removed = collect_garbage(_host(asked), asked.days, named, pretend=asked.dry_run)
    return _answer({"ok": True, "removed": removed})


def _probe(asked: argparse.Namespace) -> int:
    from tunetui_agent.probe import probe

    return _answer({"ok": True, **probe(_host(asked).root, asked.module, asked.prefer_prebuilt)})


def _doctor(asked: argparse.Namespace) -> int:
    if asked.part:
        from tunetui_agent.doctor.parts import answer_part

        sys.stdout.write(json.dumps(answer_part(asked.part, asked.ordinal)) + "\n")
        return 0
    from tunetui_agent.doctor import examine

    return _answer({"ok": True, **examine(_host(asked).root, asked.device)})


def _pack(asked: argparse.Namespace) -> int:
    from tunetui_agent.pack import pack

    return _answer(pack(_host(asked), asked.output.absolute(), asked.jobs, _say))


def _unpack(asked: argparse.Namespace) -> int:
    from tunetui_agent.unpack import unpack

    return _answer(unpack(_host(asked), sys.stdin.buffer, asked.kernel))


def _environment(asked: argparse.Namespace) -> int:
    from tunetui_agent.environment import look

    found = look(_host(asked), asked.kind, asked.python)
    code = _answer(found)
    if asked.probe and found["state"] == "ready":
        # The next question is what that Python finds here: answered at once, it costs no way there and back.
        if found["python"] == sys.executable and sys.flags.isolated and not found["user_site"]:
            return _probe(asked)
        from tunetui_agent.reentry import reenter

        root = ["--root", str(asked.root)] if asked.root else []
        more = [
            *(f"--module={name}" for name in asked.module),
            *(f"--prefer-prebuilt={n}" for n in asked.prefer_prebuilt),
        ]
        reenter(found["python"], ["probe", *root, *more], user_site=found["user_site"])
    return code


def _environment_build(asked: argparse.Namespace) -> int:
    from tunetui_agent.environment.following import build_and_follow, serve

    if asked.serve:
        return serve(_host(asked), sys.stdin.buffer.readline())
    return _answer(build_and_follow(_host(asked), sys.stdin.buffer.readline(), _say))


def _receive(asked: argparse.Namespace) -> int:
    from tunetui_agent.environment.receiving import receive

    return _answer(receive(_host(asked), asked.name, asked.size, asked.sha256, sys.stdin.buffer, _say))


def _echo(asked: argparse.Namespace) -> int:
    while sys.stdin.buffer.readline():
        _say({"say": "echo", "time": time.time()})
    return 0


def _compile(asked: argparse.Namespace) -> int:
    from tunetui_agent.children import archive
    from tunetui_agent.compiled import write_compiled

    packed = archive()
    if packed is None:
        raise FolderError("folder", "this agent runs from a folder: there is nothing to compile")
    try:
        write_compiled(packed, asked.output)
    except OSError as error:
        raise FolderError("folder", f"{asked.output}: {error.strerror or error}") from None
    return _answer({"ok": True})


def _worker(asked: argparse.Namespace) -> int:
    from tunetui_agent.worker import main as serve

    return serve(asked.spec, asked.supervisor)


def _builder(asked: argparse.Namespace) -> int:
    from tunetui_agent.builder import main as serve

    return serve(asked.spec, _host(asked).root, asked.supervisor)


def _replay(asked: argparse.Namespace) -> int:
    from tunetui_agent.replay import replay

    return replay(asked.task)


def _answer(answer: dict[str, Any]) -> int:
    _say(answer)
    return 0 if answer["ok"] else REFUSED


def _say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said, separators=(",", ":")) + "\n")
    sys.stdout.flush()
