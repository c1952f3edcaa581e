# SPDX-License-Identifier: GPL-3.0-or-later
"""The template under its mask, in the Image Editors that show the mask: so that one sees what one paints over.

Imports bpy and gpu. Nothing is drawn into the mask itself.
"""

from typing import Any

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from ..settings.properties import settings_of

_SHARE = 0.6  # of the template; what is left is the mask, so that white is lighter and black darker
_handle: Any = None


def _draw() -> None:
    context = bpy.context
    space, scene = context.space_data, context.scene
    if not isinstance(space, bpy.types.SpaceImageEditor) or scene is None or space.image is None:
        return
    settings = settings_of(scene)
    template = settings.template_image
    if template is None or space.image != settings.mask or space.image == template:
        return
    try:
        texture = gpu.texture.from_image(template)
    except RuntimeError:  # its file is gone: Generate says so
        return
    view: Any = context.region.view2d
    (left, bottom), (right, top) = view.view_to_region(0, 0, clip=False), view.view_to_region(1, 1, clip=False)
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))
    places = ((0, 0), (1, 0), (1, 1), (0, 1))
    batch = batch_for_shader(shader, "TRI_FAN", {"pos": corners, "texCoord": places})
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("color", (1.0, 1.0, 1.0, _SHARE))
    shader.uniform_sampler("image", texture)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
