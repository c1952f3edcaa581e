#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: a mesh made from an evaluated object with preserve_all_data_layers=True has the object's faces, and its UV maps.
# Seen:  without the depsgraph as an argument, too, it has no vertices and no faces, and nothing is said; with the
#        depsgraph, or without preserve_all_data_layers, it is whole.
# Versions: bpy==4.5.15, Python 3.11 (Blender 5.2.2 does the same). Installs into a temporary folder; ends with an error if
# this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==4.5.15
venv/bin/python - <<'PYTHON'
import bpy

print("bpy", bpy.app.version_string)
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.mesh.primitive_cube_add()
graph = bpy.context.evaluated_depsgraph_get()
cube = bpy.context.object.evaluated_get(graph)
faces = {}
for name, options in {
    "plain": {},
    "with layers": {"preserve_all_data_layers": True},
    "with layers and depsgraph": {"preserve_all_data_layers": True, "depsgraph": graph},
}.items():
    mesh = bpy.data.meshes.new_from_object(cube, **options)
    faces[name] = len(mesh.polygons)
    print(f"{name}: {len(mesh.vertices)} vertices, {len(mesh.polygons)} faces, {len(mesh.uv_layers)} UV maps")
assert faces == {"plain": 6, "with layers": 0, "with layers and depsgraph": 6}, faces
PYTHON
