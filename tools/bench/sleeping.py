# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the engine in batches: its pictures take as long as they are told to. Imports core only."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from addon.core import results
from addon.core.errors import ErrorKind, UserError
from addon.core.png import PngWriter
from addon.core.protocol import Start
from addon.core.recipe import Recipe
from addon.core.results import BASE_COLOR, THUMBNAIL, Result

SIDE = 16  # pixels, whatever is asked for
SECONDS = "TILEWRIGHT_TEST_SECONDS"  # in the environment: how long a picture takes; for those made in other processes
PROCESS = "process"  # in a recipe's environment: which one made it
DIARY = "TILEWRIGHT_TEST_DIARY"  # a file: each picture that is begun adds a line, as each maker does


def maker() -> Callable[[Start, Any], None]:
    """One as the environment says. A prompt with "broken" fails, one with "deadly" ends the process."""
    seconds, diary = float(os.environ.get(SECONDS, "0")), os.environ.get(DIARY)

    def write(text: str) -> None:
        if diary:
            with open(diary, "a", encoding="utf-8") as file:
                file.write(f"{text}\n")

    def make(start: Start, watch: Any) -> None:
        request = start.request.as_texture()
        write(f"{os.getpid()} {request.prompt} {request.seed}")
        time.sleep(seconds)
        if "broken" in request.prompt:
            raise UserError(ErrorKind.NUMERICS, "The model gave no valid numbers.", "Choose another.")
        if "deadly" in request.prompt:
            os._exit(9)
        with results.draft(Path(start.store), request.prompt, request.seed) as draft:
            files = {BASE_COLOR: "base_color.png", THUMBNAIL: "thumbnail.png"}
            files |= {kind.value: f"{kind.value}.png" for kind in request.finish.maps}
            for number, name in enumerate(files.values()):
                deep = name.startswith(("height", "normal"))
                with PngWriter(draft.folder / name, SIDE, SIDE, 3, 16 if deep else 8) as file:
                    value = (10 + number) * (257 if deep else 1)
                    file.write(np.full((SIDE, SIDE, 3), value, np.uint16 if deep else np.uint8))
            recipe = Recipe(request, "sleeping", {PROCESS: str(os.getpid())})
            watch.publish(0, draft, Result(draft.folder, files, recipe, seconds=seconds))

    write(f"{os.getpid()} begins")
    return make
