# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time, among all that share a folder. Imports the standard library only."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

LOCK = ".lock"


@contextlib.contextmanager
def only_holder(folder: Path) -> Iterator[bool]:
    """Try to become the only one who changes anything below `folder`; yields whether that succeeded.

    The system takes the lock back when its holder dies. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+b") as file:
        yield take_lock(file.fileno())  # closing the file gives the lock back


def take_lock(descriptor: int) -> bool:
    """Lock the open file for this process; False if another holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
