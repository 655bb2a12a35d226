"""The leaderboard's JSON Schema, made from its structs: ``python -m tunetui.store.schema > docs/leaderboard.schema.json``."""

from __future__ import annotations

import json
import sys

import msgspec

from tunetui.core.leaderboard import SCHEMA_VERSION, Leaderboard


def leaderboard_schema() -> str:
    """JSON Schema (draft 2020-12) of a leaderboard file, for TOML and JSON alike, as text with a newline."""
    (reference,), definitions = msgspec.json.schema_components([Leaderboard], ref_template="#/$defs/{name}")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"tunetui leaderboard, schema_version {SCHEMA_VERSION}",
        **reference,
        "$defs": definitions,
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(leaderboard_schema())
