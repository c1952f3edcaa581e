# SPDX-License-Identifier: GPL-3.0-or-later
"""ControlNets and an IP-Adapter: what the worker is asked for, pictures from the object, recipes. A fake engine."""

from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh, generate, made, message_of, pixels, wish


def _image(name: str, folder: str, color: float = 0.5) -> Any:
    image = bpy.data.images.new(name, 64, 64, alpha=False)
    image.pixels.foreach_set([color, color / 2, 1.0, 1.0] * 64 * 64)
    image.filepath_raw, image.file_format = str(Path(folder) / f"{name}.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return bpy.data.images.load(str(Path(folder) / f"{name}.png"))


def _control(folder: str, picture: Any, name: str = "control_depth.safetensors", **values: Any) -> Any:
    file = Path(folder) / name
    file.touch()
    control = bpy.context.scene.tilewright.controls.add()
    control.model, control.picture = str(file), picture
    for key, value in values.items():
        setattr(control, key, value)
    return control


def _newest() -> Any:
    addon("history.browse").refresh()
    addon("history.browse").show(0)
    return addon("common.state").current.view.found[0].result


def guides_come_back(folder: str, model: str, file: str) -> None:
    """From the copies beside the result, whatever became of the pictures; and they are saved with the file."""
    wish(prompt="guided", model=model, style_picture=_image("style", folder, 0.25))
    settings = bpy.context.scene.tilewright
    settings.style_file = str(Path(folder) / "ip-adapter.safetensors")
    Path(settings.style_file).touch()
    _control(folder, _image("height", folder), strength=0.5, end=0.75, make_tileable=False)
    _control(folder, _image("unused", folder), use=False)
    _control(folder, _image("normal", folder, 0.75), "union.safetensors", kind="NORMAL", make_tileable=False)
    before = [pixels(bpy.data.images[name]) for name in ("height.png", "normal.png", "style.png")]
    generate()
    result = _newest()
    guides = result.recipe.request.guides
    assert [(control.kind, control.strength, control.end) for control in guides.controls] == [
        ("DEPTH", 0.5, 0.75),
        ("NORMAL", 1.0, 1.0),
    ]
    assert {"guide1", "guide2", "guide3"} <= set(result.files)
    for name in ("height", "normal", "style"):
        Path(folder, f"{name}.png").unlink()
    fresh()
    assert bpy.ops.tilewright.restore_settings(result=result.folder.name) == {"FINISHED"}
    settings = bpy.context.scene.tilewright
    pictures = [*(control.picture for control in settings.controls), settings.style_picture]
    assert [pixels(image) for image in pictures] == before
    assert [control.kind for control in settings.controls] == ["DEPTH", "NORMAL"]
    asked = addon("jobs.generation").asked_for(settings)[0].guides
    assert asked.showing(dict(enumerate(guides.pictures))) == guides
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    settings = bpy.context.scene.tilewright
    again = [*(control.picture for control in settings.controls), settings.style_picture]
    assert [pixels(image) for image in again] == before
    plain = generate(prompt="plain", style_picture=None)
    settings.controls.clear()
    assert "guides" not in addon("settings.properties").recipe_of(generate(prompt="plain")).request.to_json()
    assert plain


def what_is_missing_is_told(folder: str, model: str) -> list[str]:
    """At Generate, and where a recipe is restored on a machine without its ControlNet, or by somebody else."""
    settings = wish(prompt="guided", model=model)
    control = settings.controls.add()
    told = [message_of(bpy.ops.tilewright.generate)]
    control.model = str(Path(folder) / "control.safetensors")
    told.append(message_of(bpy.ops.tilewright.generate))
    settings.controls.clear()
    settings.style_picture = _image("style", folder)
    told.append(message_of(bpy.ops.tilewright.generate))
    settings.style_picture = None
    _control(folder, _image("height", folder))
    settings.model = "starter"
    told.append(message_of(bpy.ops.tilewright.generate))
    assert not made()
    settings.model = model
    image = generate()
    recipes = addon("history.recipes")
    recipe, result = recipes.of_image(image), _newest()
    told.append(recipes.restore(settings, recipe, own=False))
    assert not len(settings.controls)
    Path(folder, "control_depth.safetensors").unlink()
    told.append(recipes.restore(settings, recipe, own=True, result=result))
    assert [control.picture is not None for control in settings.controls] == [True]
    result.path("guide1").unlink()
    Path(folder, "height.png").unlink()
    for image in list(bpy.data.images):
        bpy.data.images.remove(image)
    told.append(recipes.restore(settings, recipe, own=True))
    assert [control.picture for control in settings.controls] == [None]
    return told


def pictures_from_the_material(folder: str) -> list[str]:
    """Height for depth, normals for normals, the color for others; nothing is looked for that is not there."""
    settings = wish()
    mesh = bpy.data.meshes.new("plane")
    obj = bpy.data.objects.new("plane", mesh)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    assert bpy.ops.tilewright.add_control() == {"FINISHED"}
    told = [message_of(lambda: bpy.ops.tilewright.control_from_material(index=0))]
    material = bpy.data.materials.new("Wall")
    material.use_nodes = True
    obj.data.materials.append(material)
    told.append(message_of(lambda: bpy.ops.tilewright.control_from_material(index=0)))
    nodes, links = material.node_tree.nodes, material.node_tree.links
    principled = nodes["Principled BSDF"]
    found = {}
    for name in ("color", "height", "normal"):
        node = found[name] = nodes.new("ShaderNodeTexImage")
        node.image = _image(name, folder)
    links.new(found["color"].outputs[0], principled.inputs["Base Color"])
    moved, turned = nodes.new("ShaderNodeDisplacement"), nodes.new("ShaderNodeNormalMap")
    links.new(found["height"].outputs[0], moved.inputs["Height"])
    links.new(moved.outputs[0], nodes["Material Output"].inputs["Displacement"])
    links.new(found["normal"].outputs[0], turned.inputs["Color"])
    links.new(turned.outputs[0], principled.inputs["Normal"])
    (control,) = settings.controls
    for kind, name in (("DEPTH", "height"), ("NORMAL", "normal"), ("TILE", "color"), ("OTHER", "color")):
        control.kind = kind
        assert bpy.ops.tilewright.control_from_material(index=0) == {"FINISHED"}
        assert control.picture == found[name].image, kind
    control.kind, control.model = "AUTO", "//control_v11p_sd15_normalbae.safetensors"
    assert bpy.ops.tilewright.control_from_material() == {"FINISHED"}
    assert control.picture == found["normal"].image, "by the ControlNet's name"
    control.kind = "EDGES"
    told.append(message_of(lambda: bpy.ops.tilewright.control_from_material(index=0)))
    told.append(message_of(lambda: bpy.ops.tilewright.control_from_material(index=1)))
    for _ in range(3):
        assert bpy.ops.tilewright.add_control() == {"FINISHED"}
    assert not bpy.ops.tilewright.add_control.poll()
    assert bpy.ops.tilewright.remove_control(index=0) == {"FINISHED"}
    assert len(settings.controls) == 3
    return told
