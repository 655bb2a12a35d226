"""What a disk did to a kept artifact."""

from __future__ import annotations

from pathlib import Path

from tunetui_agent.build.cache import ArtifactCache


def store_damaged(cache: Path, key: str) -> None:
    """An artifact of two files under ``key``, the second of which is not any more what it was."""
    artifacts, files = ArtifactCache(cache), [cache / "first", cache / "second"]
    for file in files:
        file.write_text("whole")
    artifacts.store(key, files[0], {}, files[1:])
    (artifacts.folder(key) / "second").write_text("// damaged")
