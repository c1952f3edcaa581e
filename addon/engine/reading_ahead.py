# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's files are read while the engine is imported. Imports core and the standard library, no torch."""

import logging
import threading
from collections.abc import Callable

from ..core.errors import UserError
from ..core.families import catalogue
from ..core.model_files import parts
from .devices import free_main_memory

log = logging.getLogger(__name__)

_BLOCK = 1 << 22  # bytes read at once


def begin(model: str, said: str = "") -> None:
    """Have a thread `read` the model's weights: then the system has them at hand when torch has been imported.

    Importing takes seconds of the processor and little of the disk; loading is the other way round.
    """
    threading.Thread(target=read, args=(model, said), daemon=True, name="reading ahead").start()


def read(model: str, said: str = "", free: Callable[[], int] = free_main_memory) -> int:
    """Read the weights that loading the model will read, and keep nothing. said: see `parts.verify`. Returns the bytes.

    None of them where they would take more than half of the memory that is free, for what is read first would have
    gone again; nor where the model cannot be loaded, which loading will say.
    """
    try:
        found = parts.verify(catalogue.resolve(model), said)
    except UserError:
        return 0
    if sum(found.sizes.values()) > free() // 2:
        return 0
    done = 0
    for path in dict.fromkeys(path for paths in found.weights.values() for path in paths):
        try:
            with path.open("rb", buffering=0) as file:
                while block := file.read(_BLOCK):
                    done += len(block)
        except OSError as error:  # loading will say it
            log.info("%s was not read ahead: %s", path, error)
    return done
