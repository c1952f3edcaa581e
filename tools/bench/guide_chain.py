# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ControlNet costs, measured inside a process like the worker's. Imports core, engine, torch, diffusers."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image

from addon.core.requests.guides import Control, ControlKind, Guides
from addon.core.requests.texture import Size, TextureRequest
from addon.engine import generate, guides
from addon.engine.guide_pictures import guide_pictures
from addon.engine.models import ModelCache, make_scheduler
from addon.engine.prompts import embed
from addon.engine.seamless import seamless
from tools.bench import networks
from tools.bench.chain import Watch, timed
from tools.bench.figures import in_turn


@torch.inference_mode()
def sampling_seconds(width: int, side: int, steps: int, runs: int) -> dict[str, Any]:
    """Seconds of sampling with a ControlNet, by the worker and by diffusers' own pipeline, warm and in turn.

    Both with guidance, seamless, in float32 and channels_last, of one denoiser and one ControlNet; no decoder.

    Args:
        width: of the U-Net; Stable Diffusion's is 320.
        side: of the picture, in pixels.
        steps: of each run.
        runs: of each.
    """
    with TemporaryDirectory(prefix="tilewright-bench-") as name:
        folder = Path(name)
        networks.save_model(str(folder / "model"), width)
        torch.manual_seed(1)
        ControlNetModel.from_unet(networks.unet(width)).half().save_pretrained(folder / "control")
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / "picture.png")
        control = Control(str(folder / "control"), str(folder / "picture.png"), ControlKind.TILE)
        request = TextureRequest(
            "bricks", size=Size(side, side), steps=steps, model=str(folder / "model"), guides=Guides((control,))
        )
        loaded = ModelCache().get(request, "cpu", "full")
        embeddings, _notes = embed(loaded, request)
        with (
            guide_pictures(request, folder, lambda: None) as pictures,
            guides.ready(loaded, pictures) as guide,
            seamless([loaded.pipeline.unet, *guide.networks], request.axes),
        ):
            (network,) = guide.networks
            bare = StableDiffusionControlNetPipeline(
                **loaded.pipeline.components, controlnet=network, requires_safety_checker=False
            )
            bare.set_progress_bar_config(disable=True)
            seen = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255

            def theirs() -> torch.Tensor:
                bare.scheduler = make_scheduler(loaded, request.scheduler)
                latents: torch.Tensor = bare(
                    **embeddings,
                    image=seen,
                    width=side,
                    height=side,
                    num_inference_steps=steps,
                    guidance_scale=request.guidance_scale,
                    generator=torch.Generator("cpu").manual_seed(request.seed),
                    output_type="latent",
                ).images
                return latents

            def mine() -> torch.Tensor:
                return generate.sample(loaded, request, embeddings, 0, Watch(), guide=guide)

            assert torch.allclose(mine(), theirs(), rtol=1e-4, atol=1e-4)
            worker, others = in_turn((lambda: timed(mine), lambda: timed(theirs)), runs)
        weights = sum(parameter.numel() for part in (loaded.pipeline.unet, network) for parameter in part.parameters())
    return {"worker": worker, "bare": others, "weights": weights}
