# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's first command, run as a user runs it: from a sentence to a texture in a material, and a render of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools import environments
from tools.machine import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SIZE = 256
# Reads the saved file in a new process, where nothing but the file is left of the run that made it.
LOOK_INTO_FILE = """
import json, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[-1])
material = bpy.data.materials["Demo"]
link = material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].links[0]
image = link.from_node.image
print("found: " + json.dumps({
    "users": sorted(item.name for item in bpy.data.objects if item.type == "MESH" and item.active_material == material),
    "packed": image.packed_file is not None,
    "size": list(image.size),
    "color_space": image.colorspace_settings.name,
    "extension": link.from_node.extension,
    "pixels": [round(255 * value) for value in image.pixels],
}))
"""


def run_demo(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "tools" / "dev.py", "demo", *map(str, arguments)]
    # In the module, which reads the file afterwards: an older Blender may not read what a newer one saved.
    variables = {name: value for name, value in os.environ.items() if name != "BLENDER"}
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=variables)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that one run filled, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "with spaces"
    done = run_demo("--prompt", "red brick wall", "--size", SIZE, "--seed", 3, "--output", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_exactly_the_promised_files_are_left(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    assert sorted(os.listdir(folder)) == ["base_color.png", "demo.blend", "render.png", "tiled.png"]


def test_the_tiled_picture_is_the_texture_three_times_three(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    texture = picture(folder / "base_color.png")
    assert texture.shape == (SIZE, SIZE, 3)
    assert texture.std() > 5  # a picture of something
    assert np.array_equal(picture(folder / "tiled.png"), np.tile(texture, (3, 3, 1)))


def test_the_saved_file_carries_the_texture_in_its_material(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    module = environments.ensure(environments.BLENDER)
    command = [module, "-c", LOOK_INTO_FILE, folder / "demo.blend"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    found = json.loads(next(line for line in lines if line.startswith("found: ")).removeprefix("found: "))
    pixels = np.array(found.pop("pixels")).reshape(SIZE, SIZE, 4)[::-1, :, :3]  # Blender's rows go up
    assert found == {
        "users": ["Plane", "Plane.001", "Sphere"],
        "packed": True,
        "size": [SIZE, SIZE],
        "color_space": "sRGB",
        "extension": "REPEAT",
    }
    assert np.array_equal(pixels, picture(folder / "base_color.png"))


def test_the_render_shows_the_texture(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    render = picture(folder / "render.png")
    assert render.shape == (300, 480, 3)
    assert render.std() > 5


def test_seam_score_seed_and_times_are_printed(demo: tuple[Path, str]) -> None:
    _, printed = demo
    assert re.search(r"^seam score +\d+\.\d{3}", printed, re.MULTILINE)
    assert re.search(r"^seed +3$", printed, re.MULTILINE)
    times = r"^seconds +environment [\d.]+, start [\d.]+, generation [\d.]+ \(worker [\d.]+\), render [\d.]+$"
    assert re.search(times, printed, re.MULTILINE)


def test_a_refused_size_ends_in_one_sentence(tmp_path: Path) -> None:
    done = run_demo("--size", 100, "--output", tmp_path)
    assert done.returncode == 1
    assert "100" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
