# SPDX-License-Identifier: GPL-3.0-or-later
"""What a material shows, baked. Rules start from a new file with a cube; the fake engine makes all maps."""

from pathlib import Path

import bpy
from blending import _blend, _two
from common import addon, message_of, run_rules


def run_all() -> dict[str, str]:
    return run_rules(globals())


def rule_bake_makes_plain_images_and_a_material_of_what_is_blended() -> None:
    _two()
    scene = bpy.context.scene
    engine = scene.render.engine
    blend = _blend(mask="IMAGE", size=32, amount=1.0)
    images = {image.name for image in bpy.data.images}
    objects = set(bpy.data.objects)
    assert bpy.ops.tilewright.bake(size="512", use=True) == {"FINISHED"}
    assert scene.render.engine == engine
    assert set(bpy.data.objects) == objects
    material = bpy.context.object.active_material
    assert material.name == "Material Baked"
    found = addon("material.map_nodes").pictures(material)
    assert set(found) == {"base_color", "roughness", "metallic", "normal", "height"}, found
    for kind, image in found.items():
        assert tuple(image.size) == (512, 512), kind
        assert image.packed_file, kind
        assert image.name not in images, kind
    middle = 4 * (300 * 512 + 300)  # on a face of the cube
    for kind, wanted in (("base_color", [0.3492, 0.8547, 0.4845]), ("roughness", [0.4]), ("metallic", [0.6])):
        value = found[kind].pixels[middle : middle + len(wanted)]
        assert all(abs(one - other) < 0.01 for one, other in zip(value, wanted, strict=True)), (kind, value)
    normal = found["normal"].pixels[middle : middle + 3]
    assert all(abs(one - other) < 0.01 for one, other in zip(normal, (0.5, 0.5, 1.0), strict=True)), normal
    assert blend.id_data == bpy.data.materials["Material"].node_tree
    assert not list(Path(bpy.app.tempdir).glob("**/scene.blend"))


def rule_bake_of_a_laid_material_has_its_maps_laid_too() -> None:
    _two()
    assert bpy.ops.tilewright.lay_without_repeat() == {"FINISHED"}
    assert bpy.ops.tilewright.bake(size="512") == {"FINISHED"}
    assert bpy.context.object.active_material.name == "Material"
    found = addon("material.map_nodes").pictures(bpy.data.materials["Material Baked"])
    assert "occlusion" in found
    height = found["height"].pixels[:]
    rows = {height[4 * (512 * y + 300)] for y in range(200, 310, 5)}
    assert len(rows) > 4, "a tile whose columns are of one value is not laid where they still are"


def rule_bake_is_refused_where_there_is_nothing_to_bake_on() -> None:
    _two()
    mesh = bpy.context.object.data
    mesh.uv_layers.remove(mesh.uv_layers[0])
    assert "UV map" in message_of(bpy.ops.tilewright.bake)
