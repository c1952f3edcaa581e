# SPDX-License-Identifier: GPL-3.0-or-later
"""The base color of a result and its thumbnail: the one place where any job writes them. Imports core and engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core import recipe, results
from ..core.recipe import Recipe
from ..core.results import Draft
from . import pictures
from .canvas import AT_ONCE, Canvas
from .resampling import shrink

THUMBNAIL_SIDE = 256  # pixels, of the longer side


@dataclass(frozen=True)
class Files:
    """What was written. files: kind -> name in the draft's folder. seam_score: None where it was not measured."""

    files: dict[str, str]
    recipe: Recipe
    seam_score: float | None


def write_color(
    draft: Draft,
    color: NDArray[Any],
    visible: NDArray[np.uint8],
    made_from: Recipe,
    canvas: Canvas | None = None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, str]:
    """Write the base color with its recipe, and its thumbnail, into the draft's folder: kind -> name of the file.

    color (H, W, C): uint8 and uint16 become a PNG, float32 OpenEXR, which holds no recipe. visible (H, W, 3): the same
    as it is looked at. canvas, check: see `pictures.write`. Raises `UserError` (kind `DISK`) that names the store.
    """
    suffix = "exr" if color.dtype == np.float32 else "png"
    files = {results.BASE_COLOR: f"base_color.{suffix}", results.THUMBNAIL: "thumbnail.png"}
    text = {recipe.PNG_KEY: made_from.dumps()}
    with results.disk_errors(draft.root):
        pictures.write(draft.folder / files[results.BASE_COLOR], color, color.dtype, text, canvas, check)
        # as the color is: half the time of Pillow's own PNG, in as many bytes
        pictures.write(draft.folder / files[results.THUMBNAIL], np.asarray(thumbnail(visible)), np.uint8, {})
    return files


def thumbnail(visible: NDArray[np.uint8]) -> Image.Image:
    """A small picture of (H, W, 3), which is read in strips."""
    height, width = visible.shape[:2]
    factor = max(min(height, width) // (2 * THUMBNAIL_SIDE), 1)
    height, width = (side // factor * factor for side in (height, width))
    at_once = max(AT_ONCE // factor, 1) * factor
    strips = [visible[top : min(top + at_once, height), :width] for top in range(0, height, at_once)]
    image = Image.fromarray(np.concatenate([np.rint(shrink(strip, factor)).astype(np.uint8) for strip in strips]))
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return image
