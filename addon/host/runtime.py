# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the engine. Imports core and the standard library only; starts no process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ErrorKind, UserError

VARIABLE = "TILEWRIGHT_PYTHON"
_HOW = f"Name the Python of an environment with the engine's packages in the preferences, or in {VARIABLE}."


@dataclass(frozen=True)
class Runtime:
    """A Python that has the engine's packages.

    source: who named it: "TILEWRIGHT_PYTHON", "preferences", or "environment" for one that the extension made.
    """

    python: Path
    source: str


def find(preferred: str = "", made: Callable[[], Path] | None = None) -> Runtime:
    """The Python to run the engine with: that of the variable TILEWRIGHT_PYTHON, else `preferred`, the user's own word.

    made: names the Python of the environment that the extension made, or raises; asked where nobody has named one.
    Looks only whether the file is there and may be executed; what it lacks, the worker tells. Raises `UserError` (kind
    `RUNTIME`).
    """
    named = os.environ.get(VARIABLE, "")
    source = VARIABLE if named.strip() else "preferences"
    if not named.strip():
        named = preferred
    if not named.strip() and made:
        return Runtime(made(), "environment")
    if not named.strip():
        raise UserError(ErrorKind.RUNTIME, "Tilewright has no Python to run its engine with.", _HOW)
    # Links are not followed: an environment's Python is one, and knows its packages by the place of the link.
    python = Path(os.path.abspath(os.path.expanduser(named.strip())))
    # os.path, since Path's own raise on names that are too long
    if os.path.isdir(python):
        reason = "is a folder"
    elif not os.path.isfile(python):
        reason = "does not exist"
    elif not os.access(python, os.X_OK):
        reason = "may not be executed"
    else:
        return Runtime(python, source)
    raise UserError(ErrorKind.RUNTIME, f"The Python of the engine {reason}: {python} (from {source}).", _HOW)
