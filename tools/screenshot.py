# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the panel in a Blender with a window, for looking at it and for the README. Pillow where it crops.

$BLENDER names the Blender. On a machine without a screen let it name a script that starts one on a virtual screen.
ImageMagick's `import` takes the pictures.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import environments, package
from tools.environments import BLENDER, ENGINE, say
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "screenshot_scene.py"
PICTURE = ROOT / "tools" / "images" / "panel.webp"
MAX_BYTES = 200_000  # of the picture in the repository
TIME_LIMIT_SECONDS = 1200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py screenshot`."""
    parser.add_argument("--prompt", default="mossy red brick wall")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "screenshots", metavar="DIR")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> int:
    """Take all pictures into the output folder, and put the README's into its place."""
    blender = shutil.which(os.environ.get("BLENDER", "blender"))
    if blender is None:
        raise MachineError("Pictures of the panel need a Blender with a window: name it in BLENDER.")
    engine = os.environ.get("TILEWRIGHT_PYTHON") or str(environments.ensure(ENGINE))
    zip_file = os.environ.get("TILEWRIGHT_ZIP") or str(package.build())
    output = arguments.output.expanduser().resolve()
    output.mkdir(parents=True, exist_ok=True)
    (output / "places.jsonl").unlink(missing_ok=True)  # the last run's; the folder may hold more than ours
    with tempfile.TemporaryDirectory(prefix="tilewright-screenshot-") as folder:
        settings = Path(folder) / "settings.json"
        wanted = {"prompt": arguments.prompt, "seed": arguments.seed, "size": arguments.size, "engine": engine}
        places = {"zip": zip_file, "root": str(ROOT), "output": str(output), "folder": folder}
        settings.write_text(json.dumps(wanted | places), encoding="utf-8")
        command = [blender, "--window-geometry", "0", "0", "1600", "1000", "--python", str(SCENE), "--", str(settings)]
        profile = Path(folder) / "profile"
        profile.mkdir()  # where it is missing, Blender takes the user's own
        variables = environments.clean_environment() | {"BLENDER_USER_RESOURCES": str(profile)}
        try:
            code = subprocess.run(command, env=variables, timeout=TIME_LIMIT_SECONDS).returncode
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"Blender took no picture within {TIME_LIMIT_SECONDS} s.") from error
    if code != 0:
        raise MachineError(f"Blender ended with {code}: what went wrong stands above.")
    python = environments.ensure(BLENDER) if "PIL" not in sys.modules else Path(sys.executable)
    subprocess.run([python, "-m", "tools.screenshot", str(output)], cwd=ROOT, check=True)
    say(f"{output}; for the README: {PICTURE}")
    return 0


def crop(output: Path) -> None:
    """The README's picture: nodes on the left, the textured object and the panel on the right."""
    from PIL import Image

    told = [json.loads(line) for line in (output / "places.jsonl").read_text(encoding="ascii").splitlines()]
    readme = next(entry for entry in told if entry["name"] == "readme")
    with Image.open(output / "readme.png") as picture:
        left, bottom, width, height = readme["window"]
        top = picture.height - bottom - height
        part = picture.convert("RGB").crop((left, top, left + width, top + min(height, 700)))
    PICTURE.parent.mkdir(exist_ok=True)
    for quality in (90, 80, 70, 60):
        part.save(PICTURE, quality=quality, method=6)
        if PICTURE.stat().st_size <= MAX_BYTES:
            return
    raise MachineError(f"{PICTURE} is too large.")


if __name__ == "__main__":
    crop(Path(sys.argv[1]))
