# SPDX-License-Identifier: GPL-3.0-or-later
"""The models on the disk and on the hub as Blender sees them: what is known, what goes on. Imports core and host."""

from dataclasses import dataclass, field
from pathlib import Path

from ...core.errors import UserError
from ...core.hub.messages import HubModel
from ...core.hub.stored import Plan
from ...host.hub import HubErrand
from ...host.library import Entry, Library
from .environments import Chore


@dataclass
class Look:
    """What was found out of one repository. loose: files of which one has to be named. free: bytes on the disk."""

    repository: str
    wanted: tuple[str, ...] = ()
    plan: Plan | None = None
    loose: tuple[str, ...] = ()
    free: int = 0


@dataclass
class Models:
    """library: of the folder in the preferences; entries: what was in it last; listed: a thread has looked.

    search, looking, download: the process that runs, or ran last. due: when the search for `words` begins, as
    `time.monotonic` counts; 0: none is wanted. found: by the last search, which was for `found_for`.
    look: of what was chosen last. chore: what else goes on with models.
    encoders: of the IP-Adapter that was set last: file -> the folder of its image encoder, None where there is none.
    damaged: path -> what the last check found wrong there. message, error: how the last of all this ended.
    """

    library: Library | None = None
    entries: tuple[Entry, ...] = ()
    listed: bool = False
    search: HubErrand | None = None
    looking: HubErrand | None = None
    download: HubErrand | None = None
    words: str = ""
    due: float = 0.0
    found: tuple[HubModel, ...] = ()
    found_for: str = ""
    look: Look | None = None
    chore: Chore | None = None
    damaged: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    encoders: dict[str, Path | None] = field(default_factory=dict)
    message: str = ""
    error: UserError | None = None

    @property
    def searching(self) -> bool:
        return self.search is not None and self.search.outcome is None

    @property
    def downloading(self) -> bool:
        return self.download is not None and self.download.outcome is None

    @property
    def busy(self) -> bool:
        """Whether something goes on that keeps the buttons from beginning something else."""
        return self.downloading or self.chore is not None or (self.looking is not None and self.looking.outcome is None)

    @property
    def active(self) -> bool:
        """Whether the timer has something to look after."""
        return self.busy or self.searching or self.due > 0
