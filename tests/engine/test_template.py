# SPDX-License-Identifier: GPL-3.0-or-later
"""A template is fitted on the torus, and a mask keeps what it keeps; each fault is one sentence."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.core import results
from addon.core.errors import UserError
from addon.core.requests.template import Fit, Region, Template
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.engine import masks
from addon.engine.cover import cover
from addon.engine.template import Ground, fit, ground

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (64, 128, 3), dtype=np.uint8)
SIZE = Size(128, 64)
WRAPPED = (Axes.XY, Axes.X, Axes.Y)


def rolled(array: NDArray[Any], axes: Axes, down: int = 16, right: int = 40) -> NDArray[Any]:
    return np.roll(array, (down * axes.y, right * axes.x), (0, 1))


class Desk:
    """Makes templates ready from files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes = folder, list[str]()

    def file(self, pixels: NDArray[Any], name: str = "wall.png") -> str:
        path = self.folder / name
        if path.suffix == ".npy":
            np.save(path, pixels)
        else:
            Image.fromarray(pixels).save(path)
        return str(path)

    def ready(
        self, source: NDArray[Any] | str = PICTURE, *, axes: Axes = Axes.XY, size: Size = SIZE, **of: Any
    ) -> Ground:
        source = source if isinstance(source, str) else self.file(source)
        request = TextureRequest("x", size=size, axes=axes, template=Template(source, **of))
        with ground(request, self.folder / "store", lambda: None, self.notes.append, lambda p: p[..., 0] / 255) as made:
            assert made
            return made


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# --- fitting


@pytest.mark.parametrize("how", Fit)
def test_a_template_of_the_wanted_size_keeps_its_pixels(desk: Desk, how: Fit) -> None:
    assert np.array_equal(desk.ready(fit=how).pixels, PICTURE)


@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("factor", [0.5, 2])
def test_scaling_a_rolled_template_rolls_what_it_becomes(axes: Axes, factor: float) -> None:
    size = Size(int(256 * factor), int(128 * factor))
    picture = RNG.random((128, 256, 3)).astype(np.float32)
    plain, moved = (fit(p, size, Fit.STRETCH, axes) for p in (picture, rolled(picture, axes)))
    assert np.abs(moved - rolled(plain, axes, int(16 * factor), int(40 * factor))).max() <= 1e-6


def test_a_crop_is_the_middle_at_its_own_shape() -> None:
    picture = np.zeros((64, 256, 1), np.float32)
    picture[:, 96:160] = 1
    assert (fit(picture, Size(64, 64), Fit.CROP, Axes.XY) == 1).all()


def test_a_tiled_template_stands_beside_itself_about_at_its_size() -> None:
    picture = RNG.random((64, 128, 3)).astype(np.float32)
    assert np.array_equal(fit(picture, Size(256, 128), Fit.TILE, Axes.XY), np.tile(picture, (2, 2, 1)))
    mirrored = fit(picture, Size(256, 64), Fit.TILE, Axes.Y)
    assert np.array_equal(mirrored, np.concatenate((picture, picture[:, ::-1]), 1))
    odd = fit(RNG.random((60, 100, 1)).astype(np.float32), Size(320, 192), Fit.TILE, Axes.XY)
    assert np.array_equal(odd[:64], odd[64:128])


@pytest.mark.parametrize("axes", WRAPPED)
def test_a_photo_becomes_a_tile(desk: Desk, axes: Axes) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 128), (128, 128)).astype(np.uint8)
    ramp = np.maximum(ramp, ramp.T)
    made = desk.ready(np.repeat(ramp[..., None], 3, -1), size=Size(128, 128), axes=axes, tileable=True).pixels.astype(
        int
    )
    for axis, repeats in ((0, axes.y), (1, axes.x)):
        step = np.abs(np.diff(made, axis=axis)).max()
        jump = np.abs(np.take(made, 0, axis) - np.take(made, -1, axis)).max()
        assert (jump <= 2 * step) == repeats


@pytest.mark.parametrize("kind", ["grey", "16 bits", "float", "palette"])
def test_templates_of_all_depths_are_colors_of_eight_bits(desk: Desk, kind: str) -> None:
    grey = PICTURE[..., 0]
    match kind:
        case "grey":
            source, wanted = desk.file(grey), np.repeat(grey[..., None], 3, -1)
        case "16 bits":
            source, wanted = desk.file(grey.astype(np.uint16) * 257), np.repeat(grey[..., None], 3, -1)
        case "float":
            source, wanted = desk.file(np.full((64, 128, 3), 0.214, np.float32), "wall.npy"), np.full((64, 128, 3), 127)
        case _:
            image = Image.fromarray(PICTURE).quantize(32)
            image.save(desk.folder / "wall.png")
            source, wanted = str(desk.folder / "wall.png"), np.asarray(image.convert("RGB"))
    assert np.abs(desk.ready(source).pixels.astype(int) - wanted).max() <= (1 if kind == "float" else 0)


def test_transparency_is_left_out_and_said(desk: Desk) -> None:
    alpha = np.full((64, 128, 1), 255, np.uint8)
    alpha[:32] = 0
    made = desk.ready(np.concatenate((PICTURE, alpha), -1))
    assert desk.notes == ["The template's transparency is left out."]
    assert np.array_equal(made.pixels[32:], PICTURE[32:])
    assert np.ptp(made.pixels[:32], (0, 1)).max() == 0  # what nobody sees may be any color
    desk.notes.clear()
    desk.ready(np.concatenate((PICTURE, np.full_like(alpha, 255)), -1))
    assert not desk.notes


# --- what is made anew


def mask_of(*parts: tuple[slice, slice]) -> NDArray[np.uint8]:
    mask = np.zeros((64, 128), np.uint8)
    for part in parts:
        mask[part] = 255
    return mask


def masked(desk: Desk, mask: NDArray[Any], **of: Any) -> Ground:
    return desk.ready(region=Region.MASK, mask=desk.file(mask, "mask.png"), **of)


@pytest.mark.parametrize("feather", [0, 1 / 64, 0.25])
def test_outside_the_mask_pixels_stay_bit_for_bit(desk: Desk, feather: float) -> None:
    mask = mask_of((slice(8, 30), slice(100, 128)), (slice(50, 53), slice(0, 90)))
    made = masked(desk, mask, feather=feather)
    assert made.weight is not None
    result = made.blend(255 - PICTURE)
    assert np.array_equal(result[mask == 0], PICTURE[mask == 0])
    assert ((made.weight > 0) == (mask > 0)).all()
    # its middle is reached, however narrow it is: a scratch of three pixels too
    assert made.weight[51, 40] == 1
    assert np.array_equal(result[51, 40], 255 - PICTURE[51, 40])
    if not feather:
        assert np.array_equal(result[mask > 0], (255 - PICTURE)[mask > 0])


@pytest.mark.parametrize("axes", [*WRAPPED, Axes.NONE])
def test_a_feather_is_periodic(axes: Axes) -> None:
    inside = (RNG.random((96, 128)) > 0.7).astype(np.float32)
    inside[20:70, 30:100] = 1
    plain, moved = (masks.depth_weight(mask, 9, axes) for mask in (inside, rolled(inside, axes)))
    assert np.array_equal(moved, rolled(plain, axes))
    # a mask that reaches an edge is soft there only where nothing goes on beyond it
    edge = np.zeros((64, 64), np.float32)
    edge[:, :20] = 1
    weight = masks.depth_weight(edge, 8, axes)
    assert (weight[32, 0] < 1) == axes.x
    assert weight[32, 10] == 1


def test_a_soft_brush_stays_soft(desk: Desk) -> None:
    mask = mask_of((slice(16, 48), slice(32, 96)))
    mask[:, 64:96] //= 2
    weight = masked(desk, mask, feather=0).weight
    assert weight is not None
    assert weight[30, 40] == 1
    assert 0.4 < weight[30, 80] < 0.6


def test_a_mask_of_another_size_is_fitted_as_the_template_is(desk: Desk) -> None:
    mask = np.zeros((32, 64), np.uint8)
    mask[4:12, 8:24] = 255
    weight = masked(desk, mask, feather=0).weight
    assert weight is not None
    assert (weight[9:23, 17:47] == 1).all()
    assert not weight[:7].any()
    assert not weight[:, 50:].any()


def test_an_all_white_mask_is_like_none_and_an_all_black_one_is_refused(desk: Desk) -> None:
    assert masked(desk, np.full((64, 128), 255, np.uint8)).weight is None
    with pytest.raises(UserError, match="all black"):
        masked(desk, mask_of())


def test_what_is_transparent_can_be_what_is_made_anew(desk: Desk) -> None:
    alpha = np.full((64, 128, 1), 255, np.uint8)
    alpha[20:40, 30:60] = 0
    weight = desk.ready(np.concatenate((PICTURE, alpha), -1), region=Region.ALPHA, feather=0).weight
    assert weight is not None
    assert np.array_equal(weight > 0, alpha[..., 0] == 0)
    assert not desk.notes
    with pytest.raises(UserError, match="nowhere transparent"):
        desk.ready(region=Region.ALPHA)


@pytest.mark.parametrize("axes", WRAPPED)
def test_a_seam_is_a_band_along_the_edges_that_repeat(desk: Desk, axes: Axes) -> None:
    made = desk.ready(region=Region.SEAM, axes=axes)
    assert made.weight is not None
    assert made.weight[32, 64] == 0
    assert (made.weight[32, [0, -1]] == 1).all() == axes.x
    assert (made.weight[[0, -1], 64] == 1).all() == axes.y
    assert float(made.words[results.RECIPE_BEFORE]) > 0
    assert np.array_equal(made.start[made.weight == 0], PICTURE[made.weight == 0])
    jump = made.start[[0, -1]].astype(int) if axes.y else made.start[:, [0, -1]].astype(int).swapaxes(0, 1)
    middle = PICTURE[31:33].astype(int) if axes.y else PICTURE[:, 63:65].astype(int).swapaxes(0, 1)
    assert np.abs(jump[0] - middle[1]).mean() < np.abs(PICTURE[0].astype(int).mean())  # what was in the middle


@pytest.mark.parametrize(
    ("size", "across", "down"), [(Size(256, 128), 2, 2), (Size(256, 64), 2, 1), (Size(128, 128), 1, 2)]
)
def test_a_grown_texture_has_the_old_one_at_its_top_left(desk: Desk, size: Size, across: int, down: int) -> None:
    made = desk.ready(region=Region.GROW, size=size)
    assert made.weight is not None
    assert np.array_equal(made.pixels, np.tile(PICTURE, (down, across, 1)))
    assert not made.weight[:64, :128].any()
    kept = np.zeros((size.height, size.width), bool)
    kept[:64, :128] = True
    assert (made.weight[~kept] > 0).all()
    assert made.weight.max() == 1
    result = made.blend(255 - made.pixels)
    assert np.array_equal(result[:64, :128], PICTURE)


def test_there_must_be_room_to_grow(desk: Desk) -> None:
    with pytest.raises(UserError, match="no room to grow"):
        desk.ready(region=Region.GROW)


def test_wear_covers_about_the_amount_asked_for_at_the_same_places_for_every_prompt(desk: Desk) -> None:
    height = masks._blurred(RNG.standard_normal((64, 128)).astype(np.float32), 3, Axes.XY)
    bumps = ((height / height.std() / 6 + 0.5).clip(0, 1) * 255).astype(np.uint8)
    picture = np.repeat(bumps[..., None], 3, -1)
    shares = [
        float((desk.ready(picture, region=Region.WEAR, amount=amount).weight > 0).mean())  # type: ignore[operator]
        for amount in (0.1, 0.4, 0.8, 1.0)
    ]
    assert np.abs(np.array(shares) - [0.1, 0.4, 0.8, 1.0]).max() <= 0.02
    one, two = (desk.ready(picture, region=Region.WEAR).weight for _ in range(2))
    assert np.array_equal(one, two)  # type: ignore[arg-type]


@pytest.mark.parametrize("axes", WRAPPED)
def test_a_rolled_height_wears_at_rolled_places(axes: Axes, monkeypatch: pytest.MonkeyPatch) -> None:
    height, noise = RNG.standard_normal((2, 64, 128)).astype(np.float32)

    class Fixed:
        def __init__(self, array: NDArray[np.float32]) -> None:
            self.array = array

        def standard_normal(self, _shape: object) -> NDArray[np.float32]:
            return self.array

    made = []
    for values, patches in ((height, noise), (rolled(height, axes), rolled(noise, axes))):
        monkeypatch.setattr(masks.np.random, "default_rng", lambda _seed, patches=patches: Fixed(patches))
        made.append(masks.wear(values, 0.4, axes, 0))
    inner = slice(None) if axes is Axes.XY else (slice(12, -12) if not axes.y else slice(None))
    if axes is Axes.XY:
        assert np.abs(made[1] - rolled(made[0], axes)).max() <= 1e-4
    else:
        assert np.abs((made[1] - rolled(made[0], axes))[inner]).mean() <= 0.05


def test_variants_that_keep_their_edges_tile_with_each_other(desk: Desk) -> None:
    made = desk.ready(keep_edges=True, tileable=True)
    assert made.weight is not None
    result = made.blend(255 - made.pixels)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(result[edge], made.pixels[edge])
    assert np.array_equal(result[32, 64], 255 - made.pixels[32, 64])


# --- covering


def test_a_scratch_in_a_pattern_is_covered_by_what_belongs_there() -> None:
    rows, columns = np.mgrid[:128, :128]
    pattern = (((rows // 8) % 2) * 120 + ((columns // 16) % 2) * 60 + (columns % 16) * 2).astype(np.uint8)
    picture = np.repeat(pattern[..., None], 3, -1)
    inside = np.zeros((128, 128), bool)
    inside[30:34, 10:100] = inside[100:, 120:] = inside[:9, :9] = True
    damaged = picture.copy()
    damaged[inside] = 255
    assert np.array_equal(cover(damaged, inside, Axes.XY), picture)


@pytest.mark.parametrize("axes", [Axes.X, Axes.Y, Axes.NONE])
def test_what_covers_is_not_taken_from_beyond_an_edge_that_does_not_repeat(axes: Axes) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[..., 0] = np.arange(64)[:, None]
    picture[..., 1] = np.arange(64)
    inside = np.zeros((64, 64), bool)
    inside[:6, 20:40] = inside[20:40, :6] = True
    covered = cover(picture, inside, axes)
    assert np.array_equal(covered[~inside], picture[~inside])
    taken = covered[inside].astype(int)
    outside = {tuple(color) for color in picture[~inside].tolist()}
    assert all(tuple(color) in outside for color in taken.tolist())
    # rows that follow each other did so in the picture too: no cell crosses the edge
    if not axes.y:
        column = covered[:6, 30, 0].astype(int)
        assert (np.diff(column)[np.diff(column) != 1] < 63 - 6).all()


def test_a_scratch_does_not_show_through_the_feather(desk: Desk) -> None:
    picture = np.full((64, 128, 3), 100, np.uint8)
    picture[30:33, 20:90] = 255
    mask = mask_of((slice(28, 35), slice(16, 94)))
    source = desk.file(picture)
    made = masked(desk, mask, source=source, feather=0.1)
    assert (made.pixels == 100).all()
    kept = masked(desk, mask, source=source, cover=False)
    assert np.array_equal(kept.pixels, picture)


# --- faults


def test_a_recipe_has_the_hashes_and_the_files_lie_beside_the_result(desk: Desk) -> None:
    source = desk.file(PICTURE)
    request = TextureRequest("x", size=SIZE, template=Template(source))
    store = desk.folder / "store"
    with ground(request, store, lambda: None, desk.notes.append, lambda p: p[..., 0]) as made:
        assert made
        assert made.of(request).template == replace(request.template, sha256=made.request.template.sha256)  # type: ignore[union-attr, type-var]
        Path(source).unlink()  # no longer needed
        with results.draft(store, "x", 1) as draft:
            files = made.keep(draft)
            assert files == {results.TEMPLATE: "template.png"}
            assert np.array_equal(np.asarray(Image.open(draft.folder / "template.png")), PICTURE)
    assert list(store.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file or directory"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\nnonsense"), "has changed since"),
    ],
)
def test_a_template_that_is_gone_or_another_is_refused_by_name(
    desk: Desk, spoil: Callable[[Path], object], words: str
) -> None:
    source = desk.file(PICTURE)
    sha256 = desk.ready(source).request.template.sha256  # type: ignore[union-attr]
    assert desk.ready(source, sha256=sha256).pixels is not None
    spoil(Path(source))
    with pytest.raises(UserError, match=words) as caught:
        desk.ready(source, sha256=sha256)
    assert "wall.png" in caught.value.message


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x89PNG\r\n\x1a\nnonsense"])
def test_a_template_that_is_no_picture_is_refused_by_its_own_name(desk: Desk, content: bytes) -> None:
    (desk.folder / "wall.png").write_bytes(content)
    with pytest.raises(UserError) as caught:
        desk.ready(str(desk.folder / "wall.png"))
    assert caught.value.message.startswith("wall.png")
    assert list((desk.folder / "store").iterdir()) == []


def test_values_that_are_not_finite_are_refused(desk: Desk) -> None:
    picture = np.ones((64, 128, 3), np.float32)
    picture[3, 4] = np.nan
    with pytest.raises(UserError, match="not finite"):
        desk.ready(desk.file(picture, "wall.npy"))
