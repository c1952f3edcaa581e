# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscaling: periodic, with the source's colors, of every kind of picture."""

import numpy as np
import pytest

from addon.core.color import delta_e, to_encoded, to_linear
from addon.core.errors import ErrorKind, UserError
from addon.core.image_networks import LATE_UPSCALER_FILE, UPSCALER_FILE
from addon.core.requests.picture import Content
from addon.core.requests.texture import Axes
from addon.engine import image_networks
from addon.engine import upscale as upscale_module
from addon.engine.canvas import canvases
from addon.engine.resampling import shrink
from addon.engine.tiles import TileLimits
from addon.engine.upscale import Means, passes, upscale
from tests.engine.picture_networks import compact, save, span, texture

FREE = 8 << 30


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return image_networks.load(save(compact(), tmp_path_factory.mktemp("networks") / "small.safetensors"))


@pytest.fixture
def easel(tmp_path):
    with canvases(tmp_path) as easel:
        yield easel


def enlarge(picture, factor, network, easel, axes=Axes.XY, content=Content.COLOR, tile=None):
    limits = TileLimits({"cpu": tile} if tile else {})
    return upscale(picture, factor, Means(network, limits, FREE), axes, content, easel).array


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("with_network", [True, False], ids=["network", "lanczos"])
def test_rolling_the_picture_rolls_the_result(network, easel, factor, with_network):
    net, picture = network if with_network else None, texture(40, 24)
    plain = enlarge(picture, factor, net, easel)
    rolled = enlarge(np.roll(picture, (11, 7), (0, 1)), factor, net, easel)
    assert plain.shape == (40 * factor, 24 * factor, 3)
    error = np.abs(np.roll(plain, (11 * factor, 7 * factor), (0, 1)) - rolled).max() / np.abs(plain).max()
    assert error <= 1e-5


@pytest.mark.parametrize("tile", [8, 17, 64])
def test_the_result_does_not_depend_on_the_tile(network, easel, tile):
    picture = texture(50, 34)
    one, other = enlarge(picture, 4, network, easel, tile=tile), enlarge(picture, 4, network, easel)
    assert np.abs(one - other).max() <= 2e-6


@pytest.mark.parametrize("axes", list(Axes))
def test_a_picture_that_does_not_repeat_is_mirrored_at_its_edges(network, easel, axes):
    picture = texture(32, 32)
    picture[:, :16] = 20
    picture[:, 16:] = 230
    result = enlarge(picture, 2, network, easel, axes=axes)
    mixed = abs(float(result[:, 0].mean()) - float(result[:, 8].mean()))
    assert (mixed > 0.02) is axes.x  # only where it wraps does the bright right edge show on the left


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("with_network", [True, False], ids=["network", "lanczos"])
def test_colors_are_kept(network, easel, factor, with_network):
    """This network is not trained: without the correction its colors are far off."""
    picture = texture(64, 64)
    result = enlarge(picture, factor, network if with_network else None, easel)
    back = to_encoded(shrink(to_linear(result), factor))
    assert delta_e(picture / 255, back).mean() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_alpha_and_every_depth_work(network, easel, channels, dtype):
    picture = texture(24, 20, channels, dtype=dtype)
    result = enlarge(picture, 2, network, easel)
    assert result.shape == (48, 40, channels)
    share = picture / np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else picture
    assert np.abs(shrink(result, 2).mean((0, 1)) - share.mean((0, 1))).max() < 0.01


def test_the_starter_upscaler_sees_each_channel_by_itself(easel):
    """So one channel's grain does not come out in another: a flat one stays flat."""
    starter = image_networks.load(UPSCALER_FILE)
    picture = texture(24, 20)
    picture[..., 1] = 90
    whole = enlarge(picture, 4, starter, easel, content=Content.DATA)
    for channel in range(3):
        alone = enlarge(picture[..., channel : channel + 1], 4, starter, easel, content=Content.DATA)
        assert np.abs(whole[..., channel : channel + 1] - alone).max() <= 2e-6
    assert np.abs(whole[..., 1] - 90 / 255).max() < 0.01


def test_the_starter_upscaler_looks_at_the_mean_of_colors(easel):
    """All channels get the same detail: a picture that is grey stays grey, and what its mean does not show comes out as
    by Lanczos, here green against red and blue."""
    starter = image_networks.load(UPSCALER_FILE)
    grey = np.repeat(texture(24, 20)[..., :1], 3, -1)
    large = enlarge(grey, 4, starter, easel)
    assert np.abs(large - large[..., :1]).max() <= 2e-6
    picture = np.full((24, 20, 3), 120, np.uint8)
    wave = np.rint(30 * np.sin(np.arange(20) * 2 * np.pi / 5)).astype(int)
    picture[..., 1] = 120 + wave
    picture[..., 0] = picture[..., 2] = 120 - wave / 2
    made, plain = (enlarge(picture, 2, used, easel, content=Content.COLOR) for used in (starter, None))
    assert np.abs(made - plain).max() < 0.02


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_late_network_makes_the_third_pass_alone(network, easel, factor):
    """And a picture that was enlarged so is as periodic as any."""
    picture = texture(24, 40)
    means = Means(image_networks.load(UPSCALER_FILE), TileLimits(), FREE, network)
    calls = []
    handle = network.module.register_forward_pre_hook(lambda module, given: calls.append(given[0].shape[-1]))
    plain, rolled = (
        upscale(np.roll(picture, shift, (0, 1)), factor, means, Axes.XY, Content.COLOR, easel).array
        for shift in ((0, 0), (5, 9))
    )
    handle.remove()
    assert bool(calls) is (factor == 8)
    assert np.abs(np.roll(plain, (5 * factor, 9 * factor), (0, 1)) - rolled).max() <= 1e-5
    alone = enlarge(picture, factor, means.network, easel)
    assert bool(np.abs(plain - alone).max() > 1e-3) is (factor == 8)


def test_the_late_network_does_as_the_first_one_where_it_is_used(easel):
    picture = texture(48, 48)
    first, late = (image_networks.load(file) for file in (UPSCALER_FILE, LATE_UPSCALER_FILE))
    with_late = upscale(picture, 8, Means(first, TileLimits(), FREE, late), Axes.XY, Content.COLOR, easel).array
    alone, plain = enlarge(picture, 8, first, easel), enlarge(picture, 8, None, easel)
    assert np.square(with_late - alone).mean() < 0.5 * np.square(plain - alone).mean()


def test_alpha_is_kept_exactly_where_it_is_flat(network, easel):
    picture = texture(16, 16, 4)
    picture[..., 3] = 255
    assert (enlarge(picture, 4, network, easel)[..., 3] > 1 - 1e-6).all()


def test_linear_light_beyond_white_is_kept(network, easel):
    picture = texture(32, 32, dtype=np.float32) * 6
    result = enlarge(picture, 2, network, easel, content=Content.LINEAR)
    assert result.max() > 3
    assert np.abs(shrink(result, 2) - picture).mean() < 0.05 * picture.mean()


def cut_out(dtype=np.uint8, hidden=0):
    """A bright disc around the corners, as it repeats; all else is hidden."""
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    picture = (texture(48, 40, 4, dtype=np.float32) * 0.4 + 0.5) * top
    y, x = (np.minimum(np.arange(side), side - np.arange(side)) for side in (48, 40))
    shows = y[:, None] ** 2 + x[None] ** 2 < 14**2
    picture[..., 3] = shows * top
    picture[~shows, :3] = hidden * top
    return picture.astype(dtype)


@pytest.mark.parametrize("with_network", [True, False], ids=["network", "lanczos"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_colors_do_not_bleed_into_a_cut_out(network, easel, dtype, with_network):
    net = network if with_network else None
    black, white = (enlarge(cut_out(dtype, hidden), 2, net, easel) for hidden in (0, 1))
    shows = black[..., 3] > 0
    assert np.abs(black - white)[shows].max() < 0.05
    assert np.abs(black - white)[shows].mean() < 2e-3
    assert (black[..., 3] == white[..., 3]).all()
    rolled = enlarge(np.roll(cut_out(dtype), (11, 7), (0, 1)), 2, net, easel)
    assert np.abs(np.roll(black, (22, 14), (0, 1)) - rolled).max() <= 1e-5


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("upscaler", [None, UPSCALER_FILE], ids=["lanczos", "network"])
@pytest.mark.parametrize("color", [0.6, 6.0])
def test_a_cut_out_in_linear_light_stays_premultiplied(easel, upscaler, color, factor):
    net = image_networks.load(upscaler) if upscaler else None
    picture = cut_out(np.float32)
    picture[..., 3] = (picture[..., 3] + np.roll(picture[..., 3], 1, 0)) / 2  # some of the edge is half transparent
    picture[..., :3] = color * picture[..., 3:]
    result = enlarge(picture, factor, net, easel, content=Content.LINEAR)
    colors, alpha = result[..., :3], result[..., 3:]
    edge = ((alpha > 0.1) & (alpha < 0.9))[..., 0]
    assert edge.any()
    assert np.abs(colors / np.maximum(alpha, 0.1) / color - 1)[alpha[..., 0] > 0.1].max() < 0.15
    assert (colors[alpha[..., 0] == 0] == 0).all()
    rolled = enlarge(np.roll(picture, (11, 7), (0, 1)), factor, net, easel, content=Content.LINEAR)
    assert np.abs(np.roll(result, (11 * factor, 7 * factor), (0, 1)) - rolled).max() <= 1e-5 * color


def test_what_glows_in_linear_light_without_hiding_anything_is_kept(easel):
    picture = cut_out(np.float32)
    picture[20:28, 16:24, :3] = 0.5  # as fire is: alpha stays 0
    result = enlarge(picture, 2, None, easel, content=Content.LINEAR)
    assert (result[40:56, 32:48, 3] == 0).all()
    assert result[44:52, 36:44, :3].mean() == pytest.approx(0.5, rel=0.05)


def test_a_cut_out_does_not_depend_on_the_blocks(easel, monkeypatch):
    picture = cut_out()
    whole = enlarge(picture, 2, None, easel)
    monkeypatch.setattr(upscale_module, "_BLOCK", 20)
    assert np.abs(enlarge(picture, 2, None, easel) - whole).max() <= 2e-6


def test_hidden_colors_that_may_be_meant_are_kept(network, easel):
    """As in textures that keep something else than opacity in the fourth channel."""
    picture = texture(32, 32, 4)
    plain = enlarge(picture[..., :3], 2, network, easel)
    picture[:16, :, 3] = 0
    assert (enlarge(picture, 2, network, easel)[..., :3] == plain).all()


def test_a_picture_that_is_hidden_wholly_stays_as_it_is(easel):
    picture = np.zeros((20, 20, 4), np.uint8)
    assert (enlarge(picture, 2, None, easel) == 0).all()


def test_a_lamp_changes_nothing_far_from_it_and_has_no_rings(network, easel):
    picture = texture(96, 96, dtype=np.float32) * 0.8 + 0.1
    lit = picture.copy()
    lit[40:43, 40:43] = 1000
    dark, result = (enlarge(each, 2, network, easel, content=Content.LINEAR) for each in (picture, lit))
    away = np.ones((192, 192), bool)
    away[80 - 56 : 86 + 56, 80 - 56 : 86 + 56] = False  # as far as the network and the correction look
    assert np.abs(result - dark)[away].max() < 1e-5
    around = np.ones((192, 192), bool)
    around[78:88, 78:88] = False
    assert result[around].min() > 0.05
    assert result[around].max() < 1.1
    assert shrink(result, 2).sum() == pytest.approx(lit.sum(), rel=0.05)


def test_a_lamp_on_the_edge_shines_on_the_other_side(network, easel):
    picture = texture(32, 32, dtype=np.float32)
    picture[0, 0] = 50
    plain = enlarge(picture, 4, network, easel, content=Content.LINEAR, tile=16)
    rolled = enlarge(np.roll(picture, (9, 5), (0, 1)), 4, network, easel, content=Content.LINEAR)
    assert np.abs(np.roll(plain, (36, 20), (0, 1)) - rolled).max() <= 1e-5 * plain.max()


@pytest.mark.parametrize("with_network", [True, False], ids=["network", "lanczos"])
def test_data_beyond_0_and_1_is_kept(network, easel, with_network):
    picture = texture(32, 32, dtype=np.float32) * 6 - 2
    result = enlarge(picture, 2, network if with_network else None, easel, content=Content.DATA)
    assert result.max() > 2
    assert result.min() < -1
    assert np.abs(shrink(result, 2) - picture).mean() < 0.05 * np.abs(picture).mean()


def test_normals_keep_unit_length_and_data_is_not_corrected(network, easel):
    picture = texture(24, 24)
    picture[..., 2] = 220
    normals = enlarge(picture, 2, network, easel, content=Content.NORMAL) * 2 - 1
    assert np.abs(np.sqrt((normals**2).sum(-1)) - 1).max() < 1e-5
    data, color = (enlarge(picture, 2, network, easel, content=content) for content in (Content.DATA, Content.COLOR))
    assert np.abs(data - color).max() > 0.01


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("axes", [Axes.XY, Axes.NONE])
def test_tiny_and_thin_pictures_work(network, easel, height, width, axes):
    result = enlarge(texture(height, width), 8, network, easel, axes=axes)
    assert result.shape == (8 * height, 8 * width, 3)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("content", [Content.LINEAR, Content.DATA])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_a_number_in_a_picture_is_refused(network, easel, content, value):
    picture = texture(16, 16, dtype=np.float32)
    picture[3, 3] = value
    with pytest.raises(UserError) as caught:
        enlarge(picture, 2, network, easel, content=content)
    assert caught.value.kind is ErrorKind.NUMERICS


def test_progress_counts_the_tiles_of_all_passes(network, easel):
    seen = []
    means = Means(network, TileLimits({"cpu": 16}), FREE)
    upscale(texture(32, 32), 4, means, Axes.XY, Content.COLOR, easel, step=lambda *place: seen.append(place))
    assert seen == [(done, 4 + 16) for done in range(1, 21)]


def test_it_can_be_ended_within_a_tile(network, easel):
    class Stop(Exception):
        pass

    calls = 0

    def check():
        nonlocal calls
        calls += 1
        if calls > 2:
            raise Stop

    means = Means(network, TileLimits(), FREE)
    with pytest.raises(Stop):
        upscale(texture(32, 32), 2, means, Axes.XY, Content.COLOR, easel, check=check)
    assert calls == 3
    assert not any(module._forward_pre_hooks for module in network.module.modules())


@pytest.mark.parametrize(
    ("scale", "factor", "plan"),
    [
        (2, 2, [(2, 1)]),
        (2, 8, [(2, 1)] * 3),
        (4, 4, [(4, 1)]),
        (4, 2, [(4, 2)]),
        (4, 8, [(4, 1), (4, 2)]),
        (8, 4, [(8, 2)]),
    ],
)
def test_passes_make_exactly_the_factor(scale, factor, plan):
    assert passes(scale, factor) == plan


@pytest.mark.parametrize("scale", [1, 3])
def test_a_network_that_cannot_make_the_factor_is_refused(scale):
    with pytest.raises(UserError) as caught:
        passes(scale, 4)
    assert caught.value.kind is ErrorKind.MODEL


def test_a_network_of_four_times_gives_two_times(tmp_path, easel):
    network = image_networks.load(save(span(4), tmp_path / "four.safetensors"))
    picture = texture(32, 32)
    result = enlarge(picture, 2, network, easel)
    rolled = enlarge(np.roll(picture, (3, 5), (0, 1)), 2, network, easel)
    assert np.abs(np.roll(result, (6, 10), (0, 1)) - rolled).max() / np.abs(result).max() <= 1e-5
