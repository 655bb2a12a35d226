"""Which compilers this host has, and whether they fit its GPUs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tunetui_agent.doctor.checks import Check, Section

COMPILERS = Section("Compilers")
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
_VERSION_SECONDS = 20.0
_TOOLKIT_PLACES = ("/usr/local/cuda/bin", "/usr/local/cuda-*/bin", "/opt/cuda/bin")


def check_mojo(root: Path) -> Check:
    """Mojo, without which Mojo rows are left out here, unless what they need was built elsewhere."""
    from tunetui_agent.build.mojo_toolchain import find_toolchain
    from tunetui_agent.build.prebuilt import read_origins

    found, brought = find_toolchain(), read_origins(root).get("mojo")
    if found.available:
        return COMPILERS.ok("Mojo", found.version)
    if brought:
        built = f"GPU kernels built elsewhere by {brought.compiler}, for {', '.join(brought.architectures)}"
        return COMPILERS.ok("Mojo", f"no compiler here; {built}")
    advice = "without it the rows of Mojo implementations are left out, unless they come in a bundle of tunetui build"
    return COMPILERS.warn("Mojo", found.reason, advice)


def check_nvrtc(facts: dict[str, Any], capabilities: list[int], python: str) -> Check:
    """NVRTC, which builds every CUDA C++ variant; ``capabilities`` are those of this host's GPUs (90 for sm_90)."""
    if "error" in facts:
        said, _, install = str(facts["error"]).partition(": pip ")
        if not capabilities:
            return COMPILERS.skip("NVRTC", said, "only GPU kernels in CUDA C++ need it")
        return COMPILERS.fail(
            "NVRTC", said, f"$ {python} -m pip {install.partition(' (')[0]}" if install else "reinstall it"
        )
    known = sorted(facts["architectures"])
    found = f"{facts['version']}, {f'sm_{known[0]} to sm_{known[-1]}, ' if known else ''}{facts['path']}"
    foreign = sorted({one for one in capabilities if one not in known})
    if foreign:
        names = ", ".join(f"sm_{one}" for one in foreign)
        newer = foreign[-1] > max(known, default=0)
        advice = "install a newer NVRTC" if newer else "install NVRTC of CUDA 12: CUDA 13 no longer builds for this GPU"
        return COMPILERS.fail("NVRTC", f"{found}; not {names}", advice)
    return COMPILERS.ok("NVRTC", found)


def check_toolkit() -> list[Check]:
    """The toolkit's nvcc and ptxas: not needed, but good to know of."""
    checks = []
    for name in ("nvcc", "ptxas"):
        path = find_tool(name, _TOOLKIT_PLACES)
        if path is None:
            checks.append(COMPILERS.skip(name, "not found; not needed"))
        else:
            checks.append(COMPILERS.ok(name, f"{tool_version(path) or 'version unknown'}, {path}; not needed"))
    return checks


def find_tool(name: str, places: tuple[str, ...]) -> Path | None:
    """A program on PATH, or in the newest of these folders: an ssh command's PATH rarely names the CUDA folders."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    for place in places:
        for folder in sorted(Path("/").glob(place.lstrip("/")), reverse=True):
            if shutil.which(str(folder / name)):
                return folder / name
    return None


def tool_version(path: Path) -> str:
    """The last version number that ``PATH --version`` prints; "" where it does not answer in time."""
    try:
        done = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _VERSION.findall(done.stdout.decode(errors="replace"))
    return found[-1] if found else ""
