# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a worker may take, and a clock that is fair to it. Imports core and the standard library only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..core.protocol import Phase


@dataclass(frozen=True)
class Deadlines:
    """Seconds after which the worker is given up. Time in which nobody pumped (a sleeping computer) does not count.

    hello: from starting the process to its first word. cancel: from asking for a cancel to killing. reap: from killing
    to forgetting a process that no signal reaches.
    line: from the end of a connection to another machine to the last try to have it again.
    silence: without any frame, heartbeats included; not in `STARTING`, where importing torch holds Python's lock long.
    phases: without progress in that phase. In `STARTING` a job may also wait for the last step or the loading of a
    cancelled one.
    """

    hello: float = 180.0
    silence: float = 60.0
    cancel: float = 1.0
    reap: float = 5.0
    line: float = 120.0
    phases: Mapping[Phase, float] = field(
        default_factory=lambda: {
            Phase.STARTING: 900.0,
            Phase.LOADING: 900.0,
            Phase.ENCODING: 300.0,
            Phase.SAMPLING: 900.0,
            Phase.DECODING: 900.0,
            Phase.TILING: 900.0,
            Phase.UPSCALING: 900.0,
            Phase.MAPPING: 900.0,
            Phase.SAVING: 300.0,
        }
    )


class Stopwatch:
    """Time that passes only while somebody looks: at most a second between two looks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self.now = 0.0

    def look(self) -> float:
        time_ = self._clock()
        self.now += min(max(time_ - self._last, 0.0), 1.0)
        self._last = time_
        return self.now
