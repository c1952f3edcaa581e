# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender does with `--command tilewright ...`, for bpy as a module, which has no command line."""

import contextlib
import io
import shutil
import sys
from pathlib import Path

import bpy
from common import addon, fresh


def run(arguments: list[str]) -> None:
    sys.exit(addon("shell.commands").main(list(arguments)))


def told(arguments: list[str]) -> tuple[int, str, str]:
    """The command's exit code, and what it printed on stdout and stderr."""
    out, words = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(words):
        code = addon("shell.commands").main(list(arguments))
    return code, out.getvalue(), words.getvalue()


def verdicts(lines: list[list[str]]) -> list[tuple[int, str]]:
    """The command's exit code and what it complains about, for each line of arguments."""
    told = []
    for line in lines:
        words = io.StringIO()
        with contextlib.redirect_stderr(words):
            code = addon("shell.commands").main(line)
        told.append((code, words.getvalue()))
    return told


def readable(lines: list[list[str]], folder: str) -> list[list[dict]]:
    """By line: what each picture becomes for the worker. What Blender has written for it is copied into the folder."""
    shell, told = addon("shell.commands"), []
    for number, line in enumerate(lines):
        options = shell._parser().parse_args(line)
        entries = []
        for wanted in addon("shell.picture_commands").requests(options, shell._path):
            source = Path(wanted.request.source)
            kept = source
            if str(source).startswith(bpy.app.tempdir):
                kept = Path(folder) / f"{number}-{source.name}"
                shutil.copyfile(source, kept)
            entries.append(
                {
                    "source": str(kept),
                    "content": wanted.request.content.value,
                    "axes": wanted.request.axes.value,
                    "prompt": wanted.request.prompt,
                    "profile": len(wanted.profile),
                }
            )
        told.append(entries)
    return told


def make_exr(file: str, codec: str = "ZIP", bits: str = "32", layers: bool = False) -> None:
    """As Blender renders it, of (0.25, 0.5, 2) everywhere; with layers it has a Combined among other passes."""
    fresh()
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 8, 4
    world = bpy.data.worlds.new("")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.25, 0.5, 2.0, 1.0)
    scene.world, scene.camera = world, bpy.data.objects.new("", bpy.data.cameras.new(""))
    scene.collection.objects.link(scene.camera)
    scene.camera.location.z = -50.0  # it looks down, away from what there is
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # from 5.0 on
        settings.media_type = "MULTI_LAYER_IMAGE" if layers else "IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER" if layers else "OPEN_EXR"
    settings.exr_codec, settings.color_depth = codec, bits
    shown = scene.view_layers[0]
    shown.use_pass_z, shown.use_pass_ambient_occlusion, shown.use_pass_diffuse_color = layers, layers, layers
    if layers:
        shown.aovs.add().name = "AAA"
    scene.render.filepath = file
    bpy.ops.render.render(write_still=True)


def combined_of(file: str, folder: str) -> list[list]:
    """What an image of several layers becomes, from its file and packed. Nothing of the making is left in Blender."""
    sources, told = addon("pictures.sources"), []
    fresh()
    before = (len(bpy.data.images), len(bpy.data.scenes))
    for packed in (False, True):
        image = bpy.data.images.load(file)
        if packed:
            image.pack()
            image.filepath_raw = "//gone.exr"
        path, content = sources.prepare(image, Path(folder) / str(packed))
        told.append([str(path), content.value, sources.has_layers(image)])
        bpy.data.images.remove(image)
        assert (len(bpy.data.images), len(bpy.data.scenes)) == before
    return told


def version() -> str:
    return bpy.app.version_string


def allow_online() -> None:
    """For this Blender's later runs too."""
    bpy.context.preferences.system.use_online_access = True
    bpy.ops.wm.save_userpref()
