# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of tiles whose edges fit, through the whole chain of tiny networks: latents, pixels, maps, enlarged pictures."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from addon.core import ways
from addon.core.errors import ErrorKind, UserError
from addon.core.protocol import Phase, Start
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.template import Template
from addon.core.requests.texture import Axes, Scheduler, Size, TextureRequest
from addon.core.requests.transition import Transition
from addon.core.variants import RIM, Sheet
from addon.engine import fitting, generate, pictures
from addon.engine.generate import make_images
from addon.engine.image_networks import NetworkCache
from addon.engine.models import ModelCache
from addon.engine.picture_job import make_result
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


def paint(path: Path, seed: int, width: int = SIDE, height: int = SIDE, **more: Any) -> Path:
    """A picture that repeats, of mild noise around a color of its own."""
    dice = np.random.default_rng(seed)
    pixels = dice.integers(0, 60, (height, width, 3)) + dice.integers(0, 190, 3)
    Image.fromarray(pixels.astype(np.uint8)).save(path, **more)
    return path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return paint(tmp_path / "grass.png", 1), paint(tmp_path / "gravel.png", 2)


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def tile_of(picture: np.ndarray, column: int, row: int, side: int = SIDE) -> np.ndarray:
    return picture[row * side :, column * side :][:side, :side]


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_transition_has_either_picture_whole_and_its_rims_bit_for_bit(
    make: Callable[..., Any], two: tuple[Path, Path], strength: float
) -> None:
    (result,) = make(transition=Transition(*map(str, two), prompt="gravel", width=0.5, strength=strength))
    sheet, picture = Sheet(16), pixels_of(result.path())
    assert picture.shape == (4 * SIDE, 4 * SIDE, 3)
    assert_fits(picture, sheet, SIDE)
    sources = [pixels_of(path) for path in two]
    rim = SIDE // 8
    for place in product(range(4), range(4)):
        corners, tile = sheet.corners(*place), tile_of(picture, *place)
        if len(set(corners)) == 1:
            assert np.array_equal(tile, sources[corners[0]])
        first, second, third, fourth = corners
        for a, b, side in ((first, third, np.s_[:, :rim]), (second, fourth, np.s_[:, -rim:])):
            if a == b:
                assert np.array_equal(tile[side], sources[a][side])
        for a, b, side in ((first, second, np.s_[:rim]), (third, fourth, np.s_[-rim:])):
            if a == b:
                assert np.array_equal(tile[side], sources[a][side])
    made = result.recipe.texture.transition
    assert made.first_sha256
    assert made.second_sha256
    assert result.path("first").read_bytes() == two[0].read_bytes()


def test_transition_is_made_anew_between_and_by_both_prompts(make: Callable[..., Any], two: tuple[Path, Path]) -> None:
    def made(**settings: Any) -> np.ndarray:
        (result,) = make(transition=Transition(*map(str, two), width=0.5, **settings), guidance_scale=3.0)
        return pixels_of(result.path()).astype(int)

    laid = made(strength=0.0)
    plain, other = made(prompt=""), made(prompt="gravel")
    assert np.abs(plain - laid).max() > 8
    assert (plain != other).any()


def test_same_recipe_makes_the_same_transition_from_the_copies(
    make: Callable[..., Any], two: tuple[Path, Path]
) -> None:
    (one,) = make(transition=Transition(*map(str, two), prompt="gravel"))
    for path in two:
        path.unlink()
    (other,) = make(transition=ways.again(one).transition)
    assert np.array_equal(pixels_of(one.path()), pixels_of(other.path()))


def test_changed_picture_of_a_transition_is_refused(make: Callable[..., Any], two: tuple[Path, Path]) -> None:
    (one,) = make(transition=Transition(*map(str, two)))
    paint(two[1], 3)
    with pytest.raises(UserError, match="has changed since"):
        make(transition=one.recipe.texture.transition)


def test_pictures_of_two_sizes_are_refused_in_one_sentence(make: Callable[..., Any], tmp_path: Path) -> None:
    small, large = paint(tmp_path / "a.png", 1), paint(tmp_path / "b.png", 2, width=2 * SIDE)
    with pytest.raises(UserError) as caught:
        make(transition=Transition(str(small), str(large)))
    assert caught.value.message == "a.png is 64x64, and b.png is 128x64: a transition needs two of one size."
    with pytest.raises(UserError, match="the size asked for"):
        make(transition=Transition(str(large), str(large)))


def test_missing_picture_of_a_transition_is_named(make: Callable[..., Any], two: tuple[Path, Path]) -> None:
    two[1].unlink()
    with pytest.raises(UserError, match=r"The second picture .*gravel\.png cannot be read"):
        make(transition=Transition(*map(str, two)))


def test_transition_from_a_set_takes_a_tile_that_repeats(make: Callable[..., Any], two: tuple[Path, Path]) -> None:
    for count in (4, 16):
        (first,) = make(variants=count)
        (result,) = make(transition=Transition(str(first.path()), str(two[1])))
        sheet = Sheet(count)
        taken = tile_of(pixels_of(first.path()), *sheet.repeating)
        assert np.array_equal(tile_of(pixels_of(result.path()), *Sheet(16).place(0, 0, 0, 0)), taken)


@pytest.mark.parametrize("wrong", [{"variants": 4}, {"axes": Axes.X}, {"finish": Finish(upscale=2)}])
def test_transition_beside_what_it_cannot_have_is_refused(two: tuple[Path, Path], wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        TextureRequest("brick", size=Size(SIDE, SIDE), transition=Transition(*map(str, two)), **wrong)


def test_set_cancelled_half_way_leaves_nothing(sd_folder: Path, tmp_path: Path, two: tuple[Path, Path]) -> None:
    class Cancelled(Exception):
        pass

    class Stops(Watch):
        def progress(self, phase: Any, *rest: Any) -> None:
            if phase is Phase.DECODING:
                raise Cancelled

    plain = TextureRequest("brick", size=Size(SIDE, SIDE), steps=2, guidance_scale=1.0, model=str(sd_folder))
    for request in (replace(plain, variants=16), replace(plain, transition=Transition(*map(str, two)))):
        store = tmp_path / "store"
        with pytest.raises(Cancelled):
            make_images(ModelCache(), Start("1", request, str(store), "cpu"), Stops())
        assert list(store.iterdir()) == []


@pytest.mark.parametrize(("count", "place"), [(4, (3, 0)), (8, (1, 1)), (16, (0, 2))])
def test_one_tile_anew_keeps_its_rims_and_all_others(
    make: Callable[..., Any], count: int, place: tuple[int, int]
) -> None:
    (result,) = make(variants=count)
    request = ways.tile_anew(result, *place, seed=77)
    (other,) = make(**{name: getattr(request, name) for name in ("variants", "template", "seed", "size")})
    before, after = pixels_of(result.path()), pixels_of(other.path())
    rim = SIDE // RIM
    rows, columns = (slice(number * SIDE + rim, (number + 1) * SIDE - rim) for number in reversed(place))
    inside = np.zeros(before.shape[:2], bool)
    inside[rows, columns] = True
    assert np.array_equal(before[~inside], after[~inside])
    assert (before[inside] != after[inside]).mean() > 0.5
    assert_fits(after, Sheet(count), SIDE)
    assert other.recipe.sheet == Sheet(count)
    (again,) = make(**{name: getattr(ways.again(other), name) for name in ("variants", "template", "seed")})
    assert np.array_equal(pixels_of(again.path()), after)


def test_tile_that_no_set_has_is_refused(make: Callable[..., Any], two: tuple[Path, Path]) -> None:
    (result,) = make(variants=8)
    with pytest.raises(UserError, match="no tile in column 5 and row 1"):
        ways.tile_anew(result, 4, 0, seed=1)
    (plain,) = make()
    with pytest.raises(UserError, match="no set of tiles"):
        ways.tile_anew(plain, 0, 0, seed=1)
    (between,) = make(transition=Transition(*map(str, two)))
    with pytest.raises(UserError, match="all at once"):
        ways.tile_anew(between, 0, 0, seed=1)


def test_set_whose_file_is_gone_or_of_another_size_is_named(make: Callable[..., Any], tmp_path: Path) -> None:
    (result,) = make(variants=4)
    template = ways.tile_anew(result, 0, 0, seed=1).template
    assert template is not None
    with pytest.raises(UserError, match=r"The set is 64x64 pixels; 4 tiles of 64x64 are 256x64\."):
        make(variants=4, template=replace(template, source=str(paint(tmp_path / "one.png", 1))))
    result.path().unlink()
    with pytest.raises(UserError, match="cannot be read"):
        make(variants=4, template=template)


@pytest.fixture
def work_on(tmp_path: Path) -> Callable[..., Any]:
    def run(result: Any, kind: str = "base_color", **settings: Any) -> Any:
        request = PictureRequest(str(result.path(kind)), source_recipe=result.recipe.as_source(), **settings)
        watch = Watch()
        make_result(NetworkCache(), Start("1", request, str(tmp_path / "store"), "cpu"), watch)
        return watch.done[0]

    return run


@pytest.mark.parametrize("count", [8, 16])
def test_maps_remade_and_pictures_enlarged_later_fit_as_the_set_does(
    make: Callable[..., Any], work_on: Callable[..., Any], count: int
) -> None:
    (result,) = make(variants=count, finish=Finish(maps=(MapKind.NORMAL,), map_networks="filter"))
    finish = Finish(upscale=2, upscaler="starter", maps=tuple(MapKind), map_networks="starter")
    made = work_on(result, finish=finish)
    for kind in ("base_color", *(kind.value for kind in MapKind)):
        with Image.open(made.path(kind)) as image:
            assert_fits(np.asarray(image), Sheet(count), 2 * SIDE)
    assert made.recipe.sheet == Sheet(count)
    # and what was enlarged is enlarged once more
    twice = work_on(made, finish=Finish(upscale=2, upscaler="lanczos"))
    assert_fits(pixels_of(twice.path()), Sheet(count), 4 * SIDE)
    normals = work_on(result, "normal", content=Content.NORMAL, finish=Finish(upscale=2, upscaler="lanczos"))
    assert_fits(pictures.read(normals.path()), Sheet(count), 2 * SIDE)
    lengths = np.linalg.norm(pictures.read(normals.path()) / 65535 * 2 - 1, axis=-1)
    assert np.abs(lengths - 1).max() < 1e-3


def test_set_that_was_cut_or_made_tileable_since_is_one_picture(
    make: Callable[..., Any], work_on: Callable[..., Any]
) -> None:
    (result,) = make(variants=8)
    assert work_on(result, tileable=True, axes=Axes.XY).recipe.sheet == Sheet(1)
    Image.fromarray(pixels_of(result.path())[:, :-1]).save(result.path())
    made = work_on(result, finish=Finish(upscale=2, upscaler="lanczos"))
    assert pixels_of(made.path()).shape == (4 * SIDE, 8 * SIDE - 2, 3)


def test_transition_has_the_maps_of_either_picture_where_nothing_is_made_anew(make: Callable[..., Any]) -> None:
    finish = Finish(maps=tuple(MapKind), map_networks="filter")
    two = [make(prompt=prompt, finish=finish)[0] for prompt in ("grass", "gravel")]
    request = ways.transition(*two, width=0.25)
    assert (request.size, request.transition.prompt) == (Size(SIDE, SIDE), "gravel")
    (result,) = make(prompt="grass", transition=request.transition, finish=finish)
    sheet = Sheet(16)
    for kind in MapKind:
        made = pictures.read(result.path(kind.value))
        assert_fits(made, sheet, SIDE)
        for number, source in enumerate(two):
            tile = tile_of(made, *sheet.place(number, number, number, number))
            assert np.array_equal(tile, pictures.read(source.path(kind.value)))
    (again,) = make(prompt="grass", transition=ways.again(result).transition, finish=finish)
    for kind in MapKind:
        assert np.array_equal(pictures.read(again.path(kind.value)), pictures.read(result.path(kind.value)))


def test_textures_of_two_sizes_or_scales_make_no_transition(make: Callable[..., Any]) -> None:
    (one,), (large,) = make(prompt="grass"), make(prompt="gravel", size=Size(2 * SIDE, SIDE))
    with pytest.raises(UserError, match="tiles of 64x64 and 128x64 pixels"):
        ways.transition(one, large)
    with pytest.raises(UserError, match="is 1 and 2 wide on the object"):
        ways.transition(one, one, widths=(1.0, 2.0))
    assert ways.transition(one, one, widths=(1.0, 1.001)).transition.prompt == "grass"


@pytest.mark.parametrize(("side", "is_cut"), [(512, False), (1024, True)])
def test_sheet_larger_than_any_picture_is_seen_a_tile_at_a_time(side: int, is_cut: bool) -> None:
    network = mock.Mock(spec=UNet2DConditionModel)
    defaults = mock.Mock(size=512, periodic=True)
    loaded = mock.Mock(pipeline=mock.Mock(components={"unet": network}, vae_scale_factor=8))
    loaded.info = mock.Mock(defaults=defaults, family=mock.Mock(denoiser="unet"))
    loaded.info.sampled_on.return_value = Axes.XY
    with mock.patch.object(generate, "in_windows") as cut:
        generate._windows(loaded, TextureRequest("brick", size=Size(side, side), variants=16), lambda _y, _x: None)
    assert [call.args[1] for call in cut.call_args_list] == [side // 8] * is_cut
