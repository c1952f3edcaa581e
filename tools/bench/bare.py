# SPDX-License-Identifier: GPL-3.0-or-later
"""The bare script that the worker is compared with: plain diffusers, as short as a careful person would write it.

The same precision, memory layout, scheduler, number of threads and seamless patch as the worker's, and a PNG.
"""

import json
import sys

import torch
from diffusers import DiffusionPipeline

from addon.core.requests.texture import Axes
from addon.engine.seamless import seamless


def main(folder: str, settings: dict, device: str) -> None:
    """Make a picture for each line on stdin, {"prompt", "seed", "path"}. Tells when it is ready, and of each.

    device: "cpu", or "auto" for the graphics card, at 16 bits; the pipeline's class is the folder's.
    """
    card = torch.accelerator.current_accelerator() if device != "cpu" else None
    dtype = torch.float16 if card else torch.float32
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=dtype, use_safetensors=True).to(card or "cpu")
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    with seamless(pipeline, Axes.XY):
        print("ready", flush=True)
        for line in sys.stdin:
            job = json.loads(line)
            generator = torch.Generator("cpu").manual_seed(job["seed"])
            image = pipeline(job["prompt"], generator=generator, **settings).images[0]
            image.save(job["path"])
            print("saved", flush=True)
