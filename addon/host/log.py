# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's log file, which cannot fill the disk. Imports the standard library only."""

import logging
import os
import threading
from io import FileIO
from pathlib import Path

_logger = logging.getLogger(__name__)


class CappedLog:
    """Bytes appended to `path`. Over `limit` bytes the file becomes `path` + ".1" and starts anew: two of them at most.

    A log that cannot be written is reported once and given up: nothing waits or fails for it. Safe from any thread.
    """

    def __init__(self, path: Path, limit: int = 2 << 20) -> None:
        self.path = path
        self._limit = limit
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._broken = False

    def write(self, data: bytes) -> None:
        with self._lock:
            if self._broken:
                return
            try:
                for begin in range(0, len(data), self._limit):
                    self._write(data[begin : begin + self._limit])
            except OSError as error:
                self._broken = True
                _logger.warning("The engine's log %s cannot be written: %s", self.path, error)

    def close(self) -> None:
        """Let go of the file; the next write opens it again."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None
            self._broken = False

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self.path, "a")
        if self._file.seek(0, os.SEEK_END) + len(data) > self._limit:
            self._file.close()
            self._file = None
            os.replace(self.path, self.path.with_name(self.path.name + ".1"))
            self._file = FileIO(self.path, "a")
        while data:
            data = data[self._file.write(data) or 0 :]
