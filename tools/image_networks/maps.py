# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter map networks: colour to normal, and to height, roughness and metallic. May import numpy, torch."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from .degrade import foreign_colours, some_blur, some_jpegs, some_noise
from .networks import make_map_network
from .pairs import DEPTH, Pairs

BATCH = 6  # steps count more than samples


def normals(height: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """OpenGL normals (N, 3, H, W), unit length, of periodic heights (N, 1, H, W); depth (N,): pixels for 0 to 1."""
    slope_x = (height.roll(-1, -1) - height.roll(1, -1)) / 2
    slope_down = (height.roll(-1, -2) - height.roll(1, -2)) / 2
    depth = depth.view(-1, 1, 1, 1)
    return functional.normalize(torch.cat((-slope_x * depth, slope_down * depth, torch.ones_like(height)), 1), dim=1)


def worsen(x: torch.Tensor) -> torch.Tensor:
    """What foreign pictures look like; a third of the batch stays as it is."""
    kept = torch.rand(len(x), 1, 1, 1) < 0.33
    worse = some_jpegs(some_noise(some_blur(foreign_colours(x), 0.4, 1.5), 0.4, 0.03), 0.25, 50, 95).clamp(0, 1)
    return torch.where(kept, x, worse)


def batch(pairs: Pairs, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Colours (N, 3, H, W), surface maps (N, 3, H, W: height, roughness, metallic), normals; turned and mirrored."""
    stacked = np.concatenate(
        (
            pairs.color[rows] / np.float32(255),
            pairs.height[rows][..., None] / np.float32(65535),
            pairs.roughness[rows][..., None] / np.float32(255),
            pairs.metallic[rows][..., None] / np.float32(255),
        ),
        -1,
    )
    turned = [np.rot90(one, int(np.random.randint(4))) for one in stacked]
    turned = [one[:, ::-1] if np.random.rand() < 0.5 else one for one in turned]
    tensor = torch.from_numpy(np.ascontiguousarray(turned)).permute(0, 3, 1, 2)
    depth = torch.from_numpy(DEPTH * pairs.magnification[rows])
    return tensor[:, :3], tensor[:, 3:], normals(tensor[:, 3:4], depth)


def surface_loss(y: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """Of height, roughness and metallic: absolute and squared differences, and the height's gradients."""
    difference = y - target
    height, roughness, metallic = (
        difference[:, i].abs().mean() + 2 * difference[:, i].square().mean() for i in (0, 1, 2)
    )
    step = difference[:, 0]
    gradient = (step - step.roll(1, -1)).abs().mean() + (step - step.roll(1, -2)).abs().mean()
    figures = {
        "height": height.item(),
        "roughness": roughness.item(),
        "metallic": metallic.item(),
        "gradient": gradient.item(),
    }
    return height + roughness + 1.5 * metallic + gradient, figures


def normal_loss(y: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """Of encoded normals (0..1): their angle, and the plain difference."""
    vector = y * 2 - 1
    angle = 1 - functional.cosine_similarity(vector, target, dim=1).mean()
    plain = (vector - target).abs().mean()
    return angle + plain, {"angle": angle.item(), "plain": plain.item()}


def train(name: str, folder: Path, minutes: float, seed: int, pairs: Pairs) -> nn.Module:
    """Train the network `name` ("surface" or "normal"), or go on; returns the averaged network, wrapped."""
    torch.manual_seed(seed)
    network = make_map_network()
    surface = cache.load(folder / "surface.ckpt") if name == "normal" else None
    if surface is not None:  # what sees heights is most of the way to seeing slopes
        network.load_state_dict(surface["average"])
    nn.init.zeros_(network.model[-1].weight)
    nn.init.constant_(network.model[-1].bias, 0.5)
    network = wrap(network).to(memory_format=torch.channels_last)
    stage = Stage(name, network, folder, minutes, peak=1.5e-3, seed=seed, decay=0.998)
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        color, surface, normal = batch(pairs, np.sort(rng.integers(len(pairs), size=BATCH)))
        with cache.mixed_precision():
            y = stage.model(worsen(color).contiguous(memory_format=torch.channels_last)).float()
        loss, figures = surface_loss(y, surface) if name == "surface" else normal_loss(y, normal)
        stage.update(loss)
        if stage.step % 100 == 0:
            stage.report(**figures)
    return stage.average
