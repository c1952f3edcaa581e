# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving, reopening, linking, and files from somebody else."""

import contextlib
import hashlib
import shutil
from pathlib import Path

import bpy
from common import addon, drive, finish, fresh, generate, made, start, wish
from common import pixels as pixels_of


def make_and_save(file: str) -> dict[str, str]:
    """One texture in a material, two more beside it, one whose material was deleted; then saved for the first time."""
    generate(prompt="assigned", count=3)
    assigned, other = bpy.data.materials["Material"], bpy.data.materials.new("other")
    bpy.data.objects["Cube"].active_material = other
    assigned.use_fake_user = True
    job = start(prompt="not assigned", count=1)
    drive(lambda: job.progress)
    bpy.data.materials.remove(other)
    finish(job)
    assert not bpy.data.filepath
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert len(made()) == 4
    assert all(image.packed_file for image in made())
    return _digests()


def reopen(file: str) -> dict[str, str]:
    bpy.ops.wm.open_mainfile(filepath=file)
    return _digests()


def unpack_all(file: str) -> list[str]:
    """Unpack beside the file, save again, and name what is there."""
    bpy.ops.wm.open_mainfile(filepath=file)
    for image in made():
        image.unpack(method="WRITE_LOCAL")
    bpy.ops.wm.save_mainfile()
    assert not any(image.packed_file for image in made()), "what was unpacked is packed again"
    return [str(path) for path in (Path(file).parent / "textures").iterdir()]


def painted_image_is_saved_as_painted(file: str) -> None:
    image = generate(prompt="painted")
    image.pixels[0:4] = (1.0, 0.0, 1.0, 1.0)
    before = pixels_of(image)
    original = Path(bpy.path.abspath(image.filepath))
    content = original.read_bytes()
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    assert pixels_of(made()[0]) == before
    assert original.read_bytes() == content


def relative_paths_are_packed_too(file: str) -> None:
    """What "Make Paths Relative" does before a .blend is given away."""
    bpy.ops.wm.save_as_mainfile(filepath=file)
    image = generate(prompt="relative")
    bpy.ops.file.make_paths_relative()
    assert image.filepath.startswith("//..")
    bpy.ops.wm.save_mainfile()
    assert image.packed_file


def _digests() -> dict[str, str]:
    return {image.name: hashlib.sha256(pixels_of(image)).hexdigest() for image in made()}


def save_without_the_store(file: str, store: str) -> None:
    """Somebody emptied the store: saving goes on, and the user is told."""
    generate(prompt="lost")
    shutil.rmtree(store)
    assert bpy.ops.wm.save_as_mainfile(filepath=file) == {"FINISHED"}
    assert "Could not be saved into the file" in bpy.context.window_manager.tilewright.error


def delivery_without_one_of_the_results() -> None:
    """Somebody deleted a result while it waited for a render to end."""
    job = start(prompt="lost", count=3, use_random_seed=False, seed=1)
    pump, session = addon("jobs.pump"), addon("common.state").current.session
    session.wait(job, tick=pump.handle)
    shutil.rmtree(job.results[0].folder)
    pump.deliver_waiting()
    assert [(image.name, image.use_fake_user) for image in made()] == [("lost 2", False), ("lost 3", True)]
    assert "In Material, node Image Texture." in bpy.context.window_manager.tilewright.outcome
    assert "Cannot read" in bpy.context.window_manager.tilewright.outcome


def linked_materials_are_refused(library: str) -> None:
    fresh()
    bpy.data.materials["Material"].name = "From Library"
    bpy.data.objects["Cube"].data.name = "LibraryMesh"
    bpy.ops.wm.save_as_mainfile(filepath=library)
    fresh()
    cube = bpy.data.objects["Cube"]
    with bpy.data.libraries.load(library, link=True) as (_source, target):
        target.materials = ["From Library"]
        target.meshes = ["LibraryMesh"]
    material, mesh = target.materials[0], target.meshes[0]
    cube.data.materials[0] = material
    wish(prompt="x")
    problem = addon("settings.properties").target_problem
    message = problem(bpy.context).message  # Generate goes into the history alone then
    assert "The material From Library is linked from" in message, message
    assert Path(library).name in message

    override = material.override_create()
    cube.data.materials[0] = override
    message = problem(bpy.context).message
    assert "library override" in message, message
    assert Path(library).name in message

    cube.data = mesh
    mesh_materials = mesh.materials[:]
    cube.material_slots[0].link = "OBJECT"
    assert cube.active_material is None
    generate(prompt="on the object")  # the slot is the object's own, so a linked mesh is no hindrance
    assert cube.active_material.name == "on the object"
    assert mesh.materials[:] == mesh_materials


def hostile_file_that_wants_a_secret(file: str, secret: str, theirs: str) -> None:
    """Saving must put no file into the .blend but results: the user may send it back."""
    for path in (secret, theirs):
        image = bpy.data.images.load(path)
        image.use_fake_user = True
        image.tilewright.recipe = "{}"
        image.tilewright.result = Path(path).parent.name
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert not any(image.packed_file for image in bpy.data.images)


def children() -> list[str]:
    """Processes that this one has started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread may end while it is looked at
            found += (task / "children").read_text().split()
    return found
