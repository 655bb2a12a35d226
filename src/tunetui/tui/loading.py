"""How the app's own modules are loaded sooner: no garbage is looked for meanwhile, and NumPy starts no threads."""

from __future__ import annotations

import gc
import os
import sys

_THREADS = "OPENBLAS_NUM_THREADS"


def load_quickly() -> None:
    """To be called before the first import of Textual or NumPy; `QuietCollector.begin` ends the pause.

    The app multiplies no matrices, and the threads that OpenBLAS keeps ready for that take longer to start than all
    the rest of NumPy.  The variable is gone again afterwards: what is measured is measured in other processes, which
    decide for themselves.
    """
    gc.disable()
    if "numpy" in sys.modules or _THREADS in os.environ:
        return
    os.environ[_THREADS] = "1"
    try:
        import numpy as np  # noqa: F401 - for what its library does as it is loaded
    finally:
        del os.environ[_THREADS]
