# SPDX-License-Identifier: GPL-3.0-or-later
"""Shading that follows the slopes is taken out; paint, alpha, type and brightness stay; exact on the torus."""

import numpy as np
import pytest
from PIL import Image

from addon.core.color import to_encoded, to_linear
from addon.core.pbr import normals_of_height
from addon.core.requests.finish import FILTER, Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes
from addon.engine import delight as module
from addon.engine import pictures
from addon.engine.canvas import canvases
from addon.engine.delight import delight
from addon.engine.maps import Map
from addon.engine.tiles import TileLimits
from tests.engine.picture_networks import texture
from tests.engine.test_picture_job import run

SIDE = 96


@pytest.fixture
def relief(monkeypatch):
    """A relief whose normals are known, as a network that sees them would say: only that can be judged here."""
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
    waves = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    height = np.fft.irfft2(spectrum * np.exp(-((waves * 14) ** 2)), s=(SIDE, SIDE))
    normals = normals_of_height((height / height.std()).astype(np.float32), 0.6)
    place = {"roll": (0, 0)}

    def made(color, kinds, sources, axes, content, easel, *others, **more):
        canvas = easel.make(normals.shape, np.float32)
        canvas.array[...] = np.roll(normals, place["roll"], (0, 1))
        return {MapKind.NORMAL: Map(canvas, slice(0, 3))}

    monkeypatch.setattr(module, "make_maps", made)
    monkeypatch.setattr(module, "_BLOCK", 40)
    vector = normals * 2 - 1
    shading = np.exp(1.0 * vector[..., 0] - 0.6 * vector[..., 1])[..., None].astype(np.float32)
    paint = rng.choice(np.array([[0.2, 0.1, 0.1], [0.3, 0.3, 0.35]], np.float32), (SIDE // 8, SIDE // 8))
    paint = np.kron(paint, np.ones((8, 8, 1), np.float32))
    return paint, shading, place


def without(pixels, tmp_path, axes=Axes.XY, content=Content.LINEAR):
    with canvases(tmp_path) as easel:
        return np.array(delight(pixels, {}, axes, content, easel, TileLimits(), 1 << 30).array)


def spread(linear, paint):
    return float((np.log(linear[..., 1]) - np.log(paint[..., 1])).std())


def test_shading_goes_and_paint_stays(relief, tmp_path):
    paint, shading, _place = relief
    made = without(paint * shading, tmp_path)
    assert spread(paint * shading, paint) > 0.1
    assert spread(made, paint) < 0.01
    assert np.log(made).mean() == pytest.approx(np.log(paint * shading).mean(), abs=0.01), "as bright as before"


def test_where_there_is_no_shading_hardly_anything_changes(relief, tmp_path):
    paint, _shading, _place = relief
    assert spread(without(paint, tmp_path), paint) < 0.01


def test_rolled_pictures_are_delit_alike(relief, tmp_path):
    paint, shading, place = relief
    plain = without(paint * shading, tmp_path)
    place["roll"] = (31, 50)
    rolled = without(np.roll(paint * shading, (31, 50), (0, 1)), tmp_path)
    assert np.abs(np.roll(plain, (31, 50), (0, 1)) - rolled).max() <= 1e-5 * plain.max()


def test_light_that_falls_off_goes_only_where_the_picture_does_not_repeat(relief, tmp_path):
    paint, _shading, _place = relief
    across = np.exp(0.3 * np.cos(np.pi * (np.arange(SIDE) + 0.5) / SIDE)).astype(np.float32)[None, :, None]
    assert spread(without(paint * across, tmp_path, Axes.NONE), paint) < 0.03
    assert spread(without(paint * across, tmp_path, Axes.Y), paint) < 0.03
    assert spread(without(paint * across, tmp_path, Axes.XY), paint) > 0.15


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_type_and_alpha_stay(relief, tmp_path, dtype, channels):
    paint, shading, _place = relief
    top = np.iinfo(dtype).max if dtype is not np.float32 else 1
    lit = np.rint(to_encoded(paint * shading) * top) if top > 1 else to_encoded(paint * shading)
    colors = lit if channels >= 3 else lit[..., 1:2]
    alpha = np.full((SIDE, SIDE, 1), top // 2 or 0.5)
    pixels = np.concatenate((colors, alpha), -1)[..., :channels] if channels != 1 else colors
    pixels = (np.concatenate((colors, alpha), -1) if channels in (2, 4) else pixels).astype(dtype)
    made = without(pixels, tmp_path, content=Content.COLOR)
    assert (made.dtype, made.shape) == (pixels.dtype, pixels.shape)
    if channels in (2, 4):
        assert (made[..., -1] == pixels[..., -1]).all()
    if channels == 3:
        assert spread(to_linear(made.astype(np.float32) / top), paint) < 0.03


@pytest.mark.parametrize("wanted", [{}, {"tileable": True}], ids=["alone", "tileable"])
def test_a_job_delivers_the_delit_color(wanted, tmp_path):
    path = tmp_path / "Old wall.png"
    Image.fromarray(texture(80, 64)).save(path)
    request = PictureRequest(str(path), Finish(delight=True, map_networks=FILTER), **wanted)
    (result,) = run(request, tmp_path).done
    made = pictures.read(result.path())
    assert made.shape == (80, 64, 3)
    assert result.recipe.request.finish.delight
    assert set(result.files) == {"base_color", "thumbnail"}
