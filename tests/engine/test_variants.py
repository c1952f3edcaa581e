# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of tiles whose edges fit, through the whole chain of tiny networks: latents, pixels, maps, enlarged pictures."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from addon.core.errors import ErrorKind, UserError
from addon.core.protocol import Start
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.template import Template
from addon.core.requests.texture import Axes, Scheduler, Size, TextureRequest
from addon.core.variants import RIM, Sheet
from addon.engine import fitting, generate
from addon.engine.generate import make_images
from addon.engine.models import ModelCache
from tests.engine.test_generate import Watch

SIDE = 64


def edges(picture: np.ndarray, sheet: Sheet, side: int) -> dict[tuple[str, int], list[np.ndarray]]:
    """The outermost pixels on each side of each line, by the line's color."""
    found: dict[tuple[str, int], list[np.ndarray]] = {}
    for column, row in product(range(sheet.columns), range(sheet.rows)):
        tile = picture[row * side : (row + 1) * side, column * side : (column + 1) * side]
        lines = (tile[:, 0], tile[:, -1], tile[0], tile[-1])
        names = ("left", "right", "above", "below")
        for name, color, line in zip(names, sheet.edges(column, row), lines, strict=True):
            found.setdefault((name, color), []).append(line)
    return found


def assert_fits(picture: np.ndarray, sheet: Sheet, side: int) -> None:
    for name, lines in edges(picture, sheet, side).items():
        assert all(np.array_equal(lines[0], line) for line in lines[1:]), name


@pytest.fixture
def make(sd_folder: Path, tmp_path: Path) -> Callable[..., Any]:
    def run(**settings: Any) -> Any:
        request = TextureRequest("brick", size=Size(SIDE, SIDE), steps=2, guidance_scale=1.0, model=str(sd_folder))
        watch = Watch()
        make_images(ModelCache(), Start("1", replace(request, **settings), str(tmp_path / "store"), "cpu"), watch)
        return watch.done

    return run


@pytest.mark.parametrize("count", [4, 16])
def test_latents_of_rims_are_the_same_after_every_step(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    seen: list[np.ndarray] = []
    plain = fitting.fit_latents

    def watched(latents: torch.Tensor, request: TextureRequest, scheduler: Any) -> None:
        plain(latents, request, scheduler)
        seen.append(latents[0].permute(1, 2, 0).clone().numpy())

    monkeypatch.setattr(generate, "fit_latents", watched)
    make(variants=count)
    assert len(seen) == 2
    for latents in seen:
        side = latents.shape[0] // Sheet(count).rows
        assert latents.shape[1] // Sheet(count).columns == side
        assert_fits(latents, Sheet(count), side)
        assert side // RIM >= 1


@pytest.mark.parametrize("scheduler", [Scheduler.DPMPP_2M, Scheduler.EULER_A])
@pytest.mark.parametrize("count", [4, 8, 16])
def test_pixels_and_maps_and_enlarged_pictures_fit_to_the_bit(
    make: Callable[..., Any], count: int, scheduler: Scheduler
) -> None:
    finish = Finish(upscale=2, upscaler="lanczos", maps=tuple(MapKind), map_networks="filter")
    if count != 4:
        finish = Finish(maps=(MapKind.NORMAL,), map_networks="filter")
    (result,) = make(variants=count, scheduler=scheduler, finish=finish)
    sheet = Sheet(count)
    for kind in ("base_color", *(kind.value for kind in finish.maps)):
        with Image.open(result.path(kind)) as image:
            picture = np.asarray(image)
        side = SIDE * finish.upscale
        assert picture.shape[:2] == (sheet.rows * side, sheet.columns * side)
        assert_fits(picture, sheet, side)
    assert result.recipe.texture.variants == count


@pytest.mark.parametrize("wrong", [{"axes": Axes.X}, {"template": Template(source="/nowhere.png")}])
def test_what_cannot_be_a_set_is_refused_before_the_work(make: Callable[..., Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="Variants"):
        make(variants=4, **wrong)


def test_tiles_differ_inside(make: Callable[..., Any]) -> None:
    (result,) = make(variants=4)
    with Image.open(result.path()) as image:
        tiles = np.asarray(image).reshape(SIDE, 4, SIDE, 3).swapaxes(0, 1)[:, 16:-16, 16:-16].astype(float)
    assert all(np.abs(tiles[a] - tiles[b]).mean() > 1 for a, b in product(range(4), repeat=2) if a != b)


def test_same_recipe_makes_the_same_set(make: Callable[..., Any]) -> None:
    (one,), (other,) = make(variants=8), make(variants=8)
    assert one.path().read_bytes() == other.path().read_bytes()


def test_model_without_a_beginning_is_refused_by_name() -> None:
    class Family:
        denoiser = "transformer"

    class Loaded:
        class adapter:
            takes_templates = True

        class info:
            title, family = "Other", Family

        class pipeline:
            components = MappingProxyType({"transformer": None})

    with pytest.raises(UserError, match="Other cannot make variants") as caught:
        generate.begin(Loaded, TextureRequest("brick", variants=4), None, lambda picture: torch.zeros(1))  # type: ignore[arg-type]
    assert caught.value.kind is ErrorKind.MODEL


def test_inner_edges_of_a_legal_field_are_no_steps() -> None:
    """Of a picture that is smooth on its sheet: the edges of a random field are as smooth as the sheet is elsewhere."""
    sheet, side = Sheet(16), 64
    dice = np.random.default_rng(2)
    wide = sheet.columns * side
    turns = np.fft.fftfreq(wide)[:, None] ** 2 + np.fft.fftfreq(wide)[None] ** 2
    picture = np.fft.ifft2(np.fft.fft2(dice.random((wide, wide))) * np.exp(-turns * 400)).real
    picture = ((picture - picture.min()) / np.ptp(picture))[..., None].astype(np.float32)
    fitting.fit_pixels(picture, sheet)
    field = sheet.lay(4, 4, random.Random(1).randrange)
    rows = [[picture[y * side : (y + 1) * side, x * side : (x + 1) * side, 0] for x, y in row] for row in field]
    laid = np.block(rows)
    steps = np.abs(np.diff(laid, axis=1, append=laid[:, :1]))
    at_edges = steps[:, side - 1 :: side].mean()
    assert at_edges < 1.5 * steps.mean()


def test_model_for_pictures_of_one_size_sees_a_tile_at_a_time(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sides: list[int] = []
    plain = generate.in_windows

    def watched(network: Any, side: int, *rest: Any) -> Any:
        sides.append(side)
        return plain(network, 8, *rest)

    monkeypatch.setattr(generate, "in_windows", watched)
    (result,) = make(variants=16)
    with Image.open(result.path()) as image:
        assert_fits(np.asarray(image), Sheet(16), SIDE)
    (side,) = sides
    assert side * 8 >= SIDE, "of its own size, or a tile's where that is larger"
