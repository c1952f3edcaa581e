# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reported as filled is what is seen: a texture is made, painted red, and the object rendered by Cycles.

Each case sets up the cube, generates, and answers whether red was seen and what the user was told.
"""

from array import array
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
from by_hand import BUTTON, Hand
from common import addon, fresh, generate, links, made, message_of, push_undo, undo, wish
from window import Story, _until, missing_hands


def _tree() -> Any:
    return bpy.data.materials["Material"].node_tree


def _principled() -> Any:
    return _tree().nodes["Principled BSDF"]


def _end() -> Any:
    return _tree().nodes["Material Output"]


def _other() -> Any:
    """A green material."""
    material = bpy.data.materials.new("Green")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    node = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    node.inputs["Base Color"].default_value = (0.0, 1.0, 0.0, 1.0)
    return material


def _second(target: str) -> Any:
    """A second output with a Principled of its own, for one engine."""
    tree = _tree()
    end, other = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeBsdfPrincipled")
    end.target = target
    tree.links.new(other.outputs[0], end.inputs["Surface"])
    return other


def plain() -> None:
    pass


def output_of_the_other_engine() -> None:
    _second("EEVEE").select = True


def output_of_this_engine() -> None:
    _end().target = "EEVEE"
    _second("CYCLES")


def output_of_one_engine_only() -> None:
    _end().target = "EEVEE"


def mixed_in() -> None:
    tree = _tree()
    mix, other = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfPrincipled")
    tree.links.new(other.outputs[0], mix.inputs[1])
    tree.links.new(_principled().outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], _end().inputs["Surface"])
    mix.inputs[0].default_value = 1.0
    other.select, _principled().select = True, False


def mixed_out() -> None:
    tree = _tree()
    mix, other = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeEmission")
    tree.links.new(other.outputs[0], mix.inputs[1])
    tree.links.new(_principled().outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], _end().inputs["Surface"])
    mix.inputs[0].default_value = 0.0


def muted_link() -> None:
    _end().inputs["Surface"].links[0].is_muted = True


def muted_link_to_the_color() -> None:
    image = _tree().nodes.new("ShaderNodeTexImage")
    link = _tree().links.new(image.outputs[0], _principled().inputs["Base Color"])
    link.is_muted = True


def muted_principled() -> None:
    _principled().mute = True


def muted_mix() -> None:
    mixed_out()
    mix = next(node for node in _tree().nodes if node.bl_idname == "ShaderNodeMixShader")
    _tree().links.new(_principled().outputs[0], mix.inputs[1])
    mix.mute = True


def diffuse() -> None:
    node = _tree().nodes.new("ShaderNodeBsdfDiffuse")
    _tree().links.new(node.outputs[0], _end().inputs["Surface"])


def group() -> None:
    _group()


def _group() -> Any:
    tree = bpy.data.node_groups.new("Surface", "ShaderNodeTree")
    tree.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    inner, end = tree.nodes.new("ShaderNodeBsdfPrincipled"), tree.nodes.new("NodeGroupOutput")
    tree.links.new(inner.outputs[0], end.inputs[0])
    node = _tree().nodes.new("ShaderNodeGroup")
    node.node_tree = tree
    _tree().links.new(node.outputs[0], _end().inputs["Surface"])
    return node


def shared_group() -> None:
    _tree().nodes.new("ShaderNodeGroup").node_tree = _group().node_tree


def geometry_nodes() -> None:
    cube = bpy.data.objects["Cube"]
    tree = bpy.data.node_groups.new("Set", "GeometryNodeTree")
    for in_out in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=in_out, socket_type="NodeSocketGeometry")
    start, node, end = (
        tree.nodes.new(type_) for type_ in ("NodeGroupInput", "GeometryNodeSetMaterial", "NodeGroupOutput")
    )
    node.inputs["Material"].default_value = _other()
    tree.links.new(start.outputs[0], node.inputs["Geometry"])
    tree.links.new(node.outputs[0], end.inputs[0])
    cube.modifiers.new("Set", "NODES").node_group = tree


def unassigned_slot() -> None:
    cube = bpy.data.objects["Cube"]
    cube.data.materials.append(_other())
    for polygon in cube.data.polygons:
        polygon.material_index = 1
    cube.active_material_index = 0


def slot_of_the_object() -> None:
    cube = bpy.data.objects["Cube"]
    cube.data.materials[0] = _other()
    cube.material_slots[0].link = "OBJECT"
    cube.material_slots[0].material = bpy.data.materials["Material"]


def material_override() -> None:
    bpy.context.view_layer.material_override = _other()


CASES = (
    plain, output_of_the_other_engine, output_of_this_engine, output_of_one_engine_only, mixed_in, mixed_out,
    muted_link, muted_link_to_the_color, muted_principled, muted_mix, diffuse, group, shared_group, geometry_nodes,
    unassigned_slot, slot_of_the_object, material_override,
)  # fmt: skip


def _red_is_seen(place: Path) -> bool:
    red = bpy.data.images.new("red", 8, 8)
    red.pixels = [1.0, 0.0, 0.0, 1.0] * 64
    red.pack()
    trees = [_tree(), *(tree for tree in bpy.data.node_groups if tree.bl_idname == "ShaderNodeTree")]
    for node in [node for tree in trees for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage"]:
        if node.image is not None and node.image.tilewright.result:
            if node.image.tilewright.kind == "base_color":
                node.image = red
            else:  # the fake engine's maps are no surface
                node.image = None
    scene = bpy.context.scene
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_x = scene.render.resolution_y = 16
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(place / "seen.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath, check_existing=False)
    pixels = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return max(red - green for red, green in zip(pixels[0::4], pixels[1::4], strict=True)) > 0.05


def outcomes(folder: str) -> dict[str, tuple[bool, str]]:
    """By case: whether red is seen, and what the user was told. No link of the user's goes, and twice is as once."""
    told = {}
    for case in CASES:
        _prepare(case)
        before = links(_tree())
        generate()
        outcome = bpy.context.window_manager.tilewright.outcome
        assert before <= links(_tree()), case.__name__
        nodes = sum(len(tree.nodes) for tree in (_tree(), *bpy.data.node_groups))
        generate(prompt="again")
        assert nodes == sum(len(tree.nodes) for tree in (_tree(), *bpy.data.node_groups)), case.__name__
        told[case.__name__] = (_red_is_seen(Path(folder)), outcome)
    return told


def outcomes_in_eevee(folder: str) -> Story:
    """On a screen: as `outcomes`, rendered by EEVEE, for what it and Cycles could see differently."""
    told = {}
    for case in (plain, output_of_the_other_engine, output_of_this_engine, muted_link, mixed_in, mixed_out):
        _prepare(case)
        for node in _tree().nodes:  # the cases are told for Cycles
            if node.bl_idname == "ShaderNodeOutputMaterial" and node.target != "ALL":
                node.target = "CYCLES" if node.target == "EEVEE" else "EEVEE"
        engines = bpy.types.RenderSettings.bl_rna.properties["engine"].enum_items.keys()
        bpy.context.scene.render.engine = next(e for e in ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE") if e in engines)
        bpy.context.scene.eevee.taa_render_samples = 4
        yield from _press(prompt="red brick")
        told[case.__name__] = (_red_is_seen(Path(folder)), bpy.context.window_manager.tilewright.outcome)
    return told


def _press(**values: Any) -> Story:
    """Press Generate in the window, and wait until what it makes has come."""
    wish(**values)
    count = len(made())
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    yield from _until(lambda: len(made()) > count and not bpy.context.window_manager.tilewright.running)
    yield from _until(lambda: bpy.context.window_manager.tilewright.outcome)


def pinned_editor_in_the_window() -> Story:
    """A Shader Editor that is pinned while another material is shown: Generate beside it fills what is seen there."""
    if lack := missing_hands():
        return lack
    fresh()
    other, cube = _other(), bpy.data.objects["Cube"]
    cube.data.materials.append(other)
    cube.active_material_index = 1
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda area: area.width * area.height)
    area.type, area.ui_type = "NODE_EDITOR", "ShaderNodeTree"
    yield 1.0
    space = area.spaces.active
    assert space.id == other
    space.pin = True  # what its header's pin sets
    cube.active_material_index = 0
    yield 1.0
    assert cube.active_material.name == "Material"
    assert space.node_tree == other.node_tree, "the pinned editor follows the object"
    space.show_region_ui = True
    yield 1.0
    side = next(region for region in area.regions if region.type == "UI")
    side.active_panel_category = "Tilewright"
    wish(prompt="brick")
    yield 1.0
    hand = Hand(Path(bpy.app.tempdir))
    for nudge in (3, 0):
        hand.point(side.x + BUTTON[0] - nudge, side.y + side.height - BUTTON[1])
        yield 0.5
    hand.do("click", 1)
    yield from _until(made)
    yield from _until(lambda: bpy.context.window_manager.tilewright.outcome)
    outcome = bpy.context.window_manager.tilewright.outcome
    assert outcome.startswith("In Green, node Image Texture."), outcome
    assert not [node for node in _tree().nodes if node.bl_idname == "ShaderNodeTexImage"]
    return ""


def pinned_editor() -> None:
    """What is pinned in the Shader Editor is what the user looks at there, and is filled."""
    fresh()
    other = _other()
    screen = bpy.context.window_manager.windows[0].screen
    area = max(screen.areas, key=lambda area: area.width * area.height)
    area.type, area.ui_type = "NODE_EDITOR", "ShaderNodeTree"
    space = area.spaces.active
    space.shader_type, space.pin, space.node_tree = "OBJECT", True, other.node_tree
    wish(prompt="brick")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    assert not [node for node in _tree().nodes if node.bl_idname == "ShaderNodeTexImage"]
    assert [node for node in other.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"]
    outcome = bpy.context.window_manager.tilewright.outcome
    assert "In Green, node Base Color." in outcome
    assert "Cube doesn't have this material. Assign it to see it." in outcome, outcome
    space.pin = False
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    assert [node for node in _tree().nodes if node.bl_idname == "ShaderNodeTexImage"]


def group_is_tried_on_and_compared() -> None:
    """What walks through results finds its way back in a group too."""
    folders = [generate(prompt=f"number {number}").tilewright.result for number in range(2)]
    fresh()
    group()
    before = [links(tree) for tree in bpy.data.node_groups]
    aim = addon("common.targets").choose(bpy.context, "BASE_COLOR", addon("common.state").current.document)
    trial = addon("history.tryon").Trial(aim, folders)
    trial.wear(0)
    trial.wear(1)
    inner = bpy.data.node_groups["Surface.001"]
    assert [node for node in inner.nodes if node.bl_idname == "ShaderNodeTexImage"]
    trial.restore()
    assert [links(tree) for tree in bpy.data.node_groups if tree.name.startswith("Surface")] == before
    assert trial.keep().startswith("In Material, node Base Color.")
    inner = bpy.data.node_groups["Surface"]
    assert [node for node in inner.nodes if node.bl_idname == "ShaderNodeTexImage"]


def _prepare(case: Callable[[], None]) -> None:
    fresh()
    bpy.context.scene.render.engine = "CYCLES"
    bpy.data.objects["Light"].location = bpy.data.objects["Camera"].location
    case()


class _Panel:
    """What a panel draws into; it keeps the buttons."""

    def __init__(self) -> None:
        self.buttons: list[tuple[str, SimpleNamespace]] = []

    def column(self, **_how: Any) -> "_Panel":
        return self

    def operator(self, _name: str, *, text: str, **_how: Any) -> SimpleNamespace:
        self.buttons.append((text, SimpleNamespace()))
        return self.buttons[-1][1]


def _ask(image: Any) -> dict[str, dict[str, Any]]:
    """The buttons beside a texture that waits for an answer: what each sets, by its text."""
    panel = _Panel()
    addon("history.selected")._draw_group(panel, bpy.context, image.tilewright.result)
    return {text: vars(values) for text, values in panel.buttons}


def shared_group_is_asked_about(folder: str) -> None:
    """Two materials use a group, which lies in another group: each answer does what it says, and undo takes it back."""
    for own in (False, True):
        fresh()
        inner = _group().node_tree
        outer = bpy.data.node_groups.new("Outer", "ShaderNodeTree")
        outer.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
        entry, end = outer.nodes.new("ShaderNodeGroup"), outer.nodes.new("NodeGroupOutput")
        entry.node_tree = inner
        outer.links.new(entry.outputs[0], end.inputs[0])
        _tree().nodes.remove(_end().inputs["Surface"].links[0].from_node)
        node, other = _tree().nodes.new("ShaderNodeGroup"), _other().node_tree.nodes.new("ShaderNodeGroup")
        node.node_tree = other.node_tree = outer
        _tree().links.new(node.outputs[0], _end().inputs["Surface"])
        nodes, inside, name = len(_tree().nodes), len(inner.nodes), node.name  # undo takes the node itself away

        image = generate(maps=True)
        outcome = bpy.context.window_manager.tilewright.outcome
        assert "group Outer, which is used 2 times. Edit it for all, or make a copy" in outcome, outcome
        assert len(inner.nodes) == inside, "it was not waited for an answer"
        assert len(_tree().nodes) > nodes
        buttons = _ask(image)
        assert list(buttons) == ["Edit for All 2 Users", "Make a Copy for This Material"]
        push_undo()
        text = list(buttons)[own]
        assert bpy.ops.tilewright.apply_in_group(**buttons[text]) == {"FINISHED"}
        push_undo()
        outcome = bpy.context.window_manager.tilewright.outcome
        assert outcome.startswith("In Material, node Base Color."), outcome
        assert len(_tree().nodes) == nodes, [(n.name, n.parent and n.parent.name) for n in _tree().nodes]
        assert _ask(image) == {}
        filled = _tree().nodes[name].node_tree
        assert (filled == outer) is not own
        assert (len(inner.nodes) == inside) is own, "the other material is changed only where it is meant to be"
        deep = next(n for n in filled.nodes if n.bl_idname == "ShaderNodeGroup").node_tree
        count = len(deep.nodes)
        assert count > inside
        generate(prompt="again", maps=True)
        assert bpy.context.window_manager.tilewright.outcome.startswith("In Material, node"), "it was asked twice"
        assert (len(deep.nodes), len(_tree().nodes)) == (count, nodes)
        undo()  # the second texture, which made no step of its own
        undo()
        assert len(bpy.data.node_groups["Surface"].nodes) == inside
        assert _tree().nodes[name].node_tree.name == "Outer"
    _prepare(shared_group)
    image = generate()
    assert bpy.ops.tilewright.apply_in_group(**_ask(image)["Edit for All 2 Users"]) == {"FINISHED"}
    group_tree = bpy.data.node_groups["Surface"]
    before = (links(group_tree), [node.image for node in group_tree.nodes if hasattr(node, "image")])
    aim = addon("common.targets").choose(bpy.context, "BASE_COLOR", addon("common.state").current.document)
    trial = addon("history.tryon").Trial(aim, [image.tilewright.result])
    trial.wear(0)
    trial.restore()
    assert bpy.data.node_groups["Surface"] == group_tree
    assert before == (links(group_tree), [node.image for node in group_tree.nodes if hasattr(node, "image")])
    assert [tree.name for tree in bpy.data.node_groups if tree.name.startswith("Surface")] == ["Surface"]
    assert _red_is_seen(Path(folder))
    fresh()
    message = message_of(lambda: bpy.ops.tilewright.apply_in_group())
    assert "The Principled BSDF is in no group that others use." in message
