"""The cockpit: `tunetui` without `--batch`, drawn with Textual over the same session as everything else."""

from __future__ import annotations

import os

# Textual reads this once, at its first import. Its repaint timer rounds every key up to the next frame, and runs only
# while something waits to be drawn: at 240 Hz a key is seen after 2 ms in place of 4 at 60 Hz (5 and 24 for one in
# ten), for the same bytes and CPU, because our own ticks cause the paints. Over SSH the link is slower than either.
_IS_REMOTE = "SSH_CONNECTION" in os.environ
os.environ.setdefault("TEXTUAL_FPS", "60" if _IS_REMOTE else "240")

# How long Escape waits for what would make it another key, in ms; Textual waits 100. The bytes of one key come at once,
# but for a network that splits them.
os.environ.setdefault("ESCDELAY", "50" if _IS_REMOTE else "10")
