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
_VERTEX = "void main() { place = texCoord; gl_Position = ModelViewProjectionMatrix * vec4(pos, 0.0, 1.0); }"
# Textures come in linear light, and that is what is to be drawn: an editor is drawn into sRGB by itself. Blender's own
# shaders take colors that are encoded, and would make the picture too dark (5.2).
_FRAGMENT = "void main() { color = vec4(texture(image, place).rgb, share); }"
_handle: Any = None
_shader: Any = None  # compiled when it is first needed


def _compiled() -> Any:
    global _shader
    if _shader is None:
        _shader = _compile()
    return _shader


def _compile() -> gpu.types.GPUShader:
    between = gpu.types.GPUStageInterfaceInfo("tilewright_mask")  # type: ignore[call-arg]
    between.smooth("VEC2", "place")
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("MAT4", "ModelViewProjectionMatrix")
    info.push_constant("FLOAT", "share")
    info.sampler(0, "FLOAT_2D", "image")
    info.vertex_in(0, "VEC2", "pos")
    info.vertex_in(1, "VEC2", "texCoord")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "color")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


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
    shader = _compiled()
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))
    places = ((0, 0), (1, 0), (1, 1), (0, 1))
    batch = batch_for_shader(shader, "TRI_FAN", {"pos": corners, "texCoord": places})
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("share", _SHARE)
    matrix: Any = gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix()
    shader.uniform_float("ModelViewProjectionMatrix", matrix)
    shader.uniform_sampler("image", texture)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle, _shader
    if _handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    _shader = None
