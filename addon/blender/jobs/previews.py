# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture in the making, as an icon for the panel. Imports bpy and core.

Its pixels are set, not loaded: Blender would keep a thumbnail of every file that it loads in the user's cache.
"""

import logging
from array import array
from pathlib import Path

import bpy
import bpy.utils.previews

from ...core import sketch
from ...core.jobs import Job
from ...core.protocol import Preview
from ..common import state

_logger = logging.getLogger(__name__)


def show(preview: Preview) -> None:
    """Read the file that the worker named. One that is gone, or is no sketch, is left out: another follows."""
    if bpy.app.background:
        return
    try:
        drawn = sketch.read(Path(preview.path))
    except FileNotFoundError:
        return  # the job was quicker
    except (OSError, ValueError) as error:
        _logger.info("A preview was left out: %s", error)
        return
    current = state.current
    if current.step_previews is None:
        current.step_previews = bpy.utils.previews.new()
    if preview.job not in current.step_previews:
        current.step_previews.clear()  # one job runs at a time
        current.step_previews.new(preview.job)
    item = current.step_previews[preview.job]
    item.image_size = (drawn.width, drawn.height)
    item.image_pixels.foreach_set(array("i", drawn.pixels))  # a pixel is an int of four bytes


def icon(job: Job) -> int:
    """The icon of the job's picture in the making, 0 where there is none to show."""
    shown = state.current.step_previews
    if shown is None or job.preview is None or job.preview.image in job.results or job.id not in shown:
        return 0
    return int(shown[job.id].icon_id)


def unregister() -> None:
    if state.current.step_previews is not None:
        bpy.utils.previews.remove(state.current.step_previews)
        state.current.step_previews = None
