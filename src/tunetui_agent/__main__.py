"""Runs the agent: from its archive, or as ``python -m tunetui_agent``."""

import sys

from tunetui_agent.collecting import collect_rarely


def run() -> int:
    """One command; its exit status."""
    collect_rarely()
    from tunetui_agent.commands import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
