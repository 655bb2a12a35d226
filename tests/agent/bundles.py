"""Bundles for tests: a real one, and zips that no bundle should be."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.agent.gpu_sources import gpu_trial, mojo_spec
from tunetui_agent.messages import RunSpec, Trial

KEY = "0123456789abcdef01234567"


def agent(root: Path, *arguments: str, stdin: bytes = b"") -> tuple[dict[str, Any], str]:
    """The last thing that one agent command says, and its stderr."""
    command = [sys.executable, "-m", "tunetui_agent", arguments[0], "--root", str(root), *arguments[1:]]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=300)
    lines = done.stdout.splitlines()
    return (json.loads(lines[-1]) if lines else {}), done.stderr.decode()


def variant(block: int | str) -> Trial:
    """A trial of the Mojo kernel of `gpu_sources`; one of text is refused by the compiler's parser, which is soon."""
    return replace(gpu_trial("mojo", block=block, layout="row"), id=f"{block:0>16}")


def pack(root: Path, output: Path, architectures: list[str], trials: list[Trial], spec: RunSpec) -> dict[str, Any]:
    """What `pack` answers; it hears us as long as it is at work."""
    request = {"spec": asdict(spec), "architectures": architectures, "trials": [asdict(trial) for trial in trials]}
    command = [
        sys.executable,
        "-m",
        "tunetui_agent",
        "pack",
        "--root",
        str(root),
        "--output",
        str(output),
        "--jobs",
        "1",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        said = [json.loads(line) for line in process.stdout]
    return dict(said[-1])


def pack_scale(root: Path, output: Path) -> dict[str, Any]:
    """Two variants that can be built and one that cannot, for two architectures."""
    return pack(root, output, ["sm_80", "sm_90"], [variant(block) for block in (64, "wide", 128)], mojo_spec())


def manifest(**fields: Any) -> bytes:
    """A manifest that is all right but for ``fields``."""
    usual = {
        "format": 1, "kernel": "scale", "tunetui": "0.1.0", "languages": {"mojo": "Mojo 1.2.0"},
        "architectures": ["sm_90"], "counts": {"mojo": 1}, "failures": {},
    }  # fmt: skip
    return json.dumps({**usual, **fields}).encode()


def artifact(key: str = KEY, payload: bytes = b"// PTX", **fields: Any) -> dict[str, bytes]:
    """The members of one artifact that is all right but for ``fields``."""
    meta = {"file": "a.ptx", "language": "mojo", "sha256": sha256(payload).hexdigest(), "bytes": len(payload), **fields}
    return {f"{key}/artifact.json": json.dumps(meta).encode(), f"{key}/a.ptx": payload}


def zipped(members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda _: None) -> bytes:
    """A zip of these members; ``change`` may spoil each entry."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | 0o600) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, data)
    return target.getvalue()


def good() -> dict[str, bytes]:
    """The members of a bundle that is all right."""
    return {**artifact(), "manifest.json": manifest()}


def files_below(folder: Path) -> list[str]:
    """Every file and folder, by relative name."""
    return sorted(
        os.path.relpath(Path(root) / name, folder) for root, dirs, files in os.walk(folder) for name in [*dirs, *files]
    )
