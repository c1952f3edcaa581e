#!/usr/bin/env bash
# Blender's exporter of glTF (bpy 4.5.15) takes the image at a Bump's Height for the material's normal map, though the
# Bump has strength 0 and a Normal Map with the normals hangs below it. Seen: normalTexture is height.png.
# Valid input: in renders the tree shows the normal map alone. Needs Python 3.11 and the network. Fails if it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet bpy==4.5.15 numpy==1.26.4
cd "$folder"
cat >run.py <<'PYTHON'
import json
import bpy

bpy.ops.wm.read_homefile(use_factory_startup=True)
tree = bpy.data.materials["Material"].node_tree
principled = tree.nodes["Principled BSDF"]
nodes = {}
for name in ("normal", "height"):
    image = bpy.data.images.new(name, 8, 8, is_data=True)
    image.filepath_raw, image.file_format = f"{name}.png", "PNG"
    image.save()
    nodes[name] = tree.nodes.new("ShaderNodeTexImage")
    nodes[name].image = image
normal_map, bump = tree.nodes.new("ShaderNodeNormalMap"), tree.nodes.new("ShaderNodeBump")
bump.inputs["Strength"].default_value = 0.0
tree.links.new(nodes["normal"].outputs["Color"], normal_map.inputs["Color"])
tree.links.new(normal_map.outputs["Normal"], bump.inputs["Normal"])
tree.links.new(nodes["height"].outputs["Color"], bump.inputs["Height"])
tree.links.new(bump.outputs["Normal"], principled.inputs["Normal"])
bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
bpy.ops.export_scene.gltf(filepath="a.gltf", export_format="GLTF_SEPARATE")
data = json.load(open("a.gltf"))
texture = data["materials"][0]["normalTexture"]["index"]
print("normalTexture:", data["images"][data["textures"][texture]["source"]]["name"])
PYTHON
"$folder/env/bin/python" run.py 2>/dev/null | tee out.txt
grep -qx "normalTexture: height" out.txt
