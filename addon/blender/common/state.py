# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension remembers while it is enabled, all in one place that `reset` clears. Imports core, host.

Nothing in here refers to Blender's data: undo, redo and loading a file would leave it dangling.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...core.errors import UserError
from ...core.history import Entry, Which
from ...core.jobs import Job, JobState
from ...core.results import Result
from ...host.elsewhere import Report
from ...host.history import History
from ...host.session import Session
from .environments import Environments, Setup
from .models import Models
from .targets import Target


def new_document() -> str:
    """A name for a file that has just been opened."""
    return uuid4().hex


@dataclass
class View:
    """How the panel shows the history.

    text, which: what is searched for. found: the entries that fit, the newest first; page: which part of them is shown.
    selected: the name of the result that the buttons are about; follows: it becomes the next one that is made.
    pictures: what a click on its picture offers, as an enumeration's items; the first text of each is a result's name.
    seconds: what a transition may lead to, likewise.
    comparing: another texture is shown.
    offered: names of what earlier sessions left behind; begun: when this one began, seconds since 1970.
    placed: names of results that came into the open file since it was opened, which undo and redo may bring back;
    doomed: those of them that the user has deleted; they go when another file is opened.
    paths_before: the paths of images, by session uid, that were changed for the file to be saved.
    """

    text: str = ""
    which: Which = Which.ALL
    found: tuple[Entry, ...] = ()
    page: int = 0
    selected: str = ""
    follows: bool = True
    pictures: tuple[tuple[str, str, str, int, int], ...] = ()
    seconds: tuple[tuple[str, str, str, int, int], ...] = ()
    comparing: bool = False
    offered: tuple[str, ...] = ()
    begun: float = field(default_factory=time.time)
    placed: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)
    paths_before: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptList:
    """Jobs that were queued together. title: what the list is called."""

    title: str
    jobs: tuple[Job, ...]

    @property
    def left(self) -> list[Job]:
        """Those that have not ended."""
        return [job for job in self.jobs if not job.ended]

    @property
    def failed(self) -> int:
        """How many ended without a texture."""
        return sum(job.state is JobState.FAILED for job in self.jobs)

    @property
    def fraction(self) -> float:
        """How much of it is over, 0 to 1."""
        return sum(1.0 if job.ended else job.fraction for job in self.jobs) / len(self.jobs)


@dataclass
class State:
    """document: names the open file, and changes when another is opened.
    stores: where results of this session are.
    targets: where the result of each job that has not been delivered goes.
    folders: what was written for a job to read, until it has ended.
    waiting: jobs that are finished and not delivered yet; hindrance: what they wait for.
    lists: of prompts that were queued together; the last one stays when it has ended.
    last: the job whose results were made last; shown: which of them; outcome: where they went; outcome_of: the name of
    the result that it is about, "" where it is about none; outcome_placed: that one was in use then.
    phase: the id of the running job and what it does; phase_began: since when, as `time.monotonic` counts; busy: other
    programs want the processor.
    status: what the panel and the status bar say is going on; shown_in: the regions that show the panel, by pointer.
    step_previews: the picture in the making, as an icon.
    history: the results on disk, read when they are first asked for; view: how the panel shows them.
    models: those on the disk, and what goes on with the hub; model_before: what was chosen when a list of them opened.
    setup: the installer and what else goes on with the engine's packages; environments: what was found of them last.
    elsewhere: what was found last on the other machine that the preferences name.
    export: the export of maps that runs or was the last, a `material.export_job.Export`.
    baked: the bake of a material that runs or was the last, a `material.bake.Bake`; baked_target: the file, the object
    that gets the baked material or 0, and the one that was baked; baked_outcome: what came of it.
    bake: of a control picture, which goes on: a `jobs.bake_job.Bake`.
    thumbnails: of what was shown last, as icons; None: there is no window.
    error: what the panel shows until it is closed or the next job begins; engine_error: nothing can be made at all.
    """

    document: str = field(default_factory=new_document)
    session: Session | None = None
    session_settings: tuple[Any, ...] = ()
    stores: set[Path] = field(default_factory=set)
    targets: dict[str, Target] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    waiting: list[Job] = field(default_factory=list)
    lists: list[PromptList] = field(default_factory=list)
    hindrance: str = ""
    last: Job | None = None
    shown: int = 0
    outcome: str = ""
    outcome_of: str = ""
    outcome_placed: bool = False
    error: UserError | None = None
    engine_error: UserError | None = None
    thumbnails: Any = None
    phase: tuple[str, str] = ("", "")
    phase_began: float = 0.0
    busy: bool = False
    status: str = ""
    shown_in: set[int] = field(default_factory=set)
    step_previews: Any = None
    history: History | None = None
    view: View = field(default_factory=View)
    models: Models = field(default_factory=Models)
    model_before: str = ""
    setup: Setup = field(default_factory=Setup)
    environments: Environments | None = None
    elsewhere: Report | None = None
    export: Any = None
    bake: Any = None
    baked: Any = None
    baked_target: tuple[str, int, int] = ("", 0, 0)
    baked_outcome: str = ""

    @property
    def results(self) -> list[Result]:
        """The results of the last job that made any, in order."""
        return [self.last.results[index] for index in sorted(self.last.results)] if self.last else []

    @property
    def result(self) -> Result | None:
        """The one that the panel shows and Apply takes."""
        results = self.results
        return results[self.shown % len(results)] if results else None


current = State()


def reset() -> None:
    """Forget everything. The session must be closed before."""
    global current
    current = State()
