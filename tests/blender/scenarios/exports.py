# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole material leaves Blender in each format, and is read back. The fake engine makes every map.

Each answers "" where this Blender lacks the exporter: Debian's has no numpy, which those of glTF and FBX import, and no USD.
"""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import bpy
from common import fresh, generate


def _material() -> Any:
    fresh()
    generate(prompt="brick", use_random_seed=False, seed=7)
    return bpy.data.materials["Material"]


def _files(material: Any) -> dict[str, str]:
    """By kind, the stems of the image files."""
    nodes = [node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"]
    return {node.image.tilewright.kind: Path(node.image.filepath).stem for node in nodes}


def gltf(folder: str) -> str:
    if not importlib.util.find_spec("numpy"):
        return ""
    material = _material()
    files = _files(material)
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    path = Path(folder) / "a.gltf"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLTF_SEPARATE")
    data = json.loads(path.read_text(encoding="utf-8"))
    (told,) = data["materials"]

    def name(texture: dict[str, Any]) -> str:
        entry = data["textures"][texture["index"]]
        sampler = data["samplers"][entry["sampler"]]
        assert {sampler.get("wrapS", 10497), sampler.get("wrapT", 10497)} == {10497}, "REPEAT"
        image = data["images"][entry["source"]]
        assert (path.parent / unquote(image["uri"])).is_file(), image
        return image["name"]

    surface = told["pbrMetallicRoughness"]
    assert name(surface["baseColorTexture"]) == files["base_color"]
    assert name(told["normalTexture"]) == files["normal"]
    assert told["normalTexture"].get("scale", 1) == 1
    # one picture: occlusion in red, roughness in green, metallic in blue
    packed = name(surface["metallicRoughnessTexture"])
    assert name(told["occlusionTexture"]) == packed
    assert all(files[kind] in packed for kind in ("occlusion", "roughness", "metallic")), packed
    assert files["height"] not in json.dumps(data["images"])
    return "read"


def usd(folder: str) -> str:
    if "usd_export" not in dir(bpy.ops.wm):
        return ""
    files = _files(_material())
    path = Path(folder) / "a.usda"
    bpy.ops.wm.usd_export(filepath=str(path))
    text = path.read_text(encoding="utf-8")
    text = text[text.index('def Material "Material"') :]
    shaders = {
        name: body
        for name, body in re.findall(r'def Shader "(\w+)"\s*\{(.*?)\n            \}', text, re.DOTALL)
    }

    def texture(input_: str) -> str:
        source = re.search(rf"inputs:{input_}\.connect = <[^>]*/(\w+)\.outputs", text)
        assert source, input_
        body = shaders[source[1]]
        assert 'wrapS = "repeat"' in body
        assert 'wrapT = "repeat"' in body
        return body

    assert files["normal"] in texture("normal")
    assert files["base_color"] in texture("diffuseColor")
    assert 'sourceColorSpace = "sRGB"' in texture("diffuseColor")
    for input_ in ("normal", "roughness", "metallic"):
        assert 'sourceColorSpace = "raw"' in texture(input_)
        assert files[input_] in texture(input_)
    return "read"


def obj(folder: str) -> str:
    files = _files(_material())
    path = Path(folder) / "a.obj"
    bpy.ops.wm.obj_export(filepath=str(path), export_pbr_extensions=True)
    lines = dict(line.split(" ", 1) for line in path.with_suffix(".mtl").read_text().splitlines() if " " in line)
    for key, kind in (
        ("map_Kd", "base_color"),
        ("map_Bump", "normal"),
        ("map_Pr", "roughness"),
        ("map_Pm", "metallic"),
    ):
        assert files[kind] in lines[key], (key, lines)
    return "read"


def fbx(folder: str) -> str:
    if not importlib.util.find_spec("numpy"):
        return ""
    files = _files(_material())
    bpy.ops.preferences.addon_enable(module="io_scene_fbx")
    path = Path(folder) / "a.fbx"
    bpy.ops.export_scene.fbx(filepath=str(path))
    before = set(bpy.data.materials)
    bpy.ops.import_scene.fbx(filepath=str(path))
    (back,) = set(bpy.data.materials) - before
    principled = next(node for node in back.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    normal_map = principled.inputs["Normal"].links[0].from_node
    assert normal_map.bl_idname == "ShaderNodeNormalMap"
    assert files["normal"] in normal_map.inputs["Color"].links[0].from_node.image.filepath
    for input_, kind in (("Base Color", "base_color"), ("Roughness", "roughness"), ("Metallic", "metallic")):
        assert files[kind] in principled.inputs[input_].links[0].from_node.image.filepath, input_
    return "read"
