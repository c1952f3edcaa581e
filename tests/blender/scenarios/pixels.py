# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of pixels in Blender, rule by rule, each from a new file: facts that were guessed wrong before."""

import os
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh, generate, message_of, run_rules, wish
from mathutils import Matrix, Vector

FOLDER = Path()
SPACES_OF_BLENDER_5 = ("Linear Rec.709", "Linear Rec.2020", "ACEScg")


def run_all(folder: str) -> dict[str, str]:
    """folder: where files may be written, and where those lie that only other programs write."""
    global FOLDER
    FOLDER = Path(folder)
    return run_rules(globals())


def deep_png(path: Path, width: int, height: int, channels: int, values: Callable[[int], int]) -> None:
    """A PNG of 16 bits a channel; values: of each number in order, 0 to 65535."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))

    row = width * channels
    rows = b"".join(b"\0" + struct.pack(f">{row}H", *(values(y * row + x) for x in range(row))) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def _numbers(image: Any) -> "array[float]":
    values = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(values)
    return values


def _apart(one: "array[float]", other: "array[float]") -> float:
    assert len(one) == len(other) > 0
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _deep_result(channels: int, name: str) -> Any:
    """An image of a result of ours whose file has 16 bits."""
    image = generate(prompt=name)
    path = Path(bpy.path.abspath(image.filepath))
    deep_png(path, 8, 8, channels, lambda index: (index * 7919 + 1234) % 65536)
    image.reload()
    assert image.is_float
    image.use_fake_user = True
    return image


def _set_working_space(name: str) -> None:
    if bpy.data.colorspace.working_space != name:  # else the operator says CANCELLED
        assert bpy.ops.wm.set_working_color_space(working_space=name, convert_colors=False) == {"FINISHED"}


def _working_spaces() -> tuple[str, ...]:
    return SPACES_OF_BLENDER_5 if bpy.app.version >= (5, 0, 0) else ("",)


def rule_a_painted_image_of_16_bits_is_the_same_after_reopening() -> None:
    """Saving packs it as an EXR of the pixels in memory: linear, in the working space, multiplied by alpha.

    Blender (4.2, 4.5.15, 5.2.2) leaves the image's color space at sRGB and its alpha at straight, so that it was dark
    when the file was opened again: mean red 0.312 became 0.142, with alpha 0.166 became 0.036.
    """
    for working in _working_spaces():
        for channels in (1, 3, 4):
            for space in ("sRGB", "Filmic sRGB", "Non-Color", "ACEScg", "Linear Rec.709"):
                for mode in ("STRAIGHT", "PREMUL", "CHANNEL_PACKED", "NONE") if channels == 4 else ("STRAIGHT",):
                    bpy.ops.wm.read_homefile(use_factory_startup=True)
                    if working:
                        _set_working_space(working)
                    _painted_survives(channels, space, mode)


def _painted_survives(channels: int, space: str, mode: str) -> None:
    case = f"{channels} {space} {mode}"
    image = _RESULTS.get(channels)
    if image is None:
        made = _deep_result(channels, f"deep {channels}")
        _RESULTS[channels] = image = (made.filepath_from_user(), made.tilewright.result)
    path, result = image
    image = bpy.data.images.load(path, check_existing=False)
    image.tilewright.result, image.tilewright.kind, image.use_fake_user = result, "base_color", True
    image.colorspace_settings.name, image.alpha_mode = space, mode
    image.pixels[0] = 0.25
    image.update()
    assert image.is_dirty, case
    before, name, file = _numbers(image), image.name, str(FOLDER / "painted.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert image.packed_file, case
    assert image.filepath.endswith(".exr"), case
    assert _apart(_numbers(image), before) == 0, case
    bpy.ops.wm.open_mainfile(filepath=file)
    assert _apart(_numbers(bpy.data.images[name]), before) == 0, case


_RESULTS: dict[int, Any] = {}


def rule_one_image_that_cannot_be_packed_does_not_stop_the_others() -> None:
    """Each is guarded alone, whatever is wrong with it, and the user is told which was left out and why."""
    for on_save in ("PACK", "COPY"):
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        preferences = addon("common.preferences").get()
        before, preferences.on_save = preferences.on_save, on_save
        names = [generate(prompt=f"{word} {on_save}").name for word in ("first", "gone", "nowhere", "odd", "last")]
        first, gone, nowhere, odd, last = (bpy.data.images[name] for name in names)
        for image in (first, gone, nowhere, odd, last):
            image.use_fake_user = True
        os.unlink(bpy.path.abspath(gone.filepath))
        nowhere.filepath_raw = ""
        odd.filepath_raw = f"//{'x' * 300}/{odd.tilewright.result}/{'y' * 600}.png"
        if on_save == "PACK":
            odd.filepath_raw = f"{addon('common.preferences').store_folder()}/{odd.tilewright.result}/{'y' * 300}.png"
        bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / f"guarded {on_save}.blend"))
        told = bpy.context.window_manager.tilewright.error
        preferences.on_save = before
        assert f"{gone.name} (No such file or directory)" in told, told
        for image in (first, last):
            assert image.name not in told
            where = Path(bpy.path.abspath(image.filepath))
            assert image.packed_file if on_save == "PACK" else where.parent == FOLDER / "textures"


def rule_what_fails_in_an_unknown_way_is_told_too() -> None:
    image, other = generate(prompt="fails"), generate(prompt="other")
    image.use_fake_user = True
    images = addon("pictures.images")
    before = images.pack

    def pack(of: Any) -> str:
        if of.name == image.name:
            raise ValueError("something new\nsecond line")
        return before(of)

    images.pack = pack
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "new.blend"))
    finally:
        images.pack = before
    assert f"{image.name} (something new)" in bpy.context.window_manager.tilewright.error
    assert other.packed_file
    assert not image.packed_file


def _facts(image: Any) -> dict[str, Any]:
    names = ("file_format", "filepath", "filepath_raw", "is_dirty", "source", "alpha_mode", "use_half_precision")
    facts = {name: getattr(image, name) for name in names}
    return facts | {
        "space": image.colorspace_settings.name,
        "packed": len(image.packed_files),
        "users": image.users,
        "size": tuple(image.size),
        "pixels": _numbers(image).tobytes(),
    }


def rule_reading_an_image_leaves_it_as_it_is() -> None:
    """Also after an error. Of a DDS the file format reads "" and cannot be set back (4.5.15, 5.2.2).

    Upscale, Make Tileable and Maps set it to PNG for a moment: that raised a TypeError, left it at PNG, and Blender's
    own Save then wrote PNG bytes into the user's .dds.
    """
    sources = addon("pictures.sources")
    cineon = bpy.data.images.new("cineon", 16, 8, float_buffer=True)  # Pillow writes none
    cineon.pixels.foreach_set([0.5, 0.2, 0.1, 1.0] * 128)
    cineon.file_format = "CINEON"
    cineon.save(filepath=str(FOLDER / "kind.cin"))
    files = sorted(path for path in FOLDER.iterdir() if path.stem.startswith("kind"))
    assert {path.suffix for path in files} >= {".cin", ".dds", ".psd", ".jp2", ".webp"}, files
    whole, read = 0, set()
    for path in files:
        bytes_ = path.read_bytes()
        for how in ("as it is", "premultiplied", "painted", "packed", "without a disk"):
            image = bpy.data.images.load(str(path), check_existing=False)
            if not all(image.size):
                continue  # this Blender does not read such files
            read.add(path.suffix)
            if how in ("premultiplied", "without a disk"):
                image.alpha_mode = "PREMUL"
            elif how == "painted":
                image.pixels[0] = 0.5
                image.update()
            elif how == "packed":
                image.pack()
            before, count = _facts(image), len(bpy.data.images)
            out = FOLDER / ("no folder" if how == "without a disk" else "out")
            if how == "without a disk":
                out.write_text("a file in the way")
                with suppress(Exception):
                    sources.prepare(image, out)
                out.unlink()
            else:
                made, _content = sources.prepare(image, out)
                assert made.stat().st_size, path.name
            assert _facts(image) == before, (path.name, how)
            assert len(bpy.data.images) == count, (path.name, how)
            assert path.read_bytes() == bytes_, (path.name, how)
            bpy.data.images.remove(image)
            whole += 1
    assert whole >= 5 * 6
    assert {".cin", ".dds", ".psd", ".webp"} <= read, read


def rule_files_lie_as_the_worker_reads_them() -> None:
    """Blender (4.2 to 5.2.2) turns no file as its orientation asks, but for AVIF: see the engine's test_pictures.

    Pillow turns TIFF, so 128x64 became 64x128 or lay on its head: that one is handed over through Blender.
    """
    read = set()
    for path in sorted(FOLDER.glob("turned-*")):
        suffix, orientation = path.suffix, int(path.stem[-1])
        image = bpy.data.images.load(str(path), check_existing=False)
        if not all(image.size):
            continue
        read.add(suffix)
        lies = suffix == ".avif" and orientation >= 5
        assert tuple(image.size) == ((16, 32) if lies else (32, 16)), path.name
        if suffix != ".avif":  # the reddest corner is the left upper one, as it is stored
            pixels, width = _numbers(image), image.size[0]
            corners = [pixels[4 * (y * width + x)] for x, y in ((4, 12), (28, 12), (4, 4), (28, 4))]
            assert corners[0] > 0.9 > 0.3 > max(corners[1:]), (path.name, corners)
        made, _content = addon("pictures.sources").prepare(image, FOLDER / "turned")
        assert (made.suffix == ".png") == (suffix in {".tif", ".avif", ".png"}), path.name
        assert (made == path) == (suffix not in {".tif", ".avif"})
    assert {".jpg", ".png", ".tif", ".webp", ".tga"} <= read, read


def rule_maps_keep_their_16_bits_in_eevee() -> None:
    """By default EEVEE reads them at half precision, of 11 bits; `heights_keep_their_levels` counts."""
    image = generate(prompt="with maps")
    nodes = bpy.data.materials["Material"].node_tree.nodes
    shown = {node.image.tilewright.kind: node.image for node in nodes if node.bl_idname == "ShaderNodeTexImage"}
    assert {"height", "normal", "roughness"} <= set(shown)
    for kind, picture in shown.items():
        assert picture.use_half_precision == (kind == "base_color"), kind
    bpy.data.images.remove(image)


def rule_float_colors_are_handed_over_as_linear_rec709() -> None:
    """Float pixels are in the working space, which the user may change from 5.0 on; the worker works in one.

    A generated float color came back shifted by up to 0.23 under ACEScg.
    """
    sources = addon("pictures.sources")
    values = [0.5, 0.2, 0.1, 1.0, 0.0, 0.9, 4.0, 0.5, 0.7, 0.7, 0.7, 1.0, 0.01, 0.0, 0.3, 1.0]
    handed = []
    for working in _working_spaces():
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        if working:
            _set_working_space(working)
        assert sources.working_space() == (working or "Linear Rec.709")
        image = bpy.data.images.new("float", 2, 2, float_buffer=True, alpha=True)
        image.pixels.foreach_set(values)
        image.update()
        path, content = sources.prepare(image, FOLDER / "float")
        assert content == "LINEAR"
        there = array("f", path.read_bytes()[-64:])
        rows = there[8:] + there[:8]  # from the top
        assert [round(value, 4) for value in rows[8:11]] == [0.7, 0.7, 0.7], "grey is grey in every space"
        assert rows[3::4] == array("f", values)[3::4], "alpha is no color"
        handed.append(rows)
        # what is made of it comes back as a file that is labelled so
        back = bpy.data.images.new("back", 2, 2, float_buffer=True, alpha=True)
        back.pixels.foreach_set(rows)
        back.pack()
        back.alpha_mode = "PREMUL"  # as that of every EXR that is loaded
        assert sources.set_color_space(back, *sources._LINEAR_REC709)
        assert _apart(_numbers(back), array("f", values)) < 2e-6, working
        data = bpy.data.images.new("data", 2, 2, float_buffer=True, alpha=True, is_data=True)
        data.pixels.foreach_set(values)
        path, content = sources.prepare(data, FOLDER / "float")
        assert content == "DATA"
        assert array("f", path.read_bytes()[-64:])[8:12] == array("f", values)[:4]
    if len(handed) > 1:
        assert _apart(handed[0], handed[2]) > 0.2
        assert [round(value, 3) for value in handed[2][:3]] == [0.72, 0.162, 0.078]


def rule_what_becomes_data_is_read_as_data() -> None:
    """Also where it was read before: is_data leaves pixels as they were in 4.2 and 4.5, but not in 5.0 and 5.2.

    0.61 in a PNG of 16 bits was 0.33, that of sRGB, until the file was opened anew.
    """
    deep_png(FOLDER / "data.png", 4, 4, 3, lambda _index: 40000)
    image = bpy.data.images.load(str(FOLDER / "data.png"))
    assert round(image.pixels[0], 2) == 0.33
    addon("pictures.sources")._make_data(image)
    assert round(image.pixels[0], 2) == 0.61


def in_a_studios_color_management(folder: str) -> list[Any]:
    """With $OCIO: the working space, and a painted image after it was saved and opened again.

    The configuration's default for float images is not its working space; new images say the one (4.2, 4.5, 5.0.1) or
    the other (5.2.2), and their pixels are always in the latter.
    """
    fresh()
    image = _deep_result(3, "studio")
    image.colorspace_settings.name = "tex srgb"
    image.pixels[0] = 0.25
    image.update()
    before, name, file = _numbers(image), image.name, str(Path(folder) / "studio.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    sources = addon("pictures.sources")
    floats = bpy.data.images.new("float", 3, 2, float_buffer=True)
    floats.pixels.foreach_set([0.25, 0.5, 0.75, 1.0] * 6)
    path, content = sources.prepare(floats, Path(folder) / "out")
    handed = array("f", path.read_bytes()[-96:])
    return [sources.working_space(), _apart(_numbers(bpy.data.images[name]), before), str(content), list(handed[:4])]


def rule_many_pixels_are_converted_alike() -> None:
    """In strips, the last of which is shorter."""
    sources = addon("pictures.sources")
    matrix = Matrix(((0.6, 0.3, 0.1), (0.1, 0.8, 0.1), (0.0, 0.1, 0.9))).to_4x4()
    before, sources._STRIP = sources._STRIP, 7
    try:
        for channels in (3, 4):
            pixels = array("f", [(index * 37 % 101) / 50 for index in range(channels * 31)])
            wanted = array("f", pixels)
            for start in range(0, len(pixels), channels):
                wanted[start : start + 3] = array("f", matrix.to_3x3() @ Vector(pixels[start : start + 3]))
            sources._multiply(pixels, channels, matrix)
            assert _apart(pixels, wanted) < 1e-6
    finally:
        sources._STRIP = before
    assert "Tilewright" not in bpy.data.meshes


def rule_an_image_without_pixels_is_refused() -> None:
    (FOLDER / "broken.dds").write_bytes(b"DDS nothing")
    image = bpy.data.images.load(str(FOLDER / "broken.dds"))
    assert "has no pixels" in message_of(lambda: bpy.ops.tilewright.upscale(image=image.name))
    assert len([item for item in bpy.data.images if item.name.startswith("broken")]) == 1


def heights_keep_their_levels() -> Iterator[float]:
    """On a screen: 256 neighbouring levels of a height of 16 bits, as EEVEE and Cycles render them.

    EEVEE (5.2.2) makes 9 of them while an image is read at half precision, which is Blender's default: terraces on a
    smooth relief. What EEVEE renders is of half precision as well, so the difference from 0.5 is enlarged before.
    """
    fresh()
    wish(prompt="smooth", maps=True)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    while not any(image.tilewright.kind == "height" for image in bpy.data.images):
        yield 0.2
    height = next(image for image in bpy.data.images if image.tilewright.kind == "height")
    path = Path(bpy.path.abspath(height.filepath))
    deep_png(path, 256, 4, 1, lambda index: 32768 + index % 256)
    height.reload()
    _enlarged_on_a_plane(height)
    assert _levels("CYCLES", path.parent) == 256
    assert _levels("BLENDER_EEVEE", path.parent) == 256
    height.use_half_precision = True
    assert _levels("BLENDER_EEVEE", path.parent) < 16


def _enlarged_on_a_plane(image: Any) -> None:
    """The camera sees nothing but the image, each pixel as one, as (value - 0.5) * 256."""
    scene, camera = bpy.context.scene, bpy.data.objects["Camera"]
    scene.camera, camera.location, camera.rotation_euler = camera, (0, 0, 2), (0, 0, 0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    scene.render.resolution_x, scene.render.resolution_y, scene.render.filter_size = 256, 4, 0.01
    mesh = bpy.data.meshes.new("plane")
    mesh.from_pydata([(-1, -1 / 64, 0), (1, -1 / 64, 0), (1, 1 / 64, 0), (-1, 1 / 64, 0)], [], [(0, 1, 2, 3)])
    for loop, place in zip(mesh.uv_layers.new().data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = place
    bpy.data.objects["Cube"].hide_render = True
    bpy.context.collection.objects.link(bpy.data.objects.new("plane", mesh))
    material = addon("material.color_node").new("levels")
    mesh.materials.append(material)
    tree = material.node_tree
    tree.nodes.clear()
    kinds = ("ShaderNodeTexImage", "ShaderNodeMath", "ShaderNodeMath", "ShaderNodeEmission", "ShaderNodeOutputMaterial")
    nodes = [tree.nodes.new(kind) for kind in kinds]
    for node, after in pairwise(nodes):
        tree.links.new(node.outputs[0], after.inputs[0])
    nodes[0].image, nodes[0].interpolation = image, "Closest"
    for node, operation, value in zip(nodes[1:3], ("SUBTRACT", "MULTIPLY"), (0.5, 256.0), strict=True):
        node.operation, node.inputs[1].default_value = operation, value


def _levels(engine: str, folder: Path) -> int:
    """How many values there are in the middle row of what an engine renders."""
    scene = bpy.context.scene
    scene.render.engine, scene.eevee.taa_render_samples, scene.cycles.samples = engine, 1, 1
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.render.filepath = str(folder / "rendered.exr")
    bpy.ops.render.render(write_still=True)
    rendered = bpy.data.images.load(scene.render.filepath, check_existing=False)
    rendered.colorspace_settings.is_data = True
    row = _numbers(rendered)[2 * 256 * rendered.channels : 3 * 256 * rendered.channels : rendered.channels]
    bpy.data.images.remove(rendered)
    return len(set(row))


def rule_exr_that_blender_packs_under_a_png_name_is_known_by_its_content() -> None:
    """As painting on an image of 16 bits and packing it makes (4.2 to 5.2); and a JPEG that somebody has named .png."""
    sources = addon("pictures.sources")
    deep_png(FOLDER / "painted.png", 8, 8, 3, lambda index: 257 * (index % 200))
    image = bpy.data.images.load(str(FOLDER / "painted.png"))
    numbers = _numbers(image)
    numbers[0] = 0.75
    image.pixels.foreach_set(numbers)
    image.pack()
    assert image.filepath.endswith(".png")
    assert image.packed_file.data[:4] == b"\x76\x2f\x31\x01"
    path, _content = sources.prepare(image, sources.new_folder())
    assert path.suffix == ".npy", "the worker would take the bytes for a PNG"
    jpeg = bpy.data.images.new("jpeg", 8, 8)
    jpeg.file_format = "JPEG"
    jpeg.save(filepath=str(FOLDER / "named.png"))
    image = bpy.data.images.load(str(FOLDER / "named.png"))
    image.pack()
    path, _content = sources.prepare(image, sources.new_folder())
    assert path.suffix == ".jpg"
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
