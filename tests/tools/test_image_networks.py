# SPDX-License-Identifier: GPL-3.0-or-later
"""The making of upscaler and map networks, on data small enough for seconds."""

import numpy as np
import pytest
import torch
from torch import nn

from addon.core.pbr import normals_of_height
from addon.engine import image_networks
from tools.image_networks import degrade, export, maps, material, networks, pairs
from tools.image_networks.train import TRAININGS
from tools.starter import cache
from tools.starter.textures import FAMILIES
from tools.starter.torus import wrap

COUNTS = {64: 3, 128: 4, 256: 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    pairs.make_pairs(folder, COUNTS, seed=3)
    return pairs.read_pairs(folder, COUNTS)


def test_pairs_are_the_textures_at_one_size(made):
    assert made.color.shape == (9, 128, 128, 3)
    assert made.magnification.tolist() == [2, 2, 2, 1, 1, 1, 1, 0.5, 0.5]
    texture = pairs.draw(3, 128, 1)
    assert np.abs(made.height[4] / 65535 - texture.height).max() < 1e-4
    assert np.abs(made.color[4] / 255 - texture.color).max() < 0.003


def test_held_out_families_are_real_and_never_drawn():
    assert set(pairs.HELD_OUT) < set(FAMILIES)
    assert set(pairs.METALS) < set(FAMILIES)
    assert not {pairs.draw(1, 64, index).family for index in range(60)} & set(pairs.HELD_OUT)
    assert {texture.family for texture in pairs.held_out(1, 1, 64)} == set(pairs.HELD_OUT)


@pytest.mark.parametrize("size", [64, 256])
def test_resizing_keeps_centres_and_repeats(size):
    """A wave stays where it is, in parts of the tile."""
    places = (np.arange(size) + 0.5) / size
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * places)[None] * np.cos(4 * np.pi * places)[:, None]
    there = (np.arange(128) + 0.5) / 128
    expected = 0.5 + 0.3 * np.sin(2 * np.pi * there)[None] * np.cos(4 * np.pi * there)[:, None]
    assert np.abs(pairs.to_side(wave.astype(np.float32)) - expected).max() < 1e-3


@pytest.mark.parametrize("kernel", ["area", "bicubic", "lanczos"])
def test_halving_is_periodic_and_keeps_the_mean(kernel):
    x = torch.rand(2, 3, 32, 48)
    half = degrade.halve(x, kernel)
    assert half.shape == (2, 3, 16, 24)
    assert float(half.mean()) == pytest.approx(float(x.mean()), abs=1e-5)
    assert torch.allclose(degrade.halve(x.roll((4, 6), (2, 3)), kernel), half.roll((2, 3), (2, 3)), atol=1e-6)


def test_blur_is_periodic_and_each_example_has_its_own():
    x = torch.rand(2, 3, 32, 32)
    soft = degrade.blur(x, torch.tensor([0.0, 2.0]))
    assert torch.allclose(soft[0], x[0], atol=1e-5)
    assert soft[1].std() < 0.3 * x[1].std()
    rolled = degrade.blur(x.roll((5, 9), (2, 3)), torch.tensor([0.0, 2.0]))
    assert torch.allclose(rolled, soft.roll((5, 9), (2, 3)), atol=1e-5)


def test_foreign_pictures_stay_pictures():
    torch.manual_seed(0)
    worse = maps.worsen(torch.rand(6, 3, 32, 32))
    assert worse.shape == (6, 3, 32, 32)
    assert 0 <= worse.min() <= worse.max() <= 1


def test_the_normals_trained_for_are_those_of_the_engine():
    height = np.random.default_rng(0).random((16, 24)).astype(np.float32)
    ours = maps.normals(torch.from_numpy(height)[None, None], torch.tensor([8.0]))[0].permute(1, 2, 0).numpy()
    assert np.abs((ours + 1) / 2 - normals_of_height(height, 8.0)).max() < 1e-6


def test_turned_and_mirrored_maps_still_belong_together(made):
    np.random.seed(0)
    color, surface, normal = maps.draw(made, np.random.default_rng(0), 4)
    assert color.shape == surface.shape == normal.shape == (4, 3, 128, 128)
    assert torch.allclose(normal.square().sum(1), torch.ones(4, 128, 128), atol=1e-5)
    rows = np.sort(np.random.default_rng(0).integers(len(made), size=4))
    depth = torch.from_numpy(pairs.DEPTH * made.magnification[rows])
    assert torch.equal(normal, maps.normals(surface[:, :1], depth))


def test_training_goes_on_where_it_stopped_and_is_exported_for_the_engine(made, tmp_path):
    steps = []
    for _ in range(2):  # the second finds its time used up
        for train in TRAININGS.values():
            train(tmp_path, 0.01, 1, made)
        steps.append([cache.load(tmp_path / f"{name}.ckpt")["step"] for name in TRAININGS])
    assert steps[0] == steps[1]
    files = export.export(tmp_path, tmp_path / "models")
    assert sum(file.stat().st_size for file in files[1:]) <= 5e6
    assert files[0].stat().st_size <= 3e6
    loaded = [image_networks.load(file) for file in files]
    assert [(network.scale, network.channels) for network in loaded] == [(2, (1, 1)), (1, (3, 4)), (1, (3, 3))]
    assert all(network.exact for network in loaded)


def test_a_new_network_is_evened_out():
    """Each layer gives what it should on the pictures that it is shown, in the root mean square."""
    torch.manual_seed(0)
    network = wrap(networks.make_material_network())
    pictures = networks.with_noise_level(torch.rand(2, 3, 32, 32))
    networks.even_out(network, pictures)
    seen = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, _inputs, y, name=name: seen.update({name: float(y.square().mean())}))
    with torch.no_grad():
        network(pictures)
    assert len(seen) == 36
    for name, square in seen.items():
        aim = 0.1 if name == "m_tail" else 0.25 if name.endswith("res.2") else 1
        assert square == pytest.approx(aim**2, rel=0.02), name


def test_what_is_hardly_ever_metal_is_not_called_metal():
    """Of a pixel that is metal in one case of forty, the least loss says less than a half; in ten of forty, more."""
    values = torch.linspace(0, 1, 101)
    y = values.view(101, 1, 1, 1).expand(101, 3, 1, 40)
    for metals, metal in ((1, False), (10, True)):
        truth = torch.zeros(101, 1, 40)
        truth[..., :metals] = 1
        losses = [float(material.loss(y[i : i + 1], truth[i : i + 1], y[i : i + 1, 1])[0]) for i in range(101)]
        assert (values[int(np.argmin(losses))] > 0.5) == metal
