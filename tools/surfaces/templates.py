# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual's sheet of what the starter makes of a photo as template. Imports numpy, pillow, engine.

    python -m tools.surfaces.templates --real FOLDER

One surface, one seed, the defaults of each region, no selection.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from addon.core import ways
from addon.core.protocol import Start
from addon.core.requests.template import USUAL_STRENGTH, Region, Template
from addon.core.requests.texture import Size, TextureRequest
from addon.core.results import Draft, Result
from addon.engine.generate import make_images
from addon.engine.models import ModelCache

from ..machine import ROOT
from . import real

PICTURE = ROOT / "tools" / "manual" / "template-sheet.webp"
SURFACE, PROMPT, SEED, SIDE = "bricks059", "red brick wall", 0, 512
_CELL, _GAP, _QUALITY = 208, 4, 72


class _Watch:
    """Keeps the last result."""

    result: Result

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None

    def publish(self, _image: int, draft: Draft, result: Result) -> None:
        made = draft.publish(result)
        assert made is not None
        self.result = made


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.surfaces.templates", description=__doc__)
    parser.add_argument("--real", required=True, type=Path, metavar="FOLDER", help="index.tsv and sets/")
    (surface,) = real.read(parser.parse_args().real, (SURFACE,))
    with tempfile.TemporaryDirectory() as folder:
        sheet(surface, Path(folder)).save(PICTURE, quality=_QUALITY, method=6)


def sheet(surface: real.Surface, folder: Path) -> Image.Image:
    """Two rows: the photo at three strengths; a scratch, covered and drawn over; moss; twice as large a repeat."""
    photo, scratched, mask = folder / "photo.png", folder / "scratched.png", folder / "mask.png"
    picture = Image.fromarray((surface.color * 255).round().astype(np.uint8)).resize((SIDE, SIDE))
    picture.save(photo)
    line = [(0.2 * SIDE, 0.1 * SIDE), (0.5 * SIDE, 0.6 * SIDE), (0.8 * SIDE, 0.7 * SIDE)]
    for path, canvas in ((scratched, picture.copy()), (mask, Image.new("RGB", (SIDE, SIDE)))):
        ImageDraw.Draw(canvas).line(line, "white", width=8 if path is scratched else 18, joint="curve")
        canvas.save(path)
    base = TextureRequest(PROMPT, size=Size(SIDE, SIDE), steps=4, guidance_scale=1.0, seed=SEED)
    cache = ModelCache()

    def made(template: Template, **changes: Any) -> Result:
        watch = _Watch()
        request = replace(base, template=template, **changes)
        make_images(cache, Start("sheet", request, str(folder / "store"), "cpu"), watch)
        return watch.result

    def usual(region: Region, source: Path = photo, **more: Any) -> Template:
        return Template(str(source), USUAL_STRENGTH[region], region=region, **more)

    first = [picture, *(_open(made(Template(str(photo), strength))) for strength in (0.3, 0.6, 0.9))]
    covered = made(usual(Region.MASK, scratched, mask=str(mask)))
    mossy = made(usual(Region.WEAR), prompt="moss")
    watch = _Watch()
    make_images(cache, Start("sheet", ways.grown(covered), str(folder / "store"), "cpu"), watch)
    second = [Image.open(scratched), _open(covered), _open(mossy), _open(watch.result)]
    return Image.fromarray(np.concatenate([_row(cells) for cells in (first, second)])[:-_GAP])


def _open(result: Result) -> Image.Image:
    return Image.open(result.path()).convert("RGB")


def _row(cells: list[Image.Image]) -> NDArray[np.uint8]:
    parts = []
    for cell in cells:
        part = np.full((_CELL + _GAP, _CELL + _GAP, 3), 255, np.uint8)
        part[:_CELL, :_CELL] = np.asarray(cell.resize((_CELL, _CELL), Image.Resampling.LANCZOS))
        parts.append(part)
    return np.concatenate(parts, 1)[:, :-_GAP]


if __name__ == "__main__":
    main()
