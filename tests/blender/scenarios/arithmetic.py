# SPDX-License-Identifier: GPL-3.0-or-later
"""What `material.feeds` says that nodes do to numbers, against what Cycles renders."""

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh

PROBES = ((0.0, 0.0, 0.0), (0.25, 0.5, 0.75), (1.0, 1.0, 1.0))


def _set(**values: Any) -> Callable[[Any], None]:
    """Sets a node's properties, or the inputs of those names with underscores for spaces."""

    def shape(node: Any) -> None:
        for name, value in values.items():
            entries = [entry for entry in node.inputs if entry.enabled and entry.name == name.replace("_", " ")]
            if entries:
                entries[-1].default_value = value
            else:
                setattr(node, name, value)

    return shape


def _curve(index: int) -> Callable[[Any], None]:
    def shape(node: Any) -> None:
        points = node.mapping.curves[index].points
        points[0].location, points[1].location = (0.0, 0.9), (1.0, 0.2)
        points.new(0.5, 0.3)
        node.mapping.update()

    return shape


def _ramp(node: Any) -> None:
    node.color_ramp.elements[0].color, node.color_ramp.elements[1].color = (0.9, 0.5, 1, 1), (0.1, 0, 0.3, 1)


def _second(node: Any) -> None:
    """A Mix of colors, whose other input is this."""
    next(entry for entry in node.inputs if entry.enabled and entry.name == "B").default_value = (0.3, 0.6, 0.9, 1.0)


def _mix(blend: str) -> Callable[[Any], None]:
    def shape(node: Any) -> None:
        node.data_type, node.blend_type = "RGBA", blend
        node.inputs[0].default_value = 0.7
        _second(node)

    return shape


def _math(operation: str, second: float) -> Callable[[Any], None]:
    def shape(node: Any) -> None:
        node.operation = operation
        node.inputs[1].default_value, node.inputs[2].default_value = second, 0.4

    return shape


CASES = {
    "Invert": _set(),
    "Invert half": lambda node: setattr(node.inputs[0], "default_value", 0.3),
    "Gamma": _set(Gamma=2.2),
    "BrightContrast": lambda node: [
        setattr(node.inputs[index], "default_value", value) for index, value in ((1, 0.1), (2, 0.5))
    ],
    "HueSaturation": _set(Hue=0.6, Saturation=0.5, Value=1.3),
    "RGBCurve all": _curve(3),
    "RGBCurve green": _curve(1),
    "FloatCurve": _curve(0),
    "ValToRGB": _ramp,
    "MapRange": _set(To_Min=1.0, To_Max=0.2),
    "MapRange stepped": _set(interpolation_type="STEPPED", Steps=3.0),
    "MapRange smooth": _set(interpolation_type="SMOOTHSTEP", From_Max=0.8),
    "Clamp": _set(Min=0.2, Max=0.6),
    **{f"Mix {blend}": _mix(blend) for blend in (
        "MIX", "MULTIPLY", "ADD", "SUBTRACT", "DIVIDE", "DIFFERENCE", "EXCLUSION", "DARKEN", "LIGHTEN", "SCREEN",
        "OVERLAY", "SOFT_LIGHT", "LINEAR_LIGHT",
    )},
    **{f"Math {operation}": _math(operation, 0.6) for operation in (
        "ADD", "SUBTRACT", "MULTIPLY", "DIVIDE", "MULTIPLY_ADD", "POWER", "SQRT", "MINIMUM", "MAXIMUM", "LESS_THAN",
        "GREATER_THAN", "ABSOLUTE", "ROUND", "SNAP", "EXPONENT",
    )},
}  # fmt: skip


def differences(folder: str) -> dict[str, float]:
    """By case: the greatest difference."""
    fresh()
    scene, cube = bpy.context.scene, bpy.data.objects["Cube"]
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.render.resolution_x = scene.render.resolution_y = 4
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(Path(folder) / "pixel.exr")
    bpy.data.objects["Camera"].data.lens = 500.0  # nothing but the cube
    tree = cube.active_material.node_tree
    emission, image = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeTexImage")
    tree.links.new(emission.outputs[0], tree.get_output_node("ALL").inputs["Surface"])
    image.image = bpy.data.images.new("probe", 4, 4, float_buffer=True, is_data=True)
    told = {}
    for case, shape in CASES.items():
        node = tree.nodes.new(f"ShaderNode{case.split()[0]}")
        shape(node)
        names = ("Color", "Value", "Fac", "Factor", "A")
        found = [entry for name in names for entry in node.inputs if entry.enabled and entry.name == name]
        wanted = [entry for entry in found if entry.name not in ("Fac", "Factor")] or found
        tree.links.new(image.outputs["Color"], wanted[0])
        tree.links.new(next(entry for entry in node.outputs if entry.enabled), emission.inputs["Color"])
        worst = 0.0
        for numbers in PROBES:
            image.image.pixels = [*numbers, 1.0] * 16
            image.image.update()
            bpy.ops.render.render(write_still=True)
            seen = bpy.data.images.load(scene.render.filepath, check_existing=False)
            pixels = array("f", bytes(4 * len(seen.pixels)))
            seen.pixels.foreach_get(pixels)
            bpy.data.images.remove(seen)
            way = addon("material.feeds")._Way({image.name: numbers})
            expected = way.through(emission.inputs["Color"])
            worst = max(worst, *(abs(a - b) for a, b in zip(pixels[20:23], expected, strict=True)))
        told[case] = worst
        tree.nodes.remove(node)
    return told
