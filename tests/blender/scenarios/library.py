# SPDX-License-Identifier: GPL-3.0-or-later
"""What an asset library holds that was made of a batch."""

from pathlib import Path

import bpy
from common import addon


def seen(file: str) -> dict[str, dict]:
    """By material: its catalog's id, tags, kinds of its pictures, and whether their files are found relatively."""
    bpy.ops.wm.open_mainfile(filepath=file)
    told = {}
    for material in bpy.data.materials:
        pictures = addon("material.map_nodes").pictures(material)
        node = addon("material.color_node").image_node(material)
        images = [node.image, *pictures.values()]
        told[material.name] = {
            "catalog": material.asset_data.catalog_id,
            "tags": sorted(tag.name for tag in material.asset_data.tags),
            "files": sorted({Path(bpy.path.abspath(image.filepath)).name for image in images}),
            "folders": sorted({Path(bpy.path.abspath(image.filepath)).parent.parent.name for image in images}),
            "relative": all(image.filepath.startswith("//") for image in images),
            "preview": list(material.preview.image_size),
        }
    return told
