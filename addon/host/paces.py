# SPDX-License-Identifier: GPL-3.0-or-later
"""How long jobs took on this machine, in a small file of the user's. Imports core and the standard library only.

Nothing depends on it but the time that is shown: a file that is broken or cannot be written is logged once.
"""

import json
import logging
import os
import statistics
from pathlib import Path

from ..core.pace import Pace, is_seconds, keys
from ..core.requests import Request

_logger = logging.getLogger(__name__)
_VERSION = 1
_KEPT = 5  # values of each part: the median of so few follows a machine that changes, and no single bad day
_MAX_KEYS = 200
_MAX_BYTES = 1 << 20

_Seconds = dict[str, dict[str, list[float]]]  # key -> part -> seconds, the newest last


class Paces:
    """The file at `path`, read here and now; it need not exist yet. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._warned = False
        self._seconds = self._read()

    def find(self, request: Request, device: str, memory: str) -> Pace:
        """What such jobs took: the median of the last five, None for what was never measured."""
        for_model, for_size = keys(request, device, memory)
        return Pace(
            start=self._median(for_model, "start"),
            load=self._median(for_model, "load"),
            step=self._median(for_size, "step"),
            beside=self._median(for_size, "beside"),
        )

    def learn(self, request: Request, device: str, memory: str, pace: Pace) -> None:
        """Remember what a finished job took, and write it down."""
        seconds = self._seconds
        for_model, for_size = keys(request, device, memory)
        for key, parts in ((for_model, ("start", "load")), (for_size, ("step", "beside"))):
            measured = {part: value for part in parts if (value := getattr(pace, part)) is not None}
            if measured:
                known = seconds.pop(key, {})  # and back in at the end: the first is the one that was longest unused
                for part, value in measured.items():
                    known[part] = [*known.get(part, ()), round(value, 4)][-_KEPT:]
                seconds[key] = known
        while len(seconds) > _MAX_KEYS:
            del seconds[next(iter(seconds))]
        self._write()

    def _median(self, key: str, part: str) -> float | None:
        values = self._seconds.get(key, {}).get(part)
        return statistics.median(values) if values else None

    def _read(self) -> _Seconds:
        try:
            with self._path.open("rb") as file:
                return _checked(json.loads(file.read(_MAX_BYTES)))
        except FileNotFoundError:
            pass  # nothing was made yet
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._tell("read", error)
        return {}

    def _write(self) -> None:
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        text = json.dumps({"version": _VERSION, "seconds": self._seconds}, indent=1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="ascii")
            os.replace(part, self._path)
        except OSError as error:
            self._tell("written", error)

    def _tell(self, what: str, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            _logger.warning("How long jobs take could not be %s in %s: %s", what, self._path, error)


def _checked(data: dict[str, object]) -> _Seconds:
    """What can be used of a file's content. Raises ValueError, TypeError, KeyError, AttributeError where none can."""
    if data["version"] != _VERSION:
        raise ValueError(f"version {data['version']!r}")
    found: _Seconds = {}
    for key, parts in data["seconds"].items():  # type: ignore[attr-defined]
        found[key] = {part: [float(v) for v in values if is_seconds(v)][-_KEPT:] for part, values in parts.items()}
    return found
