# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole material leaves Blender in each format, and is read back. The fake engine makes every map.

Each answers "" where this Blender lacks the exporter: Debian's has no USD, nor the numpy that glTF's and FBX's need.
"""

import importlib.util
import json
import re
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import bpy
from common import addon, fresh, generate, message_of


def _material() -> Any:
    fresh()
    generate(prompt="brick", use_random_seed=False, seed=7)
    return bpy.data.materials["Material"]


def _files(material: Any) -> dict[str, str]:
    """By kind, the stems of the image files."""
    nodes = [node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"]
    return {node.image.tilewright.kind: Path(node.image.filepath).stem for node in nodes}


def gltf(folder: str) -> str:
    if not importlib.util.find_spec("numpy"):
        return ""
    material = _material()
    files = _files(material)
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    path = Path(folder) / "a.gltf"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLTF_SEPARATE")
    data = json.loads(path.read_text(encoding="utf-8"))
    (told,) = data["materials"]

    def name(texture: dict[str, Any]) -> str:
        entry = data["textures"][texture["index"]]
        sampler = data["samplers"][entry["sampler"]]
        assert {sampler.get("wrapS", 10497), sampler.get("wrapT", 10497)} == {10497}, "REPEAT"
        image = data["images"][entry["source"]]
        assert (path.parent / unquote(image["uri"])).is_file(), image
        return image["name"]

    surface = told["pbrMetallicRoughness"]
    assert name(surface["baseColorTexture"]) == files["base_color"]
    assert name(told["normalTexture"]) == files["normal"]
    assert told["normalTexture"].get("scale", 1) == 1
    # one picture: occlusion in red, roughness in green, metallic in blue
    packed = name(surface["metallicRoughnessTexture"])
    assert name(told["occlusionTexture"]) == packed
    assert all(files[kind] in packed for kind in ("occlusion", "roughness", "metallic")), packed
    assert files["height"] not in json.dumps(data["images"])
    return "read"


def usd(folder: str) -> str:
    if "usd_export" not in dir(bpy.ops.wm):
        return ""
    files = _files(_material())
    path = Path(folder) / "a.usda"
    bpy.ops.wm.usd_export(filepath=str(path))
    text = path.read_text(encoding="utf-8")
    text = text[text.index('def Material "Material"') :]
    shaders = dict(re.findall(r'def Shader "(\w+)"\s*\{(.*?)\n            \}', text, re.DOTALL))

    def texture(input_: str) -> str:
        source = re.search(rf"inputs:{input_}\.connect = <[^>]*/(\w+)\.outputs", text)
        assert source, input_
        body = shaders[source[1]]
        assert 'wrapS = "repeat"' in body
        assert 'wrapT = "repeat"' in body
        return body

    assert files["normal"] in texture("normal")
    assert files["base_color"] in texture("diffuseColor")
    assert 'sourceColorSpace = "sRGB"' in texture("diffuseColor")
    for input_ in ("normal", "roughness", "metallic"):
        assert 'sourceColorSpace = "raw"' in texture(input_)
        assert files[input_] in texture(input_)
    return "read"


def usd_of_a_set(folder: str) -> str:
    """One tile for each texture of a set that is laid, and the whole sheet of one that is not."""
    if not hasattr(bpy.types, "USDHook") or not hasattr(bpy.utils, "expose_bundled_modules"):
        return ""
    bpy.utils.expose_bundled_modules()  # a whole Blender has them on its path
    if not importlib.util.find_spec("pxr"):
        return ""
    exporters = addon("material.exporters")
    exporters.unregister()
    exporters.register()
    sizes = []
    for number, lay in enumerate((True, False)):
        fresh()
        generate(variants="8")
        material = bpy.data.materials["Material"]
        color = addon("material.map_nodes").pictures(material)["base_color"]
        mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = (0.5, 0.25, 1.0)
        if not lay:
            bpy.ops.tilewright.lay_without_repeat()
        path = Path(folder) / str(number) / "a.usda"
        path.parent.mkdir()
        bpy.ops.wm.usd_export(filepath=str(path))
        text = path.read_text(encoding="utf-8")
        text = text[text.index('def Material "Material"') :]
        (scale,) = set(re.findall(r"float2 inputs:scale = (\(.*?\))", text))
        files = re.findall(r"inputs:file = @(.*?)@", text)
        assert len(files) == 4, text
        for file in files:
            image = bpy.data.images.load(str(path.parent / file))
            sizes.append((image.size[0] / color.size[0], image.size[1] / color.size[1]))
        assert scale == ("(2, 0.5)" if lay else "(0.5, 0.25)"), scale
    assert sizes == [(0.25, 0.5)] * 4 + [(1.0, 1.0)] * 4, sizes
    return "read"


def obj(folder: str) -> str:
    files = _files(_material())
    path = Path(folder) / "a.obj"
    bpy.ops.wm.obj_export(filepath=str(path), export_pbr_extensions=True)
    lines = dict(line.split(" ", 1) for line in path.with_suffix(".mtl").read_text().splitlines() if " " in line)
    for key, kind in (
        ("map_Kd", "base_color"),
        ("map_Bump", "normal"),
        ("map_Pr", "roughness"),
        ("map_Pm", "metallic"),
    ):
        assert files[kind] in lines[key], (key, lines)
    return "read"


def fbx(folder: str) -> str:
    if not importlib.util.find_spec("numpy"):
        return ""
    files = _files(_material())
    bpy.ops.preferences.addon_enable(module="io_scene_fbx")
    path = Path(folder) / "a.fbx"
    bpy.ops.export_scene.fbx(filepath=str(path))
    before = set(bpy.data.materials)
    bpy.ops.import_scene.fbx(filepath=str(path))
    (back,) = set(bpy.data.materials) - before
    principled = next(node for node in back.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    normal_map = principled.inputs["Normal"].links[0].from_node
    assert normal_map.bl_idname == "ShaderNodeNormalMap"
    assert files["normal"] in normal_map.inputs["Color"].links[0].from_node.image.filepath
    for input_, kind in (("Base Color", "base_color"), ("Roughness", "roughness"), ("Metallic", "metallic")):
        assert files[kind] in principled.inputs[input_].links[0].from_node.image.filepath, input_
    return "read"


# --- Export Maps ---------------------------------------------------------------------------------------------------

SIDE = 16
KINDS = ("base_color", "normal", "roughness", "metallic")


def _values(kind: str, levels: int) -> list[int]:
    """Red, green and blue of each pixel, from the bottom; other maps have others, and all levels are there."""
    step = {"base_color": 1, "normal": 3, "roughness": 5, "metallic": 7, "occlusion": 11, "height": 13}[kind]
    grey = kind not in ("base_color", "normal")
    count = SIDE * SIDE
    columns = [
        [
            (step * (0 if grey else channel + 1) + step * index * (levels // 255)) % (levels + 1)
            for index in range(count)
        ]
        for channel in range(3)
    ]
    return [value for pixel in zip(*columns, strict=True) for value in pixel]


def _image(kind: str, levels: int, folder: Path) -> Any:
    image = bpy.data.images.new(kind, SIDE, SIDE, alpha=False, float_buffer=levels > 255, is_data=True)
    values = _values(kind, levels)
    pixels = [1.0] * (4 * SIDE * SIDE)
    for channel in range(3):
        pixels[channel::4] = [value / levels for value in values[channel::3]]
    image.pixels = pixels
    image.file_format = "PNG"
    path = folder / f"source-{kind}-{levels}.png"
    image.save(filepath=str(path))
    bpy.data.images.remove(image)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "sRGB" if kind == "base_color" else "Non-Color"
    return image


def _read(path: Path) -> tuple[int, int, list[list[float]]]:
    """Bits, channels, and each channel's numbers as they stand in the file."""
    head = path.read_bytes()[:26]
    image = bpy.data.images.load(str(path), check_existing=False)
    image.alpha_mode = "CHANNEL_PACKED"
    image.colorspace_settings.is_data = True
    pixels = list(image.pixels)
    count = image.channels
    bpy.data.images.remove(image)
    png = head[:4] == b"\x89PNG"
    channels = {0: 1, 2: 3, 6: 4}[head[25]] if png else count
    return head[24] if png else 32, channels, [pixels[index::count] for index in range(4)]


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def export_maps(folder: str) -> None:
    """Every scheme, depth and format: the numbers that a program reads are those of the maps."""
    material = _material()
    kinds = {node.image.tilewright.kind: node for node in material.node_tree.nodes if getattr(node, "image", None)}
    for levels in (255, 65535):
        for kind, node in kinds.items():
            node.image = _image(kind, levels, Path(folder))
        for format_, bits in (("PNG", 8 if levels == 255 else 16), ("PNG8", 8), ("PNG16", 16), ("EXR", 32)):
            place = Path(folder) / f"{levels}-{format_}"
            _exported(place, levels, format_, bits)
            before = {path: path.read_bytes() for path in place.iterdir()}
            again = {"directory": str(place), "scheme": "unity", "name": "My Brick", "file_format": format_}
            assert "already exists" in message_of(lambda again=again: bpy.ops.tilewright.export_maps(**again))
            assert {path: path.read_bytes() for path in place.iterdir()} == before
    occlusion = kinds["occlusion"]
    material.node_tree.nodes.remove(occlusion)
    place = Path(folder) / "without"
    assert bpy.ops.tilewright.export_maps(directory=str(place), scheme="godot", name="b") == {"FINISHED"}
    assert set(_read(place / "b_orm.png")[2][0]) == {1.0}, "no occlusion is white"
    assert not [image.name for image in bpy.data.images if "copy" in image.name or image.name.startswith(".part")]


def tiles(folder: str) -> None:
    """Each tile of a set in a file of its own: the numbers are those of the whole picture."""
    files, save = addon("material.tile_files"), addon("material.export_maps").save
    sheet = files.Sheet(8)
    width, height = SIDE // sheet.columns, SIDE // sheet.rows
    for levels, bits, suffix, count in (
        (255, 8, "png", 3),
        (65535, 16, "png", 3),
        (255, 32, "exr", 3),
        (255, 8, "png", 4),
    ):
        planes = [array("f", [value / levels for value in _values(kind, levels)[::3]]) for kind in KINDS[:count]]
        path = Path(folder) / f"set-{bits}-{count}.{suffix}"
        save(planes, (SIDE, SIDE), path, bits)
        made = files.cut(path, sheet)
        assert [file.name for file in made[::5]] == [f"{path.stem}-1-1.{suffix}", f"{path.stem}-2-2.{suffix}"]
        whole = _read(path)
        for number, file in enumerate(made):
            row, column = divmod(number, sheet.columns)
            found = _read(file)
            assert found[:2] == whole[:2]
            for mine, all_ in zip(found[2][:count], whole[2], strict=False):
                lines = [all_[y * SIDE :][column * width :][:width] for y in range(SIDE)]
                bottom = (sheet.rows - 1 - row) * height
                assert mine == [value for line in lines[bottom : bottom + height] for value in line]
    assert not [image.name for image in bpy.data.images if image.name.startswith("set")]


def _exported(place: Path, levels: int, format_: str, bits: int) -> None:
    def numbers(kind: str, channel: int = 0) -> list[float]:
        values = [value / levels for value in _values(kind, levels)[channel::3]]
        return [_linear(value) for value in values] if kind == "base_color" and bits == 32 else values

    def whole(kind: str) -> list[list[float]]:
        return [numbers(kind, channel) for channel in range(3)]

    def turned(kind: str) -> list[list[float]]:
        red, green, blue = whole(kind)
        return [red, [1 - value for value in green], blue]

    orm = [numbers("occlusion"), numbers("roughness"), numbers("metallic")]
    smoothness = [1 - value for value in numbers("roughness")]
    expected = {
        "unity": {
            "my-brick_AlbedoTransparency": whole("base_color"),
            "my-brick_Normal": whole("normal"),
            "my-brick_MetallicSmoothness": [*whole("metallic"), smoothness],
            "my-brick_Occlusion": whole("occlusion"),
            "my-brick_Height": whole("height"),
        },
        "unreal": {"T_my-brick_BC": whole("base_color"), "T_my-brick_N": turned("normal"), "T_my-brick_ORM": orm},
        "godot": {"my-brick_albedo": whole("base_color"), "my-brick_normal": whole("normal"), "my-brick_orm": orm},
        "orm": {"my-brick_BaseColor": whole("base_color"), "my-brick_ORM": orm},
        "plain": {"my-brick_Roughness": whole("roughness"), "my-brick_AmbientOcclusion": whole("occlusion")},
    }
    for scheme, files in expected.items():
        done = bpy.ops.tilewright.export_maps(
            directory=str(place), scheme=scheme, name="My Brick", file_format=format_, overwrite=True
        )
        assert done == {"FINISHED"}
        for name, channels in files.items():
            path = place / f"{name}.{'exr' if bits == 32 else 'png'}"
            depth, count, read = _read(path)
            told = (levels, format_, name)
            assert (depth, count) == (bits, len(channels) if bits < 32 else count), told
            step = 1 / 255 if bits == 8 else 1 / 65535
            for index, channel in enumerate(channels):
                worst = max(abs(a - b) for a, b in zip(read[index], channel, strict=True))
                exact = 1e-6 if bits == 32 or levels == 255 or bits == 16 else step / 2 + 1e-6
                # of smoothness 0 one level of 65535 is left, or Blender would write no color there
                least = step if bits == 16 and index == 3 else 0.0
                assert worst <= exact + least, (*told, index, worst)


def export_elsewhere(folder: str) -> dict[str, float]:
    """A second Blender writes the same bytes as this one, of files, packed files and painted pixels. Seconds."""
    export_job, export_maps = addon("material.export_job"), addon("material.export_maps")
    base = Path(folder)
    pictures = {kind: _image(kind, 65535 if kind in ("height", "normal") else 255, base) for kind in KINDS}
    pictures["roughness"].pack()
    pictures["roughness"].filepath_raw = "//gone.png"
    pictures["metallic"].pixels[0] = 0.5
    pictures["normal"].pixels[1] = 0.25
    assert pictures["metallic"].is_dirty
    assert pictures["normal"].is_dirty

    seconds = {}
    for scheme, exr, bits in (("unity", False, 0), ("unreal", True, 0), ("godot", False, 16), ("plain", False, 8)):
        wish = export_maps.Wish(scheme, exr=exr, bits=bits)
        here = export_maps.write(pictures, base / f"{scheme}-here", "brick", wish)
        export, seconds[scheme] = _export(pictures, base / f"{scheme}-there", wish)
        assert export.error is None, export.error
        assert [path.name for path in export.files] == [path.name for path in here]
        for one, other in zip(here, export.files, strict=True):
            assert _read(one) == _read(other), one.name
    pictures["occlusion"] = bpy.data.images.load(pictures["occlusion"].filepath)
    Path(pictures["occlusion"].filepath).unlink()
    export, _seconds = _export(pictures, base / "missing", export_maps.Wish("plain"))
    assert "occlusion" in export.error.message
    assert "is missing" in export.error.message

    # cancelled in the middle: nothing half is left
    export = export_job.Export(pictures, base / "cancelled", "brick", export_maps.Wish("orm"), _scratch(base))
    export.finish()
    assert (export.is_over, export.is_cancelled, export.files, export.error) == (True, True, [], None)
    assert not list(base.glob("cancelled/.*"))
    assert not list(base.glob("scratch*")), "folders of exports go with them"
    return seconds


KINDS = ("base_color", "normal", "roughness", "metallic", "occlusion", "height")


def _scratch(base: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix="scratch", dir=base))


def _export(pictures: dict[str, Any], folder: Path, wish: Any) -> tuple[Any, float]:
    begin = time.perf_counter()
    export = addon("material.export_job").Export(pictures, folder, "brick", wish, _scratch(folder.parent))
    seconds = time.perf_counter() - begin
    while not export.is_over:
        time.sleep(0.05)
    return export, seconds


def export_from_the_panel(folder: str) -> Iterator[float]:
    """In a window: while the maps are written, Blender goes on, and the panel tells how far it is. Seconds."""
    material = fresh_with_maps(Path(folder))
    yield 2.0
    window, now = bpy.context.window_manager.windows[0], addon("common.state").current
    export_maps, map_nodes = addon("material.export_maps"), addon("material.map_nodes")
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    yield 1.0
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Tilewright"
    yield 1.0
    begin = time.perf_counter()
    export_maps.write(map_nodes.pictures(material), Path(folder) / "here", "brick", export_maps.Wish("unity"))
    blocked = time.perf_counter() - begin
    begin = time.perf_counter()
    with bpy.context.temp_override(window=window, area=area):
        done = bpy.ops.tilewright.export_maps(
            directory=str(Path(folder) / "there"), scheme="unity", name="brick", wait=False
        )
        pressed = time.perf_counter() - begin
        again = message_of(lambda: bpy.ops.tilewright.export_maps(directory=folder, wait=False))
    assert done == {"FINISHED"}
    assert "being exported" in again
    # How far it was when the last map was written, however seldom a busy machine lets us look.
    export, told = now.export, []
    take = export.take
    export.take = lambda answer: (told.append(export.made), take(answer))
    watched = 0.0
    while not export.is_over:
        before = time.perf_counter()
        addon("material.export_job")._watch()
        watched = max(watched, time.perf_counter() - before)
        yield 0.02
    seconds = time.perf_counter() - begin
    yield 1.0
    assert now.export.error is None, now.export.error
    assert len(now.export.files) == 5
    for path in now.export.files:
        assert path.read_bytes() == (Path(folder) / "here" / path.name).read_bytes(), path.name
    assert told == [export.count]
    with bpy.context.temp_override(window=window, area=area):
        done = bpy.ops.tilewright.export_maps(directory=str(Path(folder) / "no"), scheme="orm", wait=False)
    assert done == {"FINISHED"}
    yield 0.5
    assert bpy.ops.tilewright.close_export() == {"FINISHED"}  # as the panel's button cancels it
    while not now.export.is_over:
        yield 0.1
    assert now.export.is_cancelled
    assert not now.export.files
    assert not list(Path(folder).glob("no/.*")), "what was half written is still there"
    assert bpy.ops.tilewright.close_export() == {"FINISHED"}
    assert now.export is None
    return {"blocked": blocked, "pressed": pressed, "watched": watched, "seconds": seconds}


def fresh_with_maps(folder: Path, side: int = 1024) -> Any:
    """A material with all maps, as files of that many pixels a side."""
    fresh()
    color_node, map_nodes = addon("material.color_node"), addon("material.map_nodes")
    material = bpy.data.objects["Cube"].active_material
    images = {}
    for kind in KINDS:
        deep = kind in ("height", "normal")
        made = bpy.data.images.new(kind, side, side, alpha=False, float_buffer=deep, is_data=True)
        made.pixels.foreach_set(array("f", [0.25, 0.5, 0.75, 1.0]) * (side * side))
        made.file_format = "PNG"
        made.save(filepath=str(folder / f"{kind}.png"))
        bpy.data.images.remove(made)
        images[kind] = bpy.data.images.load(str(folder / f"{kind}.png"))
        images[kind].colorspace_settings.is_data = kind != "base_color"
    placed = color_node.assign(material, images.pop("base_color"), "BASE_COLOR")
    map_nodes.assign(material, placed, images, "CYCLES")
    return material
