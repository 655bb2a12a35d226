"""Runs the agent: from its archive, or as ``python -m tunetui_agent``."""

import sys

from tunetui_agent.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
