# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job tells of itself while it runs. Imports core."""

from pathlib import Path
from typing import Protocol

from ..core.protocol import Phase
from ..core.results import Draft, Result


class Watcher(Protocol):
    """Whoever wants to know about a job. What its methods raise to end the job passes through everything here."""

    def check(self) -> None:
        """Raise if the job is to end. Called very often."""

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        """Where the job is; see `protocol.Progress`."""

    def note(self, text: str) -> None:
        """A sentence for the user."""

    def preview(self, image: int, step: int, path: Path) -> None:
        """A file with the picture in the making; see `protocol.Preview`."""

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        """Put a whole picture into the store and tell of it, or raise."""
