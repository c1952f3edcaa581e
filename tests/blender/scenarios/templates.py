# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as template: what the worker is asked for, masks, and what goes on from a result. The engine is a fake."""

import random
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bmesh
import bpy
from common import addon, drive, finish, fresh, generate, made, message_of, pixels, start, wish


def _painted(name: str = "photo", width: int = 64, height: int = 64, **options: Any) -> Any:
    """An image of noise, which repeats as well as any cut through it."""
    image = bpy.data.images.new(name, width, height, **options)
    rng = random.Random(1)
    values = array("f", [rng.random() for _ in range(len(image.pixels))])
    if not options.get("alpha"):
        values[3::4] = array("f", [1.0]) * (width * height)
    image.pixels.foreach_set(values)
    return image


def _file(folder: str, name: str = "photo.png") -> Any:
    image = _painted()
    image.filepath_raw, image.file_format = str(Path(folder) / name), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return bpy.data.images.load(str(Path(folder) / name))


def _request(image: Any) -> Any:
    return addon("settings.properties").recipe_of(image).request


def _newest() -> Any:
    addon("history.browse").refresh()
    addon("history.browse").show(0)
    return addon("common.state").current.view.found[0].result


def every_kind_of_image_comes_back(folder: str) -> None:
    """Painted, packed, float and of a file: the template's pixels are restored from the copy beside the result."""
    packed = _file(folder)
    packed.pack()
    for image in (_painted(), _painted("float", float_buffer=True, alpha=True), packed, _file(folder, "other.png")):
        before = pixels(image)
        generate(prompt=image.name, template_image=image, make_tileable=False, strength=0.3)
        result = _newest()
        assert result.recipe.request.template.strength == 0.3
        assert "template" in result.files
        bpy.data.images.remove(image)
        settings = bpy.context.scene.tilewright
        assert settings.template_image is None
        settings.strength = 1.0
        assert bpy.ops.tilewright.restore_settings(result=result.folder.name) == {"FINISHED"}
        assert abs(settings.strength - 0.3) < 1e-6
        assert pixels(settings.template_image) == before
        assert not settings.make_tileable


def restored_template_is_saved_with_the_file(folder: str, file: str) -> None:
    generate(prompt="kept", template_image=_painted("float", float_buffer=True), region="MASK", mask=_painted("mask"))
    generate(prompt="kept too", template_image=_file(folder), region="MASK", mask=_file(folder, "mask.png"))
    addon("history.browse").refresh()
    for entry in list(addon("common.state").current.view.found):
        fresh()
        assert bpy.ops.tilewright.restore_settings(result=entry.name) == {"FINISHED"}
        settings = bpy.context.scene.tilewright
        before = [pixels(settings.template_image), pixels(settings.mask)]
        bpy.ops.wm.save_as_mainfile(filepath=file)
        bpy.ops.wm.open_mainfile(filepath=file)
        settings = bpy.context.scene.tilewright
        assert all(image.packed_file for image in (settings.template_image, settings.mask))
        for image, old in zip((settings.template_image, settings.mask), before, strict=True):
            values = zip(array("f", pixels(image)), array("f", old), strict=True)
            assert max(abs(a - b) for a, b in values) <= (2**-11 if image.is_float else 0), "floats are packed as halfs"
        assert settings.region == "MASK"


def recipe_without_a_template_takes_it_away(folder: str) -> None:
    name = generate(prompt="plain").tilewright.result
    wish(template_image=_file(folder))
    assert bpy.ops.tilewright.restore_settings(result=name) == {"FINISHED"}
    assert bpy.context.scene.tilewright.template_image is None


def somebody_elses_recipe_names_no_template(folder: str) -> str:
    image = generate(prompt="mine", template_image=_file(folder))
    image.tilewright.result = ""
    said = []
    restore = addon("history.recipes").restore
    said.append(restore(wish(), addon("history.recipes").of_image(image), own=False))
    assert bpy.context.scene.tilewright.template_image is None
    return said[0]


def template_that_is_gone(folder: str) -> list[str]:
    """Before Generate, and from a result whose copy was deleted."""
    image = _file(folder)
    made_of_it = generate(prompt="made", template_image=image).tilewright.result
    Path(folder, "photo.png").unlink()
    image.buffers_free()
    count = len(made())
    told = [message_of(lambda: generate(prompt="again"))]
    assert len(made()) == count
    assert bpy.context.scene.tilewright.template_image == image, "what was chosen is lost"
    result = addon("history.browse").result(made_of_it)
    assert bpy.ops.tilewright.generate_again(result=made_of_it, width=64, height=64) == {"FINISHED"}
    assert Path(_newest().recipe.request.template.source) == result.path("template"), "the copy is taken"
    result.path("template").unlink()
    told.append(message_of(lambda: bpy.ops.tilewright.generate_again(result=made_of_it)))
    assert _written() == []
    return told


def _written() -> list[Path]:
    return list(Path(bpy.app.tempdir).glob("picture-*"))


def masks_that_are_no_masks(folder: str) -> list[str]:
    wish(prompt="masked", template_image=_file(folder), region="MASK")
    told = [message_of(bpy.ops.tilewright.generate)]
    assert bpy.ops.tilewright.paint_mask() == {"FINISHED"}
    told.append(message_of(bpy.ops.tilewright.generate))
    assert not made()
    assert _written() == []
    bpy.context.scene.tilewright.mask.pixels[:3] = (1.0, 1.0, 1.0)
    image = generate(prompt="masked")
    assert _request(image).template.region == "MASK"
    return told


def mask_is_made_and_saved(folder: str, file: str) -> None:
    settings = wish(prompt="masked", template_image=_painted(width=96, height=40))
    assert bpy.ops.tilewright.paint_mask() == {"FINISHED"}
    mask = settings.mask
    assert (tuple(mask.size), settings.region) == ((96, 40), "MASK")
    assert set(array("f", pixels(mask))) == {0.0, 1.0}, "black, and opaque"
    assert bpy.ops.tilewright.paint_mask() == {"FINISHED"}
    assert settings.mask == mask, "the mask that is there is gone on with"
    mask.pixels[:3] = (1.0, 1.0, 1.0)
    before = pixels(mask)
    bpy.ops.wm.save_as_mainfile(filepath=file)
    mask.pixels[4:7] = (1.0, 1.0, 1.0)  # after the first save, packed already
    after = pixels(mask)
    assert after != before
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=file)
    assert pixels(bpy.context.scene.tilewright.mask) == after
    assert not bpy.context.scene.tilewright.mask.is_dirty
    settings = wish(template_image=_painted(width=128, height=64))
    assert bpy.ops.tilewright.paint_mask() == {"FINISHED"}
    assert tuple(settings.mask.size) == (128, 64), "another template, another size"


def _plane(uvs: list[tuple[float, float]]) -> Any:
    mesh = bpy.data.meshes.new("two faces")
    mesh.from_pydata(
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0), (2, 1, 0)], [], [(0, 1, 2, 3), (1, 4, 5, 2)]
    )
    layer = mesh.uv_layers.new(name="UVMap")
    for loop, uv in zip(layer.data, uvs, strict=True):
        loop.uv = uv
    obj = bpy.data.objects.new("two faces", mesh)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    for polygon in mesh.polygons:
        polygon.select = polygon.index == 1
    for item in (*mesh.edges, *mesh.vertices):
        item.select = False
    return obj


_SQUARE = [(0.0, 0.0), (0.25, 0.0), (0.25, 0.25), (0.0, 0.25)]


def _marked(mask: Any) -> list[str]:
    values = array("f", pixels(mask))[:: mask.channels]
    width, height = mask.size
    return ["".join(".#"[values[y * width + x] > 0.5] for x in range(width)) for y in range(height)]


def mask_from_faces() -> list[str]:
    """Selected faces alone, across the edge of the texture, through a Mapping; from Edit Mode; and what is refused."""
    second = [(x + 0.875, y + 0.75) for x, y in _SQUARE]
    obj = _plane([*_SQUARE, *second])
    settings = wish(template_image=_painted(width=8, height=4))
    assert bpy.ops.tilewright.mask_from_faces() == {"FINISHED"}
    assert _marked(settings.mask) == ["........", "........", "........", "#......#"]
    material = bpy.data.materials.new("mapped")
    material.use_nodes = True
    obj.data.materials.append(material)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    image, mapping, uv = (nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "Mapping", "UVMap"))
    mapping.inputs["Scale"].default_value[0], mapping.inputs["Location"].default_value[0] = 2.0, 0.25
    links.new(uv.outputs[0], mapping.inputs[0])
    links.new(mapping.outputs[0], image.inputs[0])
    links.new(image.outputs[0], nodes["Principled BSDF"].inputs["Base Color"])
    settings.mask = None
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.tilewright.mask_from_faces() == {"FINISHED"}
    # from 0.875 to 1.125, doubled and moved by a quarter: 2.0 to 2.5
    assert _marked(settings.mask) == ["........", "........", "........", "####...."]
    inside = bmesh.from_edit_mesh(obj.data)
    for face in inside.faces:
        face.select = False
    told = [message_of(bpy.ops.tilewright.mask_from_faces)]
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    told.append(message_of(bpy.ops.tilewright.mask_from_faces))
    settings.template_image = None
    told.append(message_of(bpy.ops.tilewright.paint_mask))
    return told


def tileable_is_guessed(folder: str) -> None:
    settings = wish(template_image=_painted())
    assert not settings.make_tileable
    ramp = bpy.data.images.new("ramp", 64, 64)
    ramp.pixels.foreach_set([value for _ in range(64) for x in range(64) for value in (x / 64, x / 64, x / 64, 1.0)])
    settings.template_image = ramp
    assert settings.make_tileable
    settings.template_image = None
    for seam, cut in ((0.5, False), (1.5, True)):
        image = generate(prompt="ours")
        image.tilewright.seam_score = seam
        settings.template_image = image
        assert settings.make_tileable == cut
        settings.template_image = None
    settings.template_image, settings.tiling = ramp, "NONE"
    assert not _request(generate(prompt="a plain picture")).template.tileable


def strength_follows_the_region() -> None:
    settings = wish(template_image=_painted())
    for item in settings.bl_rna.properties["region"].enum_items:
        region = item.identifier
        settings.region = region
        usual = {str(kind): value for kind, value in addon("settings.properties").USUAL_STRENGTH.items()}
        assert abs(settings.strength - usual[region]) < 1e-6


def sizes_of_the_image() -> None:
    settings = wish(template_image=_painted(width=200, height=96))
    for across, down, size in ((1, 1, (192, 128)), (2, 1, (384, 128)), (8, 2, (1600, 192))):
        assert bpy.ops.tilewright.size_from_template(across=across, down=down) == {"FINISHED"}
        assert (settings.width, settings.height) == size


def lines_share_what_was_written() -> None:
    """It is there until the last job that reads it has ended."""
    wish(template_image=_painted())
    Wish = addon("jobs.prompt_lists").Wish
    jobs = addon("jobs.generation").start_all(bpy.context, [Wish(text, 0) for text in ("one", "two", "three")], "three")
    assert len(_written()) == 1
    drive(lambda: jobs[0].ended)
    assert jobs[2].ended or len(_written()) == 1
    for job in jobs:
        finish(job)
        assert job.results[0].files["template"]
    assert _written() == []


def variations_keep_the_seed() -> None:
    settings = wish(prompt="varied", variation=0.25, use_random_seed=True, seed=7)
    requests = [_request(generate(prompt="varied")) for _ in range(2)]
    assert [(request.seed, request.variation) for request in requests] == [(7, 0.25)] * 2
    assert requests[0].variation_seed != requests[1].variation_seed == settings.variation_seed
    settings.variation = 0.0
    assert _request(generate(prompt="varied")).variation_seed == 0
    assert settings.seed != 7


def goes_on_from_a_result() -> None:
    image = generate(prompt="red brick", seed=5, use_random_seed=False, maps=False)
    name = image.tilewright.result
    nodes = bpy.data.objects["Cube"].active_material.node_tree.nodes
    shown = next(node for node in nodes if node.bl_idname == "ShaderNodeTexImage")
    assert shown.image == image

    def request(count: int = 1) -> Any:
        assert shown.image != image, "it is delivered into the material"
        assert bpy.ops.tilewright.apply(result=name) == {"FINISHED"}
        return _newest().recipe.request

    assert bpy.ops.tilewright.repair_seam(result=name) == {"FINISHED"}
    asked = request()
    assert (asked.template.region, asked.prompt, asked.size.width) == ("SEAM", "red brick", 64)
    assert bpy.ops.tilewright.variations(result=name, amount=0.3, count=2) == {"FINISHED"}
    asked = request()
    assert (asked.seed, asked.variation, asked.template) == (5, 0.3, None)
    assert bpy.ops.tilewright.variations(result=name, count=1) == {"FINISHED"}
    asked = request()
    assert (asked.seed != 5, asked.variation) == (True, 0.0), "as it ever was: other seeds"
    assert bpy.ops.tilewright.larger_again(result=name, width=128, height=192, strength=0.5) == {"FINISHED"}
    asked = request()
    assert (asked.size.width, asked.size.height, asked.template.strength) == (128, 192, 0.5)
    for direction, size in (("XY", (128, 128)), ("X", (128, 64)), ("Y", (64, 128))):
        assert bpy.ops.tilewright.grow(result=name, direction=direction) == {"FINISHED"}
        asked = request()
        assert (asked.size.width, asked.size.height, asked.template.region) == (*size, "GROW")
    assert bpy.ops.tilewright.wear(result=name, words="mossy", amount=0.25, count=2) == {"FINISHED"}
    asked = request()
    assert (asked.prompt, asked.template.region, asked.template.amount) == ("mossy red brick", "WEAR", 0.25)
    assert asked.template.keep_edges


def dialogs_propose_and_refuse(folder: str) -> list[str]:
    """What a dialog opens with; of a picture that was not generated it does not open."""
    name = generate(prompt="small").tilewright.result
    asked: list[Any] = []
    manager = SimpleNamespace(invoke_props_dialog=lambda dialog, **_named: asked.append(dialog) or {"RUNNING_MODAL"})
    context = SimpleNamespace(window_manager=manager)
    cls = addon("history.going_on").TILEWRIGHT_OT_larger_again
    own = SimpleNamespace(result=name, bl_label=cls.bl_label, propose=lambda result: cls.propose(own, result))
    own.first = lambda context: cls.first(own, context)
    assert cls.ask(own, context) == {"RUNNING_MODAL"}
    assert (own.width, own.height) == (128, 128)
    cls = addon("history.recipes").TILEWRIGHT_OT_variations
    own = SimpleNamespace(result=name, properties=SimpleNamespace(is_property_set=lambda _name: False))
    assert cls.ask(own, context) == {"RUNNING_MODAL"}
    assert own.amount == 0.3
    known = set(made())
    assert bpy.ops.tilewright.upscale(image=_file(folder).name, scale="2") == {"FINISHED"}
    picture = next(image for image in made() if image not in known).tilewright.result
    names = ("repair_seam", "larger_again", "grow", "wear", "variations", "generate_again")
    return [message_of(lambda name=name: getattr(bpy.ops.tilewright, name)(result=picture)) for name in names]


def pictures_become_templates(folder: str) -> list[str]:
    """A result, an image of this file, a file; and what is refused."""
    name = generate(prompt="red brick").tilewright.result
    settings = wish(prompt="")
    assert bpy.ops.tilewright.use_as_template(result=name) == {"FINISHED"}
    assert (settings.template_image.tilewright.result, settings.prompt) == (name, "red brick")
    image = _file(folder)
    assert bpy.ops.tilewright.use_as_template(image=image.name) == {"FINISHED"}
    assert (settings.template_image, settings.prompt) == (image, "red brick")
    settings.template_image = None
    assert bpy.ops.tilewright.use_as_template(filepath=image.filepath) == {"FINISHED"}
    assert settings.template_image == image, "no second image of one file"
    asked = _request(generate(prompt="red brick"))
    assert asked.template.source == bpy.path.abspath(image.filepath)
    movie = bpy.data.images.new("film", 4, 4)
    movie.source = "MOVIE"
    use = bpy.ops.tilewright.use_as_template
    return [
        message_of(lambda: use(image="film")),
        message_of(lambda: use(image="nothing")),
        message_of(lambda: use(filepath=str(Path(folder) / "nothing.png"))),
    ]


def job_that_fails_loses_nothing(folder: str) -> None:
    """The template and the mask stay as they were chosen, and what was written for the job goes."""
    wish(prompt="this one dies", template_image=_painted(), region="MASK", mask=_painted("mask"))
    assert message_of(bpy.ops.tilewright.generate)
    settings = bpy.context.scene.tilewright
    assert (settings.template_image.name, settings.mask.name) == ("photo", "mask")
    assert _written() == []
    job = start(prompt="cancelled")
    bpy.ops.tilewright.cancel()
    drive(lambda: job.ended and not _written())
