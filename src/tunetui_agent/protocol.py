"""The number of the language that app and agent speak; apart from its words, which not every command needs."""

from __future__ import annotations

PROTOCOL = 1
