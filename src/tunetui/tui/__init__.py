"""The cockpit: `tunetui` without `--batch`, drawn with Textual over the same session as everything else."""

from __future__ import annotations

import os

# Textual reads this once, at its first import. Its repaint timer rounds every key up to the next frame: at 120 Hz a
# key is seen twice as soon as at 60 for the same bytes, because our own ticks cause the paints. Over SSH the link
# is slower than either.
os.environ.setdefault("TEXTUAL_FPS", "60" if "SSH_CONNECTION" in os.environ else "120")
