# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the trained networks as fp16 safetensors where the extension looks for them. May import torch, safetensors."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..starter import cache

MODELS = cache.REPOSITORY / "addon" / "models"
# stage -> file, as addon/core/image_networks.py names them
FILES = {
    "upscaler": Path("upscaler", "starter-2x.safetensors"),
    "surface": Path("maps", "surface.safetensors"),
    "normal": Path("maps", "normal.safetensors"),
}
LAST = ("model.7.weight", "model.7.bias")  # of the map networks, which differ in nothing else


def shipped(stage: str) -> dict[str, torch.Tensor]:
    """The weights in the package, in float32: where a training begins."""
    return {name: value.float() for name, value in load_file(MODELS / FILES[stage]).items()}


def export(folder: Path, output: Path) -> list[Path]:
    """Write the trained networks in `folder` in fp16; each file whole, then renamed.

    Raises:
        FileNotFoundError: a stage was not trained.
    """
    upscaler, maps = (cache.load(folder / name) for name in ("upscaler.ckpt", "maps.solved"))
    if upscaler is None or maps is None:
        raise FileNotFoundError(f"{folder.name} does not hold both trainings, upscaler and maps")
    written = []
    for stage, file in FILES.items():
        weights = (upscaler if stage == "upscaler" else maps)["average"]
        if stage != "upscaler":
            rows = slice(0, 3) if stage == "surface" else slice(3, 6)
            weights = weights | {name: weights[name][rows] for name in LAST}
        path = output / file
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {name: value.to(torch.float16).contiguous() for name, value in weights.items()}
        part = path.with_suffix(".part")
        save_file(weights, part, {"format": "pt"})
        part.chmod(0o644)
        part.replace(path)
        written.append(path)
        print(f"export: {path.name}, {path.stat().st_size / 1e6:.2f} MB", flush=True)
    return written
