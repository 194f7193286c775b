"""End a process when the process that started it has ended, for whatever reason."""

from __future__ import annotations

import os
import threading


def stop_with_parent() -> None:
    """Watch standard input, a pipe whose other end the parent holds, and end this process when that end closes."""
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
