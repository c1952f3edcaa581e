# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to images that exist, with an engine that has no torch: which file it is given, and what comes of it."""

import os
import random
import resource
import signal
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
from common import addon, fresh, made, message_of


def _image(folder: str, name: str = "Old wall.png", **settings: Any) -> Any:
    """An image of a file."""
    fresh()
    path = Path(folder) / name
    image = bpy.data.images.new("tmp", 8, 4, alpha=False)
    image.file_format = "PNG"
    image.filepath_raw = str(path)
    image.save()
    bpy.data.images.remove(image)
    return bpy.data.images.load(str(path))


def _request(image: Any) -> Any:
    return addon("settings.properties").recipe_of(image).request


def upscale(folder: str) -> dict[str, Any]:
    image = _image(folder)
    before = len(bpy.data.materials)
    assert bpy.ops.tilewright.upscale(image=image.name, scale="8", axes="X") == {"FINISHED"}
    (new,) = made()
    assert new.use_fake_user
    assert new != image
    return {"recipe": new.tilewright.recipe, "name": new.name, "materials": len(bpy.data.materials) - before}


def tileable_of_the_selected_node(folder: str) -> dict[str, Any]:
    image = _image(folder)
    material = bpy.data.objects["Cube"].active_material
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    assert bpy.ops.tilewright.make_tileable() == {"FINISHED"}
    assert node.image == image
    (new,) = made()
    return {"recipe": new.tilewright.recipe}


def base_color_goes_before_other_images(folder: str) -> None:
    """Where no image node is selected, as in an imported material whose normal map came first."""
    image = _image(folder)
    nodes = bpy.data.objects["Cube"].active_material.node_tree.nodes
    normals, color = (nodes.new("ShaderNodeTexImage") for _ in range(2))
    normals.image, color.image = bpy.data.images.new("normals", 4, 4), image
    find = addon("jobs.picture_operators").find
    nodes.active = nodes["Principled BSDF"]
    assert find(bpy.context) == normals.image
    bpy.data.materials["Material"].node_tree.links.new(color.outputs[0], nodes.active.inputs["Base Color"])
    assert find(bpy.context) == image
    nodes.active = normals
    assert find(bpy.context) == normals.image


def a_named_image_needs_none_in_view(folder: str) -> None:
    """As the panel's button names it, with a camera active; the menu, which names none, is grey then."""
    image = _image(folder)
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    for name in ("upscale", "make_tileable"):
        operator = getattr(bpy.ops.tilewright, name)
        assert operator.poll()
        assert operator(image=image.name) == {"FINISHED"}
    assert not _menu_is_enabled()
    bpy.context.view_layer.objects.active = cube = bpy.data.objects["Cube"]
    cube.active_material.node_tree.nodes.new("ShaderNodeTexImage").image = image
    assert _menu_is_enabled()
    fresh()
    assert not bpy.ops.tilewright.upscale.poll()


def _menu_is_enabled() -> bool:
    drawn = SimpleNamespace(operator=lambda _name, **_options: SimpleNamespace(), separator=lambda: None)
    layout = SimpleNamespace(enabled=True, operator_context="INVOKE_DEFAULT", **vars(drawn))
    bpy.types.TILEWRIGHT_MT_image.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout.enabled


def maps_go_into_the_material(folder: str) -> dict[str, Any]:
    image = _image(folder)
    chosen = {"map_networks": "filter", "kind": "CLOTH", "delight": True, "invert_relief": True}
    assert bpy.ops.tilewright.make_maps(image=image.name, **chosen) == {"FINISHED"}
    assert "Read as Cloth, Paper." in bpy.context.window_manager.tilewright.outcome
    kind = addon("jobs.picture_operators")._kind
    made_as_cloth = next(image for image in made() if addon("settings.properties").recipe_of(image))
    assert kind(bpy.context, made_as_cloth.name) == "CLOTH", "what was chosen once is kept"
    bpy.data.objects["Cube"].active_material.name = "Oak table"
    assert kind(bpy.context, bpy.data.images.new("IMG 7", 4, 4).name) == "WOOD"
    assert kind(bpy.context, bpy.data.images.new("Brushed steel", 4, 4).name) == "AUTO", "its own name tells more"
    new = next(image for image in made() if addon("settings.properties").recipe_of(image))
    nodes = bpy.data.objects["Cube"].active_material.node_tree.nodes
    shown = [node.image.name for node in nodes if node.bl_idname == "ShaderNodeTexImage" and node.image]
    assert bpy.ops.tilewright.fit_to_object() == {"FINISHED"}  # the recipe of such a picture has no size
    return {"recipe": new.tilewright.recipe, "shown": shown, "files": _result_files()}


def generated_whole() -> dict[str, Any]:
    """Generate with upscaling and maps; the settings, after they were changed and restored."""
    fresh()
    settings = bpy.context.scene.tilewright
    settings.prompt, settings.upscale, settings.maps = "bricks", "4", True
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    new = next(image for image in made() if addon("settings.properties").recipe_of(image))
    settings.upscale, settings.maps = "1", False
    bpy.ops.tilewright.restore_settings(image=new.name)
    nodes = bpy.data.objects["Cube"].active_material.node_tree.nodes
    shown = {node.image.tilewright.kind for node in nodes if node.bl_idname == "ShaderNodeTexImage" and node.image}
    return {"recipe": new.tilewright.recipe, "shown": sorted(shown), "again": [settings.upscale, settings.maps]}


def _generated_and_made_tileable() -> tuple[bpy.types.Image, bpy.types.Image]:
    fresh()
    bpy.context.scene.tilewright.prompt = "bricks"
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    (first,) = made()
    assert bpy.ops.tilewright.make_tileable(image=first.name) == {"FINISHED"}
    return first, next(image for image in made() if image != first)


def a_seam_has_its_remedy() -> dict[str, Any]:
    """Make Tileable on a result of the history, as the panel's button does it."""
    _first, second = _generated_and_made_tileable()
    refused = message_of(lambda: bpy.ops.tilewright.variations(result=second.tilewright.result))
    return {"recipe": second.tilewright.recipe, "refused": refused}


def asset_of_a_generated_picture() -> dict[str, str]:
    """Generate, Make Tileable of that, Make Material of that; what the asset says."""
    first, second = _generated_and_made_tileable()
    assert bpy.ops.tilewright.make_maps(image=second.name, map_networks="filter") == {"FINISHED"}
    assert bpy.ops.tilewright.mark_asset() == {"FINISHED"}
    data = bpy.data.objects["Cube"].active_material.asset_data
    first.tilewright.recipe = "nonsense"
    assert bpy.ops.tilewright.make_tileable(image=first.name) == {"FINISHED"}
    return {"license": data.license, "description": data.description}


def _result_files() -> list[str]:
    return sorted(addon("common.state").current.result.files)


def _deep_tiff(width: int, height: int) -> bytes:
    """A black RGB TIFF of 16 bits a channel."""
    size = 6 * width * height
    tags = ((256, width), (257, height), (258, 158), (259, 1), (262, 2), (273, 164), (277, 3), (279, size))
    entries = (struct.pack("<HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + struct.pack("<I", 0)
    return head.ljust(158, b"\0") + struct.pack("<HHH", 16, 16, 16) + bytes(size)


def every_kind_of_image(folder: str) -> dict[str, list[str]]:
    """Has the file that the worker would read made of each. Those with new pixels are named, with their content."""
    prepare = addon("pictures.sources").prepare
    out = Path(folder) / "prepared"
    image = _image(folder)
    assert prepare(image, out) == (Path(folder) / "Old wall.png", "COLOR")
    image.colorspace_settings.name = "Non-Color"
    assert prepare(image, out)[1] == "DATA"
    image.pack()
    path, _ = prepare(image, out)
    assert path.read_bytes() == (Path(folder) / "Old wall.png").read_bytes()
    made: dict[str, list[str]] = {}

    def remember(name: str, image: Any) -> None:
        path, content = prepare(image, out / name)
        made[name] = [str(path), str(content)]

    values = [index / 24 for index in range(24)]
    generated = bpy.data.images.new("gen/erated", 3, 2, alpha=True)
    generated.pixels.foreach_set(values)
    generated.file_format = "JPEG"
    remember("generated", generated)
    assert generated.file_format == "JPEG"
    floats = bpy.data.images.new("float", 3, 2, float_buffer=True)
    floats.pixels.foreach_set([10 * value for value in values])
    remember("float", floats)
    floats.file_format, floats.filepath_raw = "OPEN_EXR", str(Path(folder) / "a.exr")
    floats.save()
    remember("exr", bpy.data.images.load(str(Path(folder) / "a.exr")))
    Path(folder, "deep.tif").write_bytes(_deep_tiff(3, 2))
    remember("deep tiff", bpy.data.images.load(str(Path(folder) / "deep.tif")))
    painted = _image(folder)  # the file is not what is seen
    painted.pixels[0] = 1.0
    assert painted.is_dirty
    remember("painted", painted)
    assert painted.is_dirty
    premultiplied = bpy.data.images.load(str(Path(folder) / "premultiplied.png"))
    premultiplied.alpha_mode = "PREMUL"
    remember("premultiplied", premultiplied)
    return made


def linked_images(folder: str) -> dict[str, Any]:
    """An image of a library, whose path is relative to that; and the recipe of what is made of it."""
    image = _image(folder)
    library = Path(folder) / "library.blend"
    bpy.data.libraries.write(str(library), {image}, path_remap="RELATIVE")
    fresh()
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.images = list(there.images)
    (linked,) = (image for image in bpy.data.images if image.library)
    path, _content = addon("pictures.sources").prepare(linked, Path(folder) / "prepared")
    before = len(bpy.data.images)
    assert bpy.ops.tilewright.upscale(image=linked.name, scale="2") == {"FINISHED"}
    assert len(bpy.data.images) == before + 1
    return {"path": str(path), "library": linked.library is not None}


def normals_are_known_as_such(folder: str) -> list[str]:
    """Of our own normal maps, and of what is made of them, nobody needs to say what they are; of others it is said."""
    image = _image(folder)
    image.tilewright.kind = "normal"
    larger = _upscaled(image)
    assert larger.tilewright.kind == "base_color"
    contents = [str(_request(new).content) for new in (larger, _upscaled(larger))]
    larger.tilewright.recipe = "nonsense"
    contents.append(str(_request(_upscaled(larger)).content))
    assert bpy.ops.tilewright.make_tileable(image=_image(folder).name, content="NORMAL") == {"FINISHED"}
    (new,) = made()
    return [*contents, str(_request(new).content)]


def axes_that_are_proposed(folder: str) -> dict[str, Any]:
    """What each operator's dialog opens with, for an image with such a recipe, or one that cannot be read."""
    image = _image(folder)
    assert bpy.ops.tilewright.upscale(image=image.name, scale="2", axes="X") == {"FINISHED"}
    (made_along_x,) = made()
    recipe = made_along_x.tilewright.recipe
    told = {}
    for name in ("upscale", "make_maps", "make_tileable"):
        for axes, text in (("X", recipe), ("NONE", recipe.replace('"X"', '"NONE"')), ("broken", "{")):
            image.tilewright.recipe = text
            told[f"{name} {axes}"] = str(_proposed(f"TILEWRIGHT_OT_{name}", image).axes)
    return told


def an_inverted_relief_is_proposed_again(folder: str) -> None:
    for inverted in (True, False):
        chosen = {"map_networks": "filter", "invert_relief": inverted}
        assert bpy.ops.tilewright.make_maps(image=_image(folder).name, **chosen) == {"FINISHED"}
        new = next(one for one in made() if addon("settings.properties").recipe_of(one))
        assert _proposed("TILEWRIGHT_OT_make_maps", new).invert_relief is inverted
        assert not hasattr(_proposed("TILEWRIGHT_OT_upscale", new), "invert_relief")


def _proposed(operator: str, image: Any) -> Any:
    """Background mode has no dialogs: a stand-in tells what one would show."""
    asked = []
    manager = SimpleNamespace(invoke_props_dialog=lambda dialog, **_named: asked.append(dialog) or {"RUNNING_MODAL"})
    cls = getattr(bpy.types, operator)
    shown = getattr(bpy.ops.tilewright, operator.removeprefix("TILEWRIGHT_OT_")).get_rna_type()
    unset = SimpleNamespace(is_property_set=lambda _name: False, bl_rna=shown)
    axes = shown.properties["axes"].default
    own = SimpleNamespace(image=image.name, axes=axes, bl_label=cls.bl_label, properties=unset, asked=cls.asked)
    assert cls.ask(own, SimpleNamespace(window_manager=manager)) == {"RUNNING_MODAL"}
    assert asked == [own]
    return own


def image_editors_show_it(folder: str) -> None:
    """The new image is in the Image Editors that show its source, but for one that is pinned."""
    image = _image(folder)
    other = bpy.data.images.new("other", 4, 4)
    spaces = [area.spaces.active for screen in bpy.data.screens for area in screen.areas]
    editors = [space for space in spaces if space.type == "IMAGE_EDITOR"][:4]  # Blender's own workspaces have as many
    following, pinned, elsewhere, empty = editors
    for editor, shown in zip(editors, (image, image, other, None), strict=True):
        editor.image = shown
    pinned.use_image_pin = True
    new = _upscaled(image)
    assert following.image == new
    assert pinned.image == image
    assert elsewhere.image == other
    assert empty.image is None


def networks_of_the_panel() -> dict[str, Any]:
    """Generate with a chosen upscaler and map networks; the settings, after they were changed and restored."""
    fresh()
    settings = bpy.context.scene.tilewright
    settings.prompt, settings.upscale, settings.upscaler = "bricks", "2", "lanczos"
    settings.maps, settings.map_networks = True, "filter"
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    new = next(image for image in made() if addon("settings.properties").recipe_of(image))
    settings.upscaler, settings.map_networks = "starter", "starter"
    bpy.ops.tilewright.restore_settings(image=new.name)
    again = [settings.upscaler, settings.map_networks]
    return {"recipe": new.tilewright.recipe, "again": again}


def looks_are_kept(folder: str) -> None:
    """What is made of images in each color space and alpha mode is in the same, and data stays data."""
    image = _image(folder)
    spaces = image.colorspace_settings.bl_rna.properties["name"].enum_items.keys()
    wanted = {"Linear Rec.709", "ACEScg", "AgX Base sRGB", "Filmic sRGB", "sRGB"}
    assert len(wanted & set(spaces)) >= 4, spaces
    modes = ("CHANNEL_PACKED", "NONE", "PREMUL", "STRAIGHT")
    looks = [(space, "STRAIGHT") for space in sorted(wanted & set(spaces))] + [("Filmic sRGB", mode) for mode in modes]
    for space, mode in [*looks, ("Non-Color", "CHANNEL_PACKED")]:
        image.colorspace_settings.name, image.alpha_mode = space, mode
        # Blender divides what it reads by the alpha, and that is what it writes for the engine
        assert _look(_upscaled(image)) == (space, "STRAIGHT" if mode == "PREMUL" else mode)
    image.colorspace_settings.name, image.alpha_mode = "Filmic sRGB", "CHANNEL_PACKED"
    known = set(made())
    assert bpy.ops.tilewright.make_maps(image=image.name, map_networks="filter") == {"FINISHED"}
    whole = next(new for new in made() if new not in known and new.tilewright.kind == "base_color")
    assert _look(whole) == ("Filmic sRGB", "CHANNEL_PACKED")


def looks_of_results(folder: str) -> dict[str, str]:
    """The color spaces of images that are made from the history alone, as Compare does, for each kind of content."""
    new = _upscaled(_image(folder))
    result = addon("history.browse").result(new.tilewright.result)
    floats = bpy.data.images.new("float", 4, 4, float_buffer=True)
    floats.file_format, floats.filepath_raw = "OPEN_EXR", str(Path(folder) / "linear.exr")
    floats.save()
    request, content = result.recipe.request, type(_request(new).content)
    told = {}
    for kind, suffix in (("COLOR", "png"), ("NORMAL", "png"), ("DATA", "png"), ("DATA", "exr"), ("LINEAR", "exr")):
        of_kind = replace(result.recipe, request=replace(request, content=content(kind)))
        shown = replace(result, recipe=of_kind)
        if suffix == "exr":
            shown = replace(shown, folder=Path(folder), files=result.files | {"base_color": "linear.exr"})
        bpy.data.images.remove(new)
        new = addon("pictures.images").load(shown)
        told[f"{kind} {suffix}"] = new.colorspace_settings.name
    return told


def _upscaled(image: Any) -> Any:
    known = set(made())
    assert bpy.ops.tilewright.upscale(image=image.name, scale="2") == {"FINISHED"}
    return next(new for new in made() if new not in known)


def _look(image: Any) -> tuple[str, str]:
    return image.colorspace_settings.name, image.alpha_mode


def what_cannot_be_done(folder: str) -> list[str]:
    image = _image(folder)
    Path(folder, "Old wall.png").unlink()
    told = [message_of(lambda: bpy.ops.tilewright.upscale(image=image.name))]
    told.append(message_of(lambda: bpy.ops.tilewright.upscale(image="nothing")))
    movie = bpy.data.images.new("film", 4, 4)
    movie.source = "MOVIE"
    told.append(message_of(lambda: bpy.ops.tilewright.make_tileable(image="film")))
    fresh()
    told.append(message_of(lambda: bpy.ops.tilewright.upscale()))
    assert made() == []
    return told


def nothing_can_be_written(folder: str) -> dict[str, str]:
    """What is told where the disk or the memory is full, or the folder for temporary files is gone."""
    packed = _image(folder)
    packed.pack()
    floats = bpy.data.images.new("float", 128, 128, float_buffer=True)
    noise = bpy.data.images.new("bytes", 128, 128)
    noise.pixels.foreach_set([random.random() for _ in range(len(noise.pixels))])
    told = {}

    def failed(name: str, image: Any) -> None:
        told[name] = message_of(lambda: bpy.ops.tilewright.upscale(image=image.name))
        assert _written() == []

    def limited(name: str, image: Any, size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            failed(name, image)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then the write fails, as on a full disk
    limited("float", floats, 10_000)
    limited("bytes", noise, 10_000)
    limited("packed", packed, 10)
    sources = addon("pictures.sources")
    array, sources.array = sources.array, _raise_memory_error
    failed("memory", floats)
    sources.array = array
    place = Path(bpy.app.tempdir)
    away = place.rename(place.with_name(f"{place.name}-away"))
    failed("gone", floats)
    away.rename(place)
    return told


def _raise_memory_error(*_arguments: object) -> None:
    raise MemoryError


def _written() -> list[Path]:
    """What was written for jobs to read."""
    return list(Path(bpy.app.tempdir).glob("picture-*"))


def what_was_written_goes_with_its_job(fails: bool) -> None:
    """It is there while the job reads it, and gone when that has ended."""
    fresh()
    image = bpy.data.images.new("fails" if fails else "whole", 8, 8)
    seen: list[list[str]] = []
    addon("jobs.pump").result_handlers.append(
        lambda _result: seen.append([os.listdir(folder) for folder in _written()])
    )
    if fails:
        assert "red" in message_of(lambda: bpy.ops.tilewright.upscale(image=image.name))
    else:
        assert bpy.ops.tilewright.upscale(image=image.name) == {"FINISHED"}
        assert seen == [[["whole.png"]]]
    assert _written() == []


def our_exr_is_blenders(path: str, shape: list[int]) -> list[float]:
    """The pixels of a file that `core.exr` wrote, as Blender reads them, from the top."""
    image = bpy.data.images.load(path)
    assert tuple(image.size) == (shape[1], shape[0])
    assert image.is_float
    values = [0.0] * (shape[0] * shape[1] * image.channels)
    image.pixels.foreach_get(values)
    pixels = [values[start : start + shape[2]] for start in range(0, len(values), image.channels)]
    rows = [pixels[start : start + shape[1]] for start in range(0, len(pixels), shape[1])]
    return [value for row in reversed(rows) for pixel in row for value in pixel]
