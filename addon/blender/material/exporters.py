# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a set that is laid, other programs get one tile that repeats, from Blender's own exporters. Imports bpy.

They have no nodes to lay it with, and the sheet as it is would show all tiles side by side. The exporter of glTF makes
an object of the class that it finds in the extension's package under a fixed name, and hands it what it has made of
each texture (seen in 4.2 to 5.2). That of USD calls a registered hook with each material (seen in 4.5 and 5.0).
"""

import copy
import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ...core.variants import ONE_TILE, Sheet
from ..common import package
from . import feeds, shown, tile_files, without_repeat

_NAME = "glTF2ExportUserExtension"
_TRANSFORM = "KHR_texture_transform"
_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_ALMOST = 1e-6
_registered: list[Any] = []

# Blender's types know the attributes of each kind of node by its own class, and here every kind comes along.
Node = Any


class Gltf:
    """Changes one export. What it raises, the exporter writes into its log, and takes the sheet."""

    def __init__(self) -> None:
        self._seen: list[Any] = []  # the exporter's images that are one tile now; two textures may have one image

    def gather_texture_info_hook(self, info: Any, sockets: Sequence[Any], settings: dict[str, Any]) -> None:
        """Called by the exporter with each glTF texture, where it lies, and the sockets that it was made for."""
        if not any(tree.get(feeds.LAID) for tree in bpy.data.node_groups):
            return
        try:
            from io_scene_gltf2.blender.exp.material import search_node_tree as search
        except ImportError:  # before 4.3
            from io_scene_gltf2.blender.exp.material import gltf2_blender_search_node_tree as search
        from io_scene_gltf2.io.com.gltf2_io_extensions import Extension

        found = [search.get_texture_node_from_socket(socket, settings) for socket in sockets]
        sheets = {_laid_sheet(entry.shader_node) for entry in found if entry is not None}
        if len(sheets) != 1 or settings.get("gltf_keep_original_textures"):
            return
        (sheet,) = sheets
        transform = _transformed(info.extensions, sheet) if sheet != ONE_TILE else None
        if transform is None:
            return
        webp = (info.index.extensions or {}).get("EXT_texture_webp")
        for image in [info.index.source, webp.extension["source"] if webp is not None else None]:
            if image is not None and not any(image is one for one in self._seen):
                _cut(image, sheet, settings)
                self._seen.append(image)
        if _TRANSFORM not in info.extensions:
            info.extensions[_TRANSFORM] = Extension(_TRANSFORM, {})
        info.extensions[_TRANSFORM].extension |= transform


def _laid_sheet(node: Node) -> Sheet:
    """The set that an image node shows, where it is laid; occlusion, which only exporters take, is where others are."""
    sheet = without_repeat.sheet_of(node.image)
    laid = (feeds.laid_image(group) for group in node.id_data.nodes if feeds.is_laid(group))
    sheets = [without_repeat.sheet_of(image.image) for image in laid if image is not None]
    return sheet if sheet in sheets else ONE_TILE


def _transformed(extensions: dict[str, Any], sheet: Sheet) -> dict[str, Any] | None:
    """What scales a tile as the sheet was; None where that cannot be told, as of one wider than high that is turned."""
    known = extensions[_TRANSFORM].extension if _TRANSFORM in extensions else {}
    scale, turned = known.get("scale", [1.0, 1.0]), known.get("rotation", 0.0)
    columns, rows = sheet.columns, sheet.rows
    if columns != rows and abs(turned) > _ALMOST:
        return None
    changed: dict[str, Any] = {"scale": [scale[0] * columns, scale[1] * rows]}
    if "offset" in known:
        changed["offset"] = [known["offset"][0] * columns, known["offset"][1] * rows]
    return changed


def _cut(image: Any, sheet: Sheet, settings: dict[str, Any]) -> None:
    """Leave one tile of what the exporter has made of an image."""
    holder = image.buffer_view or image.uri
    with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
        file = Path(folder) / f"sheet{_SUFFIXES[image.mime_type]}"
        file.write_bytes(holder.data)
        tile_files.cut_one(file, sheet, settings.get("gltf_image_quality", 0))
        data = file.read_bytes()
    if image.buffer_view:
        image.buffer_view = type(holder)(data)
    else:
        image.uri = copy.copy(holder)
        image.uri._data = data  # has no other way in


# --- USD -----------------------------------------------------------------------------------------------------------


def _usd_export(context: Any, material: bpy.types.Material, usd: Any) -> bool:
    """Called by the exporter of USD when a material is made. usd: a `pxr.UsdShade.Material`."""
    sheets = {name: _laid_sheet(node) for node in shown.nodes(material) if _is_image(node) for name in _names(node)}
    textures = [prim for prim in usd.GetPrim().GetChildren() if prim.GetAttribute("inputs:file")]
    found = {sheets.get(prim.GetName(), ONE_TILE) for prim in textures}
    places = {_transform(prim) for prim in textures}
    if len(found) != 1 or ONE_TILE in found or None in places:
        return True
    (sheet,) = found
    transforms = [usd.GetPrim().GetStage().GetPrimAtPath(path) for path in places]
    is_square = sheet.columns == sheet.rows
    if not all(is_square or abs(prim.GetAttribute("inputs:rotation").Get() or 0.0) < _ALMOST for prim in transforms):
        return True
    folder = Path(context.get_stage().GetRootLayer().realPath).parent / "textures"
    files = {prim: Path(prim.GetAttribute("inputs:file").Get().resolvedPath) for prim in textures}
    if any(file.parent != folder for file in files.values()):
        return True  # it was asked to leave pictures where they are
    for prim, file in files.items():
        tile = file.with_name(f"{file.stem}-tile{file.suffix}")
        shutil.copyfile(file, tile)
        tile_files.cut_one(tile, sheet)
        prim.GetAttribute("inputs:file").Set(f"./textures/{tile.name}")
    for prim in transforms:
        for name in ("inputs:scale", "inputs:translation"):
            attribute = prim.GetAttribute(name)
            value = attribute.Get()
            if value is not None:
                attribute.Set(type(value)(value[0] * sheet.columns, value[1] * sheet.rows))
    return True


def _transform(texture: Any) -> Any:
    """The path of what scales a texture of USD, None where nothing does."""
    for path in texture.GetAttribute("inputs:st").GetConnections():
        prim = texture.GetStage().GetPrimAtPath(path.GetPrimPath())
        if prim.GetAttribute("inputs:scale").Get() is not None:
            return prim.GetPath()
    return None


def _is_image(node: Node) -> bool:
    return node.bl_idname == feeds.IMAGE and node.image is not None


def _names(node: Node) -> tuple[str, str]:
    """What a node may be called in USD: as here, or in ASCII."""
    return node.name.replace(" ", "_"), re.sub(r"[^A-Za-z0-9_]", "_", node.name)


def _hooks() -> list[Any]:
    """The hook's class, where this Blender has USD and its Python, which the exporter needs for it."""
    found = importlib.util.find_spec("pxr") if hasattr(bpy.types, "USDHook") else None
    if found is None or not Path(found.origin or "").is_relative_to(bpy.utils.resource_path("LOCAL")):
        return []
    values = {"bl_idname": "tilewright_sets", "bl_label": "Tilewright", "on_material_export": staticmethod(_usd_export)}
    return [type("TILEWRIGHT_USD_sets", (bpy.types.USDHook,), values)]


def register() -> None:
    """Let the exporters find what is here."""
    setattr(sys.modules[package.NAME], _NAME, Gltf)
    _registered.extend(_hooks())
    for hook in _registered:
        bpy.utils.register_class(hook)


def unregister() -> None:
    """And no more."""
    delattr(sys.modules[package.NAME], _NAME)
    for hook in _registered:
        bpy.utils.unregister_class(hook)
    _registered.clear()
