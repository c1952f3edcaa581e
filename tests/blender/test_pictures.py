# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators for images that exist, with an engine that has no torch."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from addon.core.exr import ExrWriter
from addon.core.recipe import Recipe
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.picture import PictureRequest
from addon.core.requests.texture import Axes
from addon.core.surface_kinds import SurfaceKind

from .conftest import Blender


def test_upscale_adds_a_new_image_and_touches_no_material(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("pictures.upscale", folder=str(tmp_path))
    request = Recipe.loads(told["recipe"]).request
    source = str(tmp_path / "Old wall.png")
    assert request == PictureRequest(source, Finish(8), Axes.X, title="Old wall 8x")
    assert told["name"].startswith("Old wall 8x")
    assert told["materials"] == 0


def test_make_tileable_takes_the_image_of_the_material(blender: Blender, tmp_path: Path) -> None:
    request = Recipe.loads(
        blender.run("pictures.tileable_of_the_selected_node", folder=str(tmp_path))["recipe"]
    ).request
    assert request.tileable
    assert request.source == str(tmp_path / "Old wall.png")


def test_the_base_color_of_a_material_goes_before_its_other_images(blender: Blender, tmp_path: Path) -> None:
    blender.run("pictures.base_color_goes_before_other_images", folder=str(tmp_path))


def test_what_names_an_image_needs_none_in_view(blender: Blender, tmp_path: Path) -> None:
    blender.run("pictures.a_named_image_needs_none_in_view", folder=str(tmp_path))


def test_make_maps_puts_its_result_into_the_material(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("pictures.maps_go_into_the_material", folder=str(tmp_path))
    request = Recipe.loads(told["recipe"]).request
    said = {"kind": SurfaceKind.CLOTH, "delight": True, "invert_relief": True}
    finish = Finish(maps=tuple(MapKind), map_networks="filter", **said)
    assert request.finish == finish
    assert told["shown"]
    assert {kind.value for kind in MapKind} < set(told["files"])


def test_generate_upscales_and_makes_a_whole_material(blender: Blender) -> None:
    told = blender.run("pictures.generated_whole")
    assert Recipe.loads(told["recipe"]).texture.finish == Finish(4, maps=tuple(MapKind))
    assert told["shown"] == sorted(["base_color", *(kind.value for kind in MapKind)])
    assert told["again"] == ["4", True]


def test_a_result_with_a_seam_is_made_tileable_and_has_no_variations(blender: Blender) -> None:
    told = blender.run("pictures.a_seam_has_its_remedy")
    assert Recipe.loads(told["recipe"]).request.tileable
    assert "made from another picture" in told["refused"]


def test_dialogs_propose_the_axes_of_the_recipe(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("pictures.axes_that_are_proposed", folder=str(tmp_path))
    assert told == {
        "upscale X": "X",
        "upscale NONE": "NONE",
        "upscale broken": "XY",
        "make_maps X": "X",
        "make_maps NONE": "NONE",
        "make_maps broken": "XY",
        "make_tileable X": "X",
        "make_tileable NONE": "XY",  # which it cannot make
        "make_tileable broken": "XY",
    }


def test_a_relief_that_was_inverted_is_inverted_when_maps_are_made_again(blender: Blender, tmp_path: Path) -> None:
    blender.run("pictures.an_inverted_relief_is_proposed_again", folder=str(tmp_path))


def test_image_editors_that_show_the_source_show_the_result(blender: Blender, tmp_path: Path) -> None:
    blender.run("pictures.image_editors_show_it", folder=str(tmp_path))


def test_the_asset_of_what_was_made_of_a_generated_picture_names_its_model(blender: Blender) -> None:
    told = blender.run("pictures.asset_of_a_generated_picture")
    assert told["license"] == "Model Starter: GPL-3.0-or-later"
    assert "The picture: “bricks”." in told["description"]
    assert "with the model Starter" in told["description"]


def test_the_panel_chooses_upscaler_and_map_networks(blender: Blender) -> None:
    told = blender.run("pictures.networks_of_the_panel")
    finish = Recipe.loads(told["recipe"]).texture.finish
    assert finish == Finish(2, "lanczos", tuple(MapKind), "filter")
    assert told["again"] == ["lanczos", "filter"]


def test_an_image_that_is_linked_from_a_library_is_read(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("pictures.linked_images", folder=str(tmp_path))
    assert told == {"path": str(tmp_path / "Old wall.png"), "library": True}


def test_our_normal_maps_are_known_as_such(blender: Blender, tmp_path: Path) -> None:
    contents = blender.run("pictures.normals_are_known_as_such", folder=str(tmp_path))
    # of the third nothing is known any more but its color space
    assert contents == ["NORMAL", "NORMAL", "DATA", "NORMAL"]


def test_the_engine_gets_the_pixels_of_every_kind_of_image(blender: Blender, tmp_path: Path) -> None:
    premultiplied = np.array([[[100, 50, 25, 128], [10, 5, 200, 255]]], np.uint8)
    Image.fromarray(premultiplied).save(tmp_path / "premultiplied.png")
    made = blender.run("pictures.every_kind_of_image", folder=str(tmp_path))
    assert {name: content for name, (_path, content) in made.items()} == {
        "generated": "COLOR",
        "float": "LINEAR",
        "exr": "LINEAR",
        "deep tiff": "LINEAR",
        "painted": "COLOR",
        "premultiplied": "COLOR",
    }
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)[::-1] / 24  # from the top
    generated = np.asarray(Image.open(made["generated"][0]))
    assert generated.shape == (2, 3, 4)
    assert np.abs(generated / 255 - values).max() < 1 / 255
    arrays = {name: np.load(made[name][0], allow_pickle=False) for name in ("float", "exr")}
    assert {(array.dtype.name, array.shape) for array in arrays.values()} == {("float32", (2, 3, 4))}
    assert np.allclose(arrays["float"], values * 10)
    assert np.asarray(Image.open(made["painted"][0]))[-1, 0, 0] == 255
    divided = np.asarray(Image.open(made["premultiplied"][0])).tolist()
    assert divided == [[[199, 100, 50, 128], [10, 5, 200, 255]]]


def test_color_space_and_alpha_mode_are_those_of_the_source(blender: Blender, tmp_path: Path) -> None:
    blender.run("pictures.looks_are_kept", folder=str(tmp_path))


def test_results_have_the_color_space_of_their_content_wherever_they_are_shown(
    blender: Blender, tmp_path: Path
) -> None:
    assert blender.run("pictures.looks_of_results", folder=str(tmp_path)) == {
        "COLOR png": "sRGB",
        "NORMAL png": "Non-Color",
        "DATA png": "Non-Color",
        "DATA exr": "Non-Color",
        "LINEAR exr": "Linear Rec.709",
    }


def test_pixels_that_cannot_be_written_are_told_and_leave_nothing(own_blender: Blender, tmp_path: Path) -> None:
    told = own_blender.run("pictures.nothing_can_be_written", folder=str(tmp_path))
    words = {
        "float": "Cannot write to",
        "bytes": "Cannot write the pixels of bytes to",
        "packed": "Cannot write to",
        "memory": "Not enough memory for the pixels of float.",
        "gone": "Cannot write to",
    }
    assert told.keys() == words.keys()
    for name, message in told.items():
        assert message.removeprefix("Error: ").startswith(words[name])
        assert ("picture-" in message) == (name in ("float", "bytes", "packed"))


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_written_for_a_job_goes_with_it(blender: Blender, fails: bool) -> None:
    failure = {"do": "fail", "phase": "SAVING", "kind": "memory", "message": "It is too red.", "prompt": "fails"}
    blender.use_fake({"faults": [failure]})
    blender.run("pictures.what_was_written_goes_with_its_job", fails=fails)


def test_what_cannot_be_done_is_told(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("pictures.what_cannot_be_done", folder=str(tmp_path))
    for message, words in zip(told, ("is missing", "no image 'nothing'", "a movie", "no image"), strict=True):
        assert words in message


@pytest.mark.parametrize("channels", [3, 4])
def test_blender_reads_our_exr(blender: Blender, tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).random((5, 7, channels)).astype(np.float32) * 9
    with ExrWriter(tmp_path / "a.exr", 7, 5, channels) as writer:
        writer.write(pixels)
    back = blender.run("pictures.our_exr_is_blenders", path=str(tmp_path / "a.exr"), shape=[5, 7, channels])
    assert np.allclose(back, pixels.ravel(), rtol=1e-6)
