"""The half of tunetui that runs beside the device."""

__version__ = "0.1.0"

HARNESS_VERSION = 4
"""Raised whenever a change could move a measured figure: older rows then count as stale."""
