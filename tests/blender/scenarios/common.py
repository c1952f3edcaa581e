# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios share. Runs inside Blender."""

import json
import math
import struct
import sys
import time
import traceback
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bpy

PACKAGE = "bl_ext.user_default.tilewright"


def run_rules(scenarios: Mapping[str, Any]) -> dict[str, str]:
    """Each rule's name and what went wrong with it, "" if nothing; each from a new file. scenarios: their globals."""
    told = {}
    for name, rule in [(name, rule) for name, rule in scenarios.items() if name.startswith("rule_")]:
        fresh()
        try:
            rule()
            told[name.removeprefix("rule_")] = ""
        except Exception:  # noqa: BLE001 - it is passed on, in what is told
            told[name.removeprefix("rule_")] = traceback.format_exc()
    return told


def addon(name: str) -> Any:
    """A module of the extension's Blender room, for what has no public way, such as ticks: here there are no timers."""
    return sys.modules[f"{PACKAGE}.blender.{name}"]


def fresh() -> None:
    """A new file with Blender's own cube, camera and light; the cube is active. Generate makes the color alone."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    if settings := getattr(bpy.context.scene, "tilewright", None):
        settings.maps = False  # in a window the default is a whole material, see `as_a_beginner_has_it`


def as_a_beginner_has_it() -> None:
    """After `fresh`: what Generate makes is what it makes in a new file."""
    bpy.context.scene.tilewright.property_unset("maps")
    addon("settings.properties")._on_load()  # only in a window it is a handler


def wish(**values: Any) -> Any:
    settings = bpy.context.scene.tilewright
    settings.width = settings.height = 64
    settings.steps = 3
    for name, value in values.items():
        setattr(settings, name, value)
    return settings


def generate(**values: Any) -> Any:
    """Press Generate, in background mode to the end; the image that it made."""
    before = {image.session_uid for image in bpy.data.images}
    wish(**({"prompt": "red brick"} | values))
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    return next(image for image in bpy.data.images if image.session_uid not in before)


def start(**values: Any) -> Any:
    """Press Generate as in a window: the job goes on behind our back, and `drive` is the timer."""
    wish(**({"prompt": "red brick"} | values))
    return addon("jobs.generation").start(bpy.context)


def drive(until: Callable[[], object], seconds: float = 30.0) -> None:
    """Let the timer tick until something is true."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"not within {seconds} s; error: {addon('common.state').current.error}"
        addon("jobs.pump").tick()
        time.sleep(0.005)


def finish(job: Any) -> None:
    """Let the timer tick until the job has ended and was delivered."""
    drive(lambda: job.ended and not addon("common.state").current.waiting)


def made() -> list[Any]:
    """The images of ours."""
    return [image for image in bpy.data.images if image.tilewright.recipe]


def pixels(image: Any) -> bytes:
    values = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(values)
    assert len(values) > 0
    return values.tobytes()


def write_tensors(path: Path, shapes: Mapping[str, list[int]], metadata: Mapping[str, str] | None = None) -> Path:
    """A .safetensors file of zeros, in half precision; Blender's Python has no library for it."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def links(tree: Any) -> set[tuple[str, str, str, str]]:
    """A node tree's links, by names."""
    return {
        (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier)
        for link in tree.links
    }


def message_of(function: Callable[..., object], *arguments: Any) -> str:
    """What an operator complains about."""
    try:
        function(*arguments)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it did not complain")


def push_undo(message: str = "before") -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.ed.undo_push(message=message) == {"FINISHED"}


def undo() -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.ed.undo() == {"FINISHED"}


def redo() -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.ed.redo() == {"FINISHED"}


def lay_field(material: Any, rendered: int) -> None:
    """A plane with the material alone that fills a picture of so many pixels, by Cycles, as linear floats."""
    scene = bpy.context.scene
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.ops.mesh.primitive_plane_add(size=2)
    bpy.context.object.data.materials.append(material)
    camera = bpy.data.objects.new("Field", bpy.data.cameras.new("Field"))
    camera.data.type, camera.data.ortho_scale, camera.location = "ORTHO", 2.0, (0, 0, 3)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.resolution_x = scene.render.resolution_y = rendered
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
