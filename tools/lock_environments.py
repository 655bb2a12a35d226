# noqa: INP001 - a script, run by path
"""Writes src/tunetui/environments/*.json: what a bare host's environment is built from, every wheel with its hash.

    python tools/lock_environments.py [SET...]

Needs pip >= 23.1 and PyPI.  pip itself resolves each set for each Python and machine; nothing is downloaded but
metadata.  Run it again to move to newer versions, and commit what it wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SETS = {
    "cpu": ["numpy>=2,<3"],
    "cuda12": ["numpy>=2,<3", "cupy-cuda12x[ctk]>=14,<15", "nvidia-ml-py>=12.535"],
    "cuda13": ["numpy>=2,<3", "cupy-cuda13x[ctk]>=14,<15", "nvidia-ml-py>=13.580"],
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
GLIBC_MINORS = range(17, 29)  # wheels for glibc 2.28 and older: Ubuntu 20.04 and Debian 11 have 2.31
FOLDER = Path(__file__).parents[1] / "src/tunetui/environments"


def main(names: list[str]) -> None:
    """Lock the named sets, or all."""
    for name in names or SETS:
        lock = locked(name)
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(lock, indent=1) + "\n")
        sys.stdout.write(f"{path}: {len(lock['wheels'])} wheels for {len(lock['targets'])} targets\n")


def locked(name: str) -> dict[str, Any]:
    """One set as its file holds it."""
    wheels: dict[str, dict[str, Any]] = {}
    targets = {}
    for python in PYTHONS:
        for machine in MACHINES:
            found = resolved(SETS[name], python, machine)
            if found:
                targets[f"cp{python.replace('.', '')}-{machine}"] = sorted(found)
                wheels |= found
    pip = resolved(["pip"], "3.10", "x86_64")
    wheels |= pip
    for wheel in wheels.values():
        wheel["size"] = size_of(wheel["url"])
    return {"set": name, "requires": SETS[name], "pip": next(iter(pip)), "targets": targets, "wheels": wheels}


def resolved(requirements: list[str], python: str, machine: str) -> dict[str, dict[str, Any]]:
    """File name to what is known of the wheel; empty where a requirement has no wheel for this target."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [
            sys.executable, "-m", "pip", "install", "--isolated", "--quiet", "--dry-run", "--ignore-installed",
            "--only-binary", ":all:", "--target", folder, "--report", str(report), "--python-version", python,
            "--implementation", "cp", *(f"--platform={each}" for each in platforms), *requirements,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.stdout.write(f"no wheels for Python {python} on {machine}: {done.stderr.strip().splitlines()[-1]}\n")
            return {}
        installs = json.loads(report.read_text())["install"]
    return {
        unquote(Path(urlsplit(each["download_info"]["url"]).path).name): {
            "name": each["metadata"]["name"],
            "version": each["metadata"]["version"],
            "sha256": each["download_info"]["archive_info"]["hashes"]["sha256"],
            "url": each["download_info"]["url"],
        }
        for each in installs
    }


def size_of(url: str) -> int:
    """Bytes, as the index's file server says."""
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as answer:  # noqa: S310 - PyPI's own address
        return int(answer.headers["Content-Length"])


if __name__ == "__main__":
    main(sys.argv[1:])
