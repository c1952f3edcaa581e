# SPDX-License-Identifier: GPL-3.0-or-later
"""A UV map for objects that have none, made for textures that repeat. Imports bpy; some Blenders have no numpy."""

from array import array
from typing import cast

import bpy

# axis of the normal -> the axes that u and v run along: seen from that side, with z up unless it is the axis itself
_ALONG = ((1, 2), (0, 2), (0, 1))
_MIRRORED = (1.0, -1.0, 1.0)


def add_box_map(obj: bpy.types.Object, name: str = "UVMap") -> None:
    """Project each face of a mesh along the axis that its normal is nearest to; call it in Object Mode.

    The same texel density everywhere, which islands packed into one square would not have: the object's longest side,
    with its scale, is one texture wide. Faces that look the same way continue each other.
    """
    mesh = cast(bpy.types.Mesh, obj.data)
    layer = mesh.uv_layers.new(name=name)
    if not mesh.loops:
        return
    scale = [abs(value) for value in obj.matrix_world.to_scale()[:]]
    places = _scaled_points(mesh, scale)
    corners = array("i", bytes(4 * len(mesh.loops)))
    mesh.loops.foreach_get("vertex_index", corners)
    uv = array("f", bytes(8 * len(mesh.loops)))
    for polygon in mesh.polygons:
        # a normal in an object of uneven scale leans the other way
        normal = [value / (factor or 1e-12) for value, factor in zip(polygon.normal[:], scale, strict=True)]
        axis = max(range(3), key=lambda index: abs(normal[index]))
        across, up = _ALONG[axis]
        sign = _MIRRORED[axis] * (-1.0 if normal[axis] < 0 else 1.0)
        for loop in polygon.loop_indices:
            uv[2 * loop] = sign * places[across][corners[loop]]
            uv[2 * loop + 1] = places[up][corners[loop]]
    layer.data.foreach_set("uv", uv)
    mesh.update()


def _scaled_points(mesh: bpy.types.Mesh, scale: list[float]) -> list[list[float]]:
    """For each axis the vertices' coordinates, from 0; the longest side of all is 1 long."""
    points = array("f", bytes(12 * len(mesh.vertices)))
    mesh.vertices.foreach_get("co", points)
    axes = [[value * scale[axis] for value in points[axis::3]] for axis in range(3)]
    longest = max(max(values) - min(values) for values in axes) or 1.0
    return [[(value - low) / longest for value in values] for values, low in zip(axes, map(min, axes), strict=True)]
