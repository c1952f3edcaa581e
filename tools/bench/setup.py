# SPDX-License-Identifier: GPL-3.0-or-later
"""What every group of figures is given. Imports only the standard library."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """How to measure.

    Attributes:
        python: the worker's.
        quick: small and few, to see that all of it runs; the values mean nothing then.
        blender: a Blender with a window, or a script that gives one a virtual screen; None where there is none.
        zip_file: the built extension.
        device: the worker's, as in the preferences.
    """

    python: Path
    quick: bool = False
    blender: str | None = None
    zip_file: Path | None = None
    device: str = "cpu"

    def runs(self, usual: int) -> int:
        """How often to repeat a measurement."""
        return 1 if self.quick else usual
