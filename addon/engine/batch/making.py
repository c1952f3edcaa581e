# SPDX-License-Identifier: GPL-3.0-or-later
"""One task, from its request to its folder on the shelf. Imports core, and torch when the first picture is made."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ErrorKind, UserError, bug, cannot_import
from ...core.protocol import Phase, Start
from ...core.results import Draft, Result
from ..worker import card_error
from .rows import Task
from .shelf import Shelf

if TYPE_CHECKING:
    from ..watcher import Watcher

Maker = Callable[[Start, "Watcher"], None]  # makes the pictures of a job, and holds the model that it made them with
Outcome = tuple[Task, Result | UserError]

log = logging.getLogger(__name__)


class CardLost(Exception):
    """The accelerator cannot be used any more by this process. error: what is told."""

    def __init__(self, error: UserError) -> None:
        super().__init__(str(error))
        self.error = error


def with_models() -> Maker:
    """The real one. Imports torch, in seconds. Raises `UserError` (kind `RUNTIME`) where that fails."""
    try:
        from ..generate import make_images
        from ..models import ModelCache
    except Exception as error:
        raise cannot_import(error) from error
    return partial(make_images, ModelCache())


def make(maker: Maker, task: Task, shelf: Shelf, device: str = "auto", memory: str = "auto") -> Result:
    """The task's texture, on the shelf; one that is there already is not made again.

    device, memory: see `protocol.Start`. Raises `UserError`, also for mistakes of ours, or `CardLost`.
    """
    there = shelf.find(task)
    if there is not None:
        return there
    watch = _Watch(task, shelf)
    try:
        with shelf.scratch() as store:
            maker(Start(task.id, task.request, str(store), device, memory), watch)
    except UserError:
        raise
    except Exception as error:
        log.exception("the texture of line %d failed", task.line)
        if lost := card_error(error):
            raise CardLost(lost) from error
        raise bug(error) from error
    if watch.made is None:
        raise UserError(ErrorKind.WORKER, "The engine made no texture.", "Try again.")
    return watch.made


class _Watch:
    """A `Watcher` that only waits for the picture. What is noted stands in the result as well."""

    def __init__(self, task: Task, shelf: Shelf) -> None:
        self._task, self._shelf = task, shelf
        self.made: Result | None = None

    def check(self) -> None:
        """Nothing: Ctrl-C is an exception of its own."""

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        """Nothing: a batch counts pictures."""

    def note(self, text: str) -> None:
        """Nothing, see above."""

    def preview(self, image: int, step: int, path: Path) -> None:
        """Nothing: none are asked for."""

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        self.made = self._shelf.put(self._task, draft, result)
