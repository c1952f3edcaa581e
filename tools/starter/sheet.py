# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter model's contact sheet: a fixed list of prompts, seeds 0 to 3, tiled 2x2, no selection.

`python -m tools.starter.sheet --output FILE`. May import torch, diffusers, Pillow and the extension's core.
"""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from PIL import Image, ImageDraw

from addon.core.families.catalogue import FORMER_STARTERS, resolve
from addon.core.model_files.folder import verify
from addon.core.requests.texture import STARTER

from . import cache
from .networks import STEPS
from .prompts import SEEN, UNSEEN
from .torus import wrap

SEEDS = (0, 1, 2, 3)
GUIDANCE = float(resolve(STARTER).defaults.guidance_scale)


def load_pipeline(model: Path) -> StableDiffusionPipeline:
    """The model in float32, periodic on both axes."""
    pipeline = DiffusionPipeline.from_pretrained(model, local_files_only=True)
    assert isinstance(pipeline, StableDiffusionPipeline)
    wrap(pipeline.unet)
    wrap(pipeline.vae)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def own_steps(pipeline: StableDiffusionPipeline) -> int:
    """The steps that the weights are made for: an earlier version's own, or today's."""
    folder = pipeline.name_or_path
    return _steps_of(folder) if folder else STEPS


@functools.cache
def _steps_of(folder: str) -> int:
    _version, steps = FORMER_STARTERS.get(verify(Path(folder)).fingerprint, (0, STEPS))
    return steps


def draw(
    pipeline: StableDiffusionPipeline,
    prompt: str,
    seeds: Sequence[int],
    size: int = 256,
    steps: int | None = None,
    guidance: float = GUIDANCE,
) -> list[Image.Image]:
    """One picture of `size` px for each seed, in the weights' own steps unless told otherwise."""
    images = pipeline(
        [prompt] * len(seeds),
        height=size,
        width=size,
        num_inference_steps=steps or own_steps(pipeline),
        guidance_scale=guidance,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
    ).images
    return list(images)


def make_sheet(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str] = (*SEEN, *UNSEEN),
    size: int = 256,
    cell: int = 144,
    columns: int = 2,
    steps: int | None = None,
    guidance: float = GUIDANCE,
) -> Image.Image:
    """Rows of four cells under their prompt, the second half of the prompts at the right.

    Each cell is a texture of `size` px tiled 2x2, shrunk to `cell` px.
    """
    label, rows = 18, -(-len(prompts) // columns)
    wide = len(SEEDS) * (cell + 4) + 8
    sheet = Image.new("RGB", (columns * wide, rows * (cell + label + 4)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, prompt in enumerate(prompts):
        left, top = number // rows * wide, number % rows * (cell + label + 4)
        pen.text((left + 2, top + 3), prompt, fill="black")
        for place, image in enumerate(draw(pipeline, prompt, SEEDS, size, steps, guidance)):
            tiled = Image.new("RGB", (2 * size, 2 * size))
            for x in (0, size):
                for y in (0, size):
                    tiled.paste(image, (x, y))
            small = tiled.resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(small, (left + place * (cell + 4), top + label))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.sheet", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--model", type=Path, default=cache.MODEL, metavar="DIR")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--cell", type=int, default=144)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--prompts", nargs="+", default=(*SEEN, *UNSEEN))
    options = parser.parse_args()
    sheet = make_sheet(
        load_pipeline(options.model), options.prompts, options.size, options.cell, 2, options.steps, options.guidance
    )
    sheet.save(options.output, quality=70, method=6)


if __name__ == "__main__":
    main()
