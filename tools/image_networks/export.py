# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the trained networks as fp16 safetensors where the extension looks for them. May import torch, safetensors."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..starter import cache

MODELS = cache.REPOSITORY / "addon" / "models"
# stage -> file, as addon/core/image_networks.py names them
FILES = {
    "upscaler": Path("upscaler", "starter-2x.safetensors"),
    "late": Path("upscaler", "starter-2x-late.safetensors"),
    "relief": Path("maps", "height-normal.safetensors"),
    "material": Path("maps", "metallic-roughness.safetensors"),
}


def shipped(stage: str, models: Path = MODELS) -> dict[str, torch.Tensor]:
    """The weights in the package, or in another folder of models, in float32: where a training begins."""
    return {name: value.float() for name, value in load_file(models / FILES[stage]).items()}


def export(
    folder: Path, output: Path, stages: tuple[str, ...] = tuple(FILES), between: Mapping[str, float] | None = None
) -> list[Path]:
    """Write the trained networks in `folder` in fp16; each file whole, then renamed.

    between: how far from the package's weights (0) towards the trained ones (1) a stage's lie, 1 where nothing is said.
    After a short training with a small step that is a network that has learned less of the new and lost less of the old
    (after Wortsman and others, Robust fine-tuning, 2022).

    Raises:
        FileNotFoundError: a stage was not trained.
    """
    written = []
    for stage in stages:
        state = cache.load(folder / f"{stage}.ckpt")
        if state is None:
            raise FileNotFoundError(f"{stage} was not trained: there is nothing of it in {folder.name}")
        path = output / FILES[stage]
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = state["average"]
        part_of_new = (between or {}).get(stage, 1.0)
        if part_of_new != 1:
            former = shipped(stage)
            weights = {name: former[name].lerp(value, part_of_new) for name, value in weights.items()}
        weights = {name: value.to(torch.float16).contiguous() for name, value in weights.items()}
        part = path.with_suffix(".part")
        save_file(weights, part, {"format": "pt"})
        part.chmod(0o644)
        part.replace(path)
        written.append(path)
        print(f"export: {path.name}, {path.stat().st_size / 1e6:.2f} MB", flush=True)
    return written
