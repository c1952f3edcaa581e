# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the model cards. May import the engine, numpy, scipy, torch.

On textures that were never trained on: of families kept out of training ("unseen"), and new ones of the others
("known"), which are most of what the starter model paints.

Each map is judged as a ratio to the best constant (the mean over all held-out pixels) and to the filter baseline.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from addon.core.color import delta_e, to_encoded, to_linear
from addon.core.image_networks import HEIGHT_DEPTH, map_networks
from addon.core.pbr import angles, normals_of_height
from addon.core.requests.finish import STARTER_NETWORKS, MapKind
from addon.core.requests.picture import Content
from addon.core.requests.texture import Axes
from addon.engine import image_networks
from addon.engine.canvas import Easel, canvases
from addon.engine.maps import Source, check_network, make_maps
from addon.engine.resampling import shrink
from addon.engine.tiles import TileLimits
from addon.engine.upscale import Means, upscale

from ..starter.losses import local_amplitudes
from ..starter.textures import Texture
from . import maps
from .degrade import halve
from .export import FILES
from .pairs import DEPTH, TRAINED, held_out

PER_FAMILY, PER_KNOWN_FAMILY = 8, 2
FREE = 4 << 30  # bytes; more than 256 px need
SEED = 1


def report(models: Path, unseen: int = PER_FAMILY, known: int = PER_KNOWN_FAMILY) -> dict[str, float]:
    """Measure and print all figures of the networks in `models`, on so many textures of each family."""
    figures: dict[str, float] = {}
    groups = {"unseen": held_out(SEED, unseen), "known": held_out(SEED, known, families=TRAINED)}
    for group, textures in groups.items():
        for name, value in {**upscaler_figures(models, textures), **map_figures(models, textures)}.items():
            figures[f"{group}, {name}"] = value
            print(f"{group}, {name:54s} {value:8.3f}", flush=True)
    return figures


@contextmanager
def easel() -> Iterator[Easel]:
    with tempfile.TemporaryDirectory() as folder, canvases(Path(folder)) as easel:
        yield easel


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((one - other) ** 2)))


def upscaler_figures(models: Path, textures: list[Texture]) -> dict[str, float]:
    """Twice from half the size against Lanczos, as the extension does both, in dB and by the local spectrum."""
    network = image_networks.load(models / FILES["upscaler"])
    rows: dict[str, list[float]] = {}
    for texture in textures:
        large = texture.color
        for kernel in ("lanczos", "area"):
            tensor = torch.from_numpy(large).permute(2, 0, 1)[None]
            half = halve(tensor, kernel)[0].permute(1, 2, 0).clamp(0, 1).numpy()
            small = np.rint(half * 255).astype(np.uint8)
            for name, means in (("network", network), ("lanczos", None)):
                with easel() as used:
                    canvas = upscale(small, 2, Means(means, TileLimits(), FREE), Axes.XY, Content.COLOR, used)
                    result = np.array(canvas.array)
                rows.setdefault(f"psnr {kernel} {name}", []).append(psnr(result, large))
                rows.setdefault(f"spectrum {kernel} {name}", []).append(spectral(result, large))
                if name == "network" and kernel == "lanczos":
                    back = to_encoded(shrink(to_linear(result), 2))
                    rows.setdefault("color drift (mean dE00)", []).append(float(delta_e(small / 255, back).mean()))
    figures = {f"upscaler: {name}": float(np.mean(values)) for name, values in rows.items()}
    for kernel in ("lanczos", "area"):
        gain = figures[f"upscaler: psnr {kernel} network"] - figures[f"upscaler: psnr {kernel} lanczos"]
        figures[f"upscaler: gain over Lanczos, shrunk by {kernel} (dB)"] = gain
    return figures


def spectral(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of the local log amplitudes, in nepers."""
    a, b = (local_amplitudes(torch.from_numpy(x).permute(2, 0, 1)[None] * 2 - 1) for x in (one, other))
    return float((a - b).abs().mean())


def map_figures(models: Path, textures: list[Texture]) -> dict[str, float]:
    """Errors of network, filter and best constant, on clean pictures and on ones worsened as foreign pictures are."""
    sources: dict[MapKind, Source] = {}
    for network in map_networks(STARTER_NETWORKS):
        sources |= check_network(image_networks.load(models / "maps" / network.file.name), network.makes)
    kinds = (MapKind.HEIGHT, MapKind.NORMAL, MapKind.ROUGHNESS, MapKind.METALLIC)
    torch.manual_seed(SEED)
    figures: dict[str, float] = {}
    for name in ("clean", "foreign"):
        made: dict[str, dict[MapKind, list[np.ndarray]]] = {"network": {}, "filter": {}}
        for texture in textures:
            color = texture.color
            if name == "foreign":
                worse = maps.worsen(torch.from_numpy(color).permute(2, 0, 1)[None].contiguous())
                color = worse[0].permute(1, 2, 0).contiguous().numpy()
            for way, makers in (("network", sources), ("filter", {})):
                with easel() as used:
                    result = make_maps(color, kinds, makers, Axes.XY, Content.COLOR, used, TileLimits(), FREE)
                    for kind, value in result.items():
                        made[way].setdefault(kind, []).append(np.array(value.array))
        figures |= _map_errors(name, textures, made)
    return figures


def _map_errors(
    name: str, textures: list[Texture], made: dict[str, dict[MapKind, list[np.ndarray]]]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind in (MapKind.HEIGHT, MapKind.ROUGHNESS):
        truth = np.stack([getattr(texture, kind.value) for texture in textures])
        errors = {way: _rmse(np.stack(made[way][kind])[..., 0], truth) for way in made}
        errors["constant"] = float(truth.std())
        figures |= _ratios(f"{name} {kind.value} (RMSE)", errors)
    truth = np.stack([normals_of_height(texture.height, DEPTH) for texture in textures])
    errors = {way: float(angles(np.stack(made[way][MapKind.NORMAL]), truth).mean()) for way in made}
    errors["constant"] = float(angles(np.broadcast_to(truth.mean((0, 1, 2)), truth.shape), truth).mean())
    figures |= _ratios(f"{name} normal (degrees)", errors)
    metal = np.stack([texture.metallic for texture in textures]) > 0.5
    for way in made:
        said = np.stack(made[way][MapKind.METALLIC])[..., 0] > 0.5
        balanced = (said[metal].mean() + (~said[~metal]).mean()) / 2
        figures[f"maps: {name} metallic balanced accuracy, {way}"] = float(balanced)
    pairs = zip(made["network"][MapKind.NORMAL], made["network"][MapKind.HEIGHT], strict=True)
    between = [angles(normal, normals_of_height(height[..., 0], HEIGHT_DEPTH)).mean() for normal, height in pairs]
    figures[f"maps: {name} normal to height (degrees)"] = float(np.mean(between))
    return figures


def _rmse(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _ratios(name: str, errors: dict[str, float]) -> dict[str, float]:
    figures = {f"maps: {name}, {way}": value for way, value in errors.items()}
    for other in ("constant", "filter"):
        figures[f"maps: {name}, network over {other}"] = errors["network"] / errors[other]
    return figures
