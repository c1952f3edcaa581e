# SPDX-License-Identifier: GPL-3.0-or-later
"""The torus tiler: laws, on small random networks."""

import errno
import os
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from addon.core.errors import ErrorKind, UserError
from addon.core.requests.texture import Axes
from addon.engine.canvas import canvases
from addon.engine.seamless import seamless
from addon.engine.tiles import (
    MAX_HALO,
    Block,
    NotFinite,
    Reach,
    TileLimits,
    Tiler,
    blocks,
    gather,
    indices,
    measure_reach,
)


def network(seed=0, kernels=(3, 3), scale=1, dilation=1):
    torch.manual_seed(seed)
    layers = []
    for kernel in kernels:
        layers += [nn.Conv2d(3, 3, kernel, padding=kernel // 2 * dilation, dilation=dilation), nn.LeakyReLU(0.2)]
    if scale > 1:
        layers += [nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def run(tiler, picture, axes):
    height, width = picture.shape[:2]
    out = np.full((int(height * tiler.scale), int(width * tiler.scale), 3), np.nan, np.float32)

    def write(rows, columns, values):
        out[rows, columns] = values

    tiler.run(picture, write, axes)
    return out


def relative(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def picture_of(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(1, 100),
    axes=st.sampled_from(list(Axes)),
    kernels=st.lists(st.sampled_from([1, 3, 5, 7]), min_size=1, max_size=4),
    scale=st.sampled_from([1, 2, 4]),
    dilation=st.sampled_from([1, 2, 4]),
)
def test_the_result_is_that_of_the_whole_picture(height, width, tile, axes, kernels, scale, dilation):
    """Networks that see up to 32 pixels and more, every tile size, picture size and axis setting."""
    net = network(7, kernels, scale, dilation)
    reach = measure_reach(net, 3, scale=Fraction(scale))
    assert reach.exact
    picture = picture_of(height, width)
    tiled = run(Tiler(net, Fraction(scale), reach.halo, tile=tile), picture, axes)
    # the whole: continued far on every side, as the axes say, run in one piece
    far = reach.halo + 3
    rows, columns = indices(-far, height + far, height, axes.y), indices(-far, width + far, width, axes.x)
    with torch.inference_mode():
        whole = net(torch.from_numpy(picture[rows][:, columns]).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    far *= scale
    assert relative(tiled, whole[far : far + height * scale, far : far + width * scale]) <= 1e-6


@pytest.mark.parametrize("axes", list(Axes))
def test_on_wrapped_axes_it_is_the_periodic_network(axes):
    net, picture = network(1, (3, 5, 3), 2), picture_of(40, 56)
    tiled = run(Tiler(net, Fraction(2), 8, tile=24), picture, axes)
    with seamless(net, axes), torch.inference_mode():
        whole = net(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    # on the other axes the borders differ: the tiler mirrors, the network pads with zeros
    inside = (slice(0 if axes.y else 16, None if axes.y else -16), slice(0 if axes.x else 16, None if axes.x else -16))
    assert relative(tiled[inside], whole[inside]) <= 1e-6


@settings(max_examples=20, deadline=None)
@given(tile=st.integers(16, 80), axes=st.sampled_from([Axes.XY, Axes.X, Axes.Y]), dy=st.integers(0, 39))
def test_rolling_the_picture_rolls_the_result(tile, axes, dy):
    net, picture = network(2, (3, 7), 2), picture_of(40, 48)
    shift = (dy if axes.y else 0, 2 * dy if axes.x else 0)
    tiler = Tiler(net, Fraction(2), 8, tile=tile)
    rolled = run(tiler, np.roll(picture, shift, (0, 1)), axes)
    plain = np.roll(run(tiler, picture, axes), (2 * shift[0], 2 * shift[1]), (0, 1))
    assert relative(rolled, plain) <= 1e-5


class Unshuffled(nn.Module):
    """Works at a quarter of the size, as some upscalers do: a grid of 4 pixels."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.inner = nn.Sequential(nn.Conv2d(48, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 48, 3, padding=1))

    def forward(self, x):
        return nn.functional.pixel_shuffle(self.inner(nn.functional.pixel_unshuffle(x, 4)), 4)


@pytest.mark.parametrize("tile", [4, 10, 24, 64])
def test_a_network_on_a_grid_is_exact_on_its_grid(tile):
    net = Unshuffled().eval()
    reach = measure_reach(net, 3, grid=4)
    assert reach == Reach(8, exact=True)
    picture = picture_of(32, 48)
    tiled = run(Tiler(net, halo=reach.halo, grid=4, tile=tile), picture, Axes.XY)
    with seamless(net, Axes.XY), torch.inference_mode():
        whole = net(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert relative(tiled, whole) <= 1e-6
    # other sizes run, and do not depend on the tile
    odd = picture_of(33, 50)
    one, other = (run(Tiler(net, halo=8, grid=4, tile=side), odd, Axes.XY) for side in (tile, 64))
    assert relative(one, other) <= 1e-6


def test_an_encoder_makes_the_picture_smaller():
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.SiLU(), nn.Conv2d(8, 3, 3, stride=2, padding=1)
    ).eval()
    scale = Fraction(1, 4)
    reach = measure_reach(net, 3, scale=scale, grid=4)
    picture = picture_of(48, 32)
    one, other = (run(Tiler(net, scale, reach.halo, 4, side), picture, Axes.XY) for side in (8, 64))
    assert one.shape == (12, 8, 3)
    assert relative(one, other) <= 1e-6
    with seamless(net, Axes.XY), torch.inference_mode():
        whole = net(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert relative(one, whole) <= 1e-6


@pytest.mark.parametrize(
    ("net", "halo"),
    [
        (network(kernels=(1,)), 0),
        (network(kernels=(3,)), 1),
        (network(kernels=(3, 5, 7)), 6),
        (network(kernels=(7, 7), dilation=4), 24),
        (network(kernels=(7, 7, 7), dilation=8), 72),
    ],
)
def test_the_reach_of_a_network_is_found(net, halo):
    reach = measure_reach(net, 3)
    assert reach.exact
    assert halo <= reach.halo <= halo + 4  # some convolutions compute several pixels at once


class GlobalMean(nn.Module):
    def forward(self, x):
        return x - 0.1 * x.mean((-1, -2), keepdim=True)


@pytest.mark.parametrize("net", [GlobalMean(), network(kernels=(7,) * 5, dilation=8)], ids=["global", "deep"])
def test_what_sees_too_far_gets_an_effective_halo_and_its_error(net):
    reach = measure_reach(net, 3)
    assert not reach.exact
    assert 0 < reach.halo <= MAX_HALO
    assert 0 < reach.error < 0.1


def hungry(net, most):
    """For which memory runs out at tiles wider than `most`."""

    def run(x):
        if x.shape[-1] > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return net(x)

    return run


def test_memory_that_runs_out_halves_the_tile_and_is_remembered():
    net, limits = network(5), TileLimits()
    tiler = Tiler(hungry(net, 80), halo=2, tile=256, limits=limits)
    result = run(tiler, picture_of(200, 170), Axes.XY)
    assert relative(result, run(Tiler(net, halo=2, tile=256), picture_of(200, 170), Axes.XY)) <= 1e-6
    assert limits.sides == {"cpu": 64}
    assert tiler.count(200, 170) == 4 * 3


def test_pixels_that_are_large_may_be_had_in_smaller_tiles():
    """Latents: eight pixels of the picture each."""
    net, limits = network(5), TileLimits()
    result = run(Tiler(hungry(net, 24), halo=2, tile=64, limits=limits, least=8), picture_of(70, 64), Axes.XY)
    assert relative(result, run(Tiler(net, halo=2, tile=64), picture_of(70, 64), Axes.XY)) <= 1e-6
    assert limits.sides == {"cpu": 16}


def test_memory_that_does_not_suffice_for_the_smallest_tile_is_told():
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        run(Tiler(hungry(network(5), 40), halo=2, tile=128), picture_of(100, 70), Axes.XY)


def test_numbers_that_are_not_finite_are_told():
    with pytest.raises(NotFinite):
        run(Tiler(lambda x: x / 0), picture_of(8, 8), Axes.XY)


def test_another_error_is_passed_on():
    def broken(x):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(Tiler(broken), picture_of(8, 8), Axes.XY)


def test_it_can_be_ended_after_each_tile():
    class Stop(Exception):
        pass

    seen = []

    def done(count):
        seen.append(count)
        if count == 3:
            raise Stop

    with pytest.raises(Stop):
        Tiler(network(), halo=2, tile=8).run(picture_of(32, 32), lambda *_: None, Axes.XY, done)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_read_as_shares_of_their_greatest(dtype):
    picture = np.full((4, 4, 1), np.iinfo(dtype).max, dtype)
    assert gather(picture, Block(0, 4, 0, 4), 3, Axes.X).max() == 1.0


def test_the_tiles_cover_the_picture_once():
    covered = np.zeros((50, 33), int)
    for block in blocks(50, 33, 16):
        covered[block.top : block.bottom, block.left : block.right] += 1
    assert (covered == 1).all()


def test_a_large_canvas_is_a_file_that_goes_away(tmp_path):
    with canvases(tmp_path, in_memory=1000) as easel:
        small, large = easel.make((10, 10), np.uint8), easel.make((100, 100), np.float32)
        assert not isinstance(small.array, np.memmap)
        assert isinstance(large.array, np.memmap)
        large.write(slice(0, 100), slice(0, 100), np.ones((100, 100), np.float32))
        large.release()
        assert (large.array == 1).all()
        assert len(list(tmp_path.rglob("*.raw"))) == 1
        easel.drop(large)
        assert not list(tmp_path.rglob("*.raw"))
    assert not list(tmp_path.iterdir())


def test_the_disk_is_looked_at_before_a_canvas_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10**9})())
    with canvases(tmp_path, in_memory=1000) as easel, pytest.raises(UserError, match="GB free") as caught:
        easel.make((1 << 15, 1 << 15), np.float32)
    assert caught.value.kind is ErrorKind.DISK
    assert str(tmp_path) in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot set space aside")
def test_fault_14_the_space_of_a_canvas_is_set_aside_before_it_is_written(tmp_path):
    with canvases(tmp_path, in_memory=1000) as easel:
        easel.make((256, 256), np.float32)
        (file,) = tmp_path.rglob("*.raw")
        assert 512 * file.stat().st_blocks >= file.stat().st_size == 4 << 16


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EOPNOTSUPP, errno.EINVAL])
def test_fault_14_a_disk_that_is_full_after_all_is_told_and_one_that_cannot_tell_is_used(tmp_path, monkeypatch, code):
    """A write into the map of a file without its space would kill the worker."""

    def refuse(*_arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with canvases(tmp_path, in_memory=1000) as easel:
        if code == errno.ENOSPC:
            with pytest.raises(UserError, match="No space left") as caught:
                easel.make((100, 100), np.float32)
            assert caught.value.kind is ErrorKind.DISK
            assert str(tmp_path) in caught.value.message
        else:
            assert easel.make((100, 100), np.float32).array.nbytes == 40_000
    assert not list(tmp_path.iterdir())


def test_values_are_rounded_and_clipped(tmp_path):
    with canvases(tmp_path) as easel:
        canvas = easel.make((1, 4), np.uint8)
        canvas.write(slice(0, 1), slice(0, 4), np.array([[-1.0, 0.5, 0.999, 7.0]], np.float32))
        assert canvas.array.tolist() == [[0, 128, 255, 255]]
