"""The agent's command line: every command answers with JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tunetui_agent.arguments import parse
from tunetui_agent.folder import FolderError, HostFolder, checked_name, default_root

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

REFUSED = 1


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit status: 0, or 1 when the answer is a refusal."""
    os.umask(0o077)
    asked = parse(arguments)
    # Each command loads only what it needs: `attach` is started after every lost link.
    commands = {
        "start": _start, "attach": _attach, "list": _list, "recount": _recount, "stop": _stop, "gc": _gc, "probe": _probe,
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


def _host(asked: argparse.Namespace) -> HostFolder:
    return HostFolder((asked.root or default_root()).expanduser().absolute())


def _start(asked: argparse.Namespace) -> int:
    from tunetui_agent.start import start

    return _answer(start(_host(asked), sys.stdin.buffer.read(), asked.idle_seconds))


def _attach(asked: argparse.Namespace) -> int:
    from tunetui_agent.attach import attach

    run = _host(asked).run(asked.run)
    client = checked_name(asked.client) if asked.client else ""
    return attach(run, from_seq=asked.from_seq, offset=asked.offset, epoch=asked.epoch, client=client)


def _list(asked: argparse.Namespace) -> int:
    from tunetui_agent.runs import list_runs

    return _answer({"ok": True, "runs": list_runs(_host(asked))})


def _recount(asked: argparse.Namespace) -> int:
    from tunetui_agent.runs import recount

    claimant = checked_name(asked.claim) if asked.claim else ""
    return _answer(recount(_host(asked).run(asked.run), claimant))


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

    return _answer({"ok": True, **probe(_host(asked).root, _modules(asked), asked.prefer_prebuilt)})


def _modules(asked: argparse.Namespace) -> Iterator[str]:
    yield from asked.module
    if asked.command == "probe" and asked.modules_follow:
        yield from json.loads(sys.stdin.buffer.readline() or b"[]")


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
