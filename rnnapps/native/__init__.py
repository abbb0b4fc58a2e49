"""The native engine: forward and backward loops of the cells as C++ CPU ops for TensorFlow.

It is compiled with the machine's C++ compiler on first use (`build.py`) and kept in the user's cache folder
(`cache.py`). The graph engine takes over whatever the native engine cannot do, and everything if there is no
compiler. `python -m rnnapps.native` shows which engine is in use and why.

The environment variable `RNNAPPS_ENGINE` decides for the whole process: "graph", "native" (an error if it cannot be
built) or "auto".
"""

from __future__ import annotations

import os
import sys
import threading
from types import ModuleType

from rnnapps.errors import UserError

ENGINES = ("graph", "native", "auto")

_lock = threading.Lock()
_library: ModuleType | None = None
_reason: str | None = None  # why there is no library, once known


def wanted() -> str:
    """The engine that `RNNAPPS_ENGINE` asks for: "graph", "native" or "auto", the default.

    Raises:
        UserError: If the variable has any other value.
    """
    value = os.environ.get("RNNAPPS_ENGINE") or "auto"
    if value not in ENGINES:
        raise UserError(f"RNNAPPS_ENGINE must be one of {', '.join(ENGINES)}, got {value!r}")
    return value


def library() -> ModuleType | None:
    """The ops, built on first use, or None if they cannot be built.

    The first call may take about ten seconds and says so on stderr. If nothing can be built, that is said once as well,
    and this process does not try again.

    Raises:
        BuildError: If `RNNAPPS_ENGINE=native` and the ops cannot be built.
    """
    global _library, _reason
    with _lock:
        if _library is None and _reason is None:
            _library, _reason = _load()
            if _reason and wanted() == "auto":
                print(f"rnnapps: {_reason}; using the graph engine, which is slower", file=sys.stderr, flush=True)
    if _reason and wanted() == "native":
        from rnnapps.native.compiler import BuildError

        raise BuildError(f"RNNAPPS_ENGINE=native: {_reason}")
    return _library


def missing() -> str | None:
    """Why `library()` returned None; None before its first call, or if there is a library."""
    return _reason


def _load() -> tuple[ModuleType | None, str | None]:
    import tensorflow as tf

    from rnnapps.native.build import build
    from rnnapps.native.compiler import BuildError

    try:
        return tf.load_op_library(str(build())), None
    except BuildError as error:
        return None, str(error)
    except (tf.errors.OpError, OSError) as error:
        return None, f"the native engine does not load: {error}"
