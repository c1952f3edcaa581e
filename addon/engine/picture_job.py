# SPDX-License-Identifier: GPL-3.0-or-later
"""A job on a picture that exists: upscaled, with maps, or made tileable, into the store. Imports core, engine, torch.

The picture's file is read and never written.
"""

import time
from pathlib import Path

import spandrel
import torch

from ..core import results
from ..core.protocol import Phase, Start
from ..core.recipe import EXACTLY, PERIODIC, Recipe
from ..core.requests.picture import Content
from ..core.requests.texture import Axes
from ..core.results import Result
from ..core.variants import ONE_TILE
from . import pictures
from .devices import ready
from .finish import FinishTask, write_files
from .image_networks import NetworkCache
from .watcher import Watcher


def make_result(cache: NetworkCache, start: Start, watch: Watcher) -> None:
    """Do the job's work and publish its one result. Raises `UserError`, or what `watch` raises."""
    request, store = start.request.as_picture(), Path(start.store)
    begun = time.monotonic()
    notes: list[str] = []

    def note(text: str) -> None:
        if text not in notes:
            notes.append(text)
            watch.note(text)

    watch.progress(Phase.LOADING)
    source = Path(request.source)
    pixels = pictures.read(source)
    content = request.content
    if content is Content.LINEAR and pixels.dtype != "float32":
        content = Content.COLOR  # whole numbers are encoded
    if pixels.dtype == "float32":
        pictures.extent(pixels)
        if content is Content.COLOR:
            content = Content.LINEAR  # and floats are not
    device = ready(start.device)
    environment = {
        "torch": torch.__version__,
        "spandrel": spandrel.__version__,
        "device": device.title or device.name,
        "threads": str(torch.get_num_threads()),
    }
    # not by `source_recipe`, which may be of what somebody has painted over since
    if not request.tileable and pictures.repeats_exactly(source, request.axes):
        environment[PERIODIC] = EXACTLY
    made_from = Recipe(request, pictures.fingerprint(source), environment)
    sheet = made_from.sheet
    if request.axes is not Axes.XY or pixels.shape[0] % sheet.rows or pixels.shape[1] % sheet.columns:
        sheet = ONE_TILE  # somebody has cut it
    task = FinishTask(pixels, request.finish, request.axes, content, request.tileable, sheet=sheet)
    with results.draft(store, request.prompt, request.seed) as draft:
        written = write_files(draft, task, made_from, cache, start.device, watch, note)
        result = Result(
            folder=draft.folder,
            files=written.files,
            recipe=written.recipe,
            seam_score=written.seam_score,
            seconds=time.monotonic() - begun,
            notes=tuple(notes),
        )
        watch.publish(0, draft, result)
