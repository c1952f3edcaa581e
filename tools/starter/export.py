# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the starter model as a plain diffusers folder in fp16. May import torch, diffusers, transformers."""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import BertModel, BertTokenizer

from .networks import make_scheduler

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")


def assemble(
    denoiser: UNet2DConditionModel, autoencoder: AutoencoderTiny, encoder: BertModel, tokenizer: BertTokenizer
) -> StableDiffusionPipeline:
    """The four parts and their scheduler as a stock pipeline."""
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=denoiser,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def export(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Save `pipeline` into `folder` as fp16 safetensors; what else is in the folder (README, licences) stays.

    Parts are written beside the folder first and then moved in one by one, so that a reader never sees half a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".starter-") as scratch:
        half = StableDiffusionPipeline(
            **{
                name: copy.deepcopy(part).to(torch.float16) if isinstance(part, torch.nn.Module) else part
                for name, part in pipeline.components.items()
            },
            requires_safety_checker=False,
        )
        half.save_pretrained(scratch, safe_serialization=True)
        _tidy(Path(scratch))
        for name in PARTS:
            shutil.rmtree(folder / name, ignore_errors=True)
            (Path(scratch) / name).rename(folder / name)
        (Path(scratch) / "model_index.json").replace(folder / "model_index.json")


def _tidy(folder: Path) -> None:
    """Say float32 in the text encoder's config, and drop the folder names that save_pretrained leaves in configs."""
    for path in folder.rglob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        if path.parent.name == "text_encoder" and path.name == "config.json":
            # transformers loads the checkpoint's dtype unless told otherwise, and diffusers' default is float32.
            data["dtype"] = "float32"
        data.pop("_name_or_path", None)
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in folder.rglob("*"):
        # safetensors writes files that only their owner may read.
        path.chmod(0o755 if path.is_dir() else 0o644)
