# SPDX-License-Identifier: GPL-3.0-or-later
"""What is loaded as an upscaler or map network, and what is refused (FAULTS 18, 19, 20)."""

import os
import struct
import time
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.RCAN import RCAN

from addon.core import image_networks as known
from addon.core.errors import ErrorKind, UserError
from addon.core.requests.finish import STARTER_NETWORKS, MapKind
from addon.core.requests.texture import Axes
from addon.engine import image_networks
from addon.engine.devices import Device, Kind
from addon.engine.image_networks import NetworkCache, choose_tile
from addon.engine.tiles import TileLimits
from tests.engine.picture_networks import compact, save, span, texture, unshuffled

CPU = Device(Kind.CPU, "cpu", 8 << 30)


@pytest.mark.parametrize(
    ("make", "scale", "channels", "grid", "halo"),
    [
        (lambda: compact(2), 2, (3, 3), 1, 4),
        (lambda: span(1, 1), 1, (3, 1), 1, 21),
        (lambda: span(4), 4, (3, 3), 1, 21),
        (unshuffled, 1, (3, 3), 4, 40),
    ],
)
def test_what_a_network_is_is_found_out(tmp_path, make, scale, channels, grid, halo):
    network = image_networks.load(save(make(), tmp_path / "a.safetensors"))
    assert (network.scale, network.channels, network.grid) == (scale, channels, grid)
    assert network.exact
    assert halo <= network.reach.halo <= halo + 4
    assert not image_networks.pickle_warning(network.file)
    assert len(network.fingerprint) == 16


def test_a_network_leaves_the_picture_that_it_is_given_alone(tmp_path):
    """spandrel 0.4.2's RCAN multiplies its input by 255 in place: seen as a second run of 0.7 off with the same tensor.

    What was measured of such a network was wrong then, and a tile that is a view of the picture was lost.
    """
    torch.manual_seed(0)
    rcan = RCAN(n_resgroups=1, n_resblocks=1, n_feats=16, scale=2)
    network = image_networks.load(save(rcan, tmp_path / "a.safetensors"))
    picture = torch.rand((1, 3, 16, 16))
    before = picture.clone()
    with torch.inference_mode():
        first, second = network.module(picture), network.module(picture)
    assert torch.equal(picture, before)
    assert torch.equal(first, second)


@pytest.mark.parametrize("file", known.FILES, ids=lambda file: file.stem)
def test_the_networks_in_the_package_are_exactly_periodic(file):
    network = image_networks.load(file)
    assert network.exact
    picture = texture(48, 64, network.channels[0])
    parts = []
    for shift in ((0, 0), (24, 16)):  # whole cells of the coarsest grid
        out = np.empty((48 * network.scale, 64 * network.scale, network.channels[1]), np.float32)

        def write(rows, columns, values, out=out):
            out[rows, columns] = values

        tiler = network.tiler(TileLimits({"cpu": 32}), 8 << 30)
        tiler.run(np.roll(picture, shift, (0, 1)), write, Axes.XY)
        parts.append(np.roll(out, [-side * network.scale for side in shift], (0, 1)))
    assert np.abs(parts[0] - parts[1]).max() <= 1e-5 * np.abs(parts[0]).max()


def test_the_networks_in_the_package_are_small():
    assert known.UPSCALER_FILE.stat().st_size <= 3e6
    assert sum(network.file.stat().st_size for network in known.map_networks(STARTER_NETWORKS)) <= 5e6


def test_a_network_is_loaded_once(tmp_path):
    file = save(compact(), tmp_path / "a.safetensors")
    cache = NetworkCache()
    first = cache.get(file, CPU)
    assert cache.get(file, CPU) is first
    os.utime(file, (1, 1))
    assert cache.get(file, CPU) is not first  # another file by now
    cache.free()
    assert len(cache) == 0


def test_an_upscaler_and_a_network_for_each_map_are_kept_from_picture_to_picture(tmp_path):
    files = [save(compact(), tmp_path / f"{name}.safetensors") for name in ("up", *MapKind)]
    cache = NetworkCache()
    first = [cache.get(file, CPU) for file in files]
    assert all(cache.get(file, CPU) is network for file, network in zip(files, first, strict=True))


def test_a_pickle_of_tensors_is_read_with_a_warning(tmp_path):
    torch.save(compact().state_dict(), tmp_path / "a.pth")
    assert image_networks.load(tmp_path / "a.pth").scale
    assert "pickle" in image_networks.pickle_warning(tmp_path / "a.pth")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.safetensors", "a.ckpt"])
def test_a_payload_never_runs(tmp_path, name):
    torch.save({"body.0.weight": Payload(str(tmp_path / "ran"))}, tmp_path / name)
    with pytest.raises(UserError) as caught:
        image_networks.load(tmp_path / name)
    assert caught.value.kind is ErrorKind.MODEL
    assert name in caught.value.message
    assert not (tmp_path / "ran").exists()


def test_torchscript_is_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("code.py", "")
    with pytest.raises(UserError, match="can hold code"):
        image_networks.load(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "data",
    [b"", b"<!DOCTYPE html><html>", struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 4) + b"\xff\xff\xff\xff"],
    ids=["empty", "html", "huge header", "bad UTF-8"],
)
def test_a_broken_file_is_refused_at_once(tmp_path, data):
    (tmp_path / "a.safetensors").write_bytes(data)
    begun = time.monotonic()
    with pytest.raises(UserError, match=r"a\.safetensors") as caught:
        image_networks.load(tmp_path / "a.safetensors")
    assert caught.value.kind is ErrorKind.MODEL
    assert time.monotonic() - begun < 1


def test_a_truncated_file_is_refused(tmp_path):
    file = save(compact(), tmp_path / "a.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short"):
        image_networks.load(file)


def test_a_file_of_something_else_says_so(tmp_path):
    save_file({"transformer.weight": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="not an upscaler or map network") as caught:
        image_networks.load(tmp_path / "a.safetensors")
    assert caught.value.kind is ErrorKind.MODEL


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="no file"):
        image_networks.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("per_pixel", "halo", "free", "device", "side"),
    [
        (400, 16, 8 << 30, "cpu", 256),
        (400, 17, 8 << 30, "cpu", 512),  # of whose surroundings a network that sees further would see too much
        (400, 96, 8 << 30, "cpu", 512),
        (400, 16, 8 << 30, "cuda:0", 1024),
        (4000, 16, 2 << 30, "cuda:0", 256),
        (4000, 16, 0, "cuda:0", 64),
    ],
)
def test_tiles_fit_the_free_memory(per_pixel, halo, free, device, side):
    assert choose_tile(per_pixel, halo, free, device) == side
