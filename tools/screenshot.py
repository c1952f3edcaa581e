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
from typing import TYPE_CHECKING, Any

from addon.core.prompts import EXAMPLE
from tools import environments, package
from tools.environments import BLENDER, ENGINE, say
from tools.machine import ROOT, MachineError

if TYPE_CHECKING:
    from PIL import Image

SCENE = ROOT / "tools" / "screenshot_scene.py"
PICTURE = ROOT / "tools" / "images" / "panel.webp"
LIGHT = PICTURE.with_name("panel-light.webp")
SEQUENCE = PICTURE.with_name("sequence.webp")
MOMENTS = ("no-engine", "finished")  # what the sequence shows: real ones, of the real engine
MANUAL = ROOT / "tools" / "manual"
MAX_BYTES = 200_000  # of the picture in the repository
TIME_LIMIT_SECONDS = 2400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py screenshot`."""
    parser.add_argument("--prompt", default=EXAMPLE)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "screenshots", metavar="DIR")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--manual", action="store_true", help="the pictures of the manual instead")


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
        settings, profile = Path(folder) / "settings.json", Path(folder) / "profile"
        profile.mkdir()  # where it is not there, Blender takes the user's own
        wanted = {"prompt": arguments.prompt, "seed": arguments.seed, "size": arguments.size, "engine": engine}
        wanted["manual"] = arguments.manual
        places = {"zip": zip_file, "root": str(ROOT), "output": str(output), "folder": folder}
        settings.write_text(json.dumps(wanted | places), encoding="utf-8")
        command = [blender, "--window-geometry", "0", "0", "1600", "1000", "--python", str(SCENE), "--", str(settings)]
        variables = environments.clean_environment() | {"BLENDER_USER_RESOURCES": str(profile)}
        try:
            code = subprocess.run(command, env=variables, timeout=TIME_LIMIT_SECONDS).returncode
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"Blender took no picture within {TIME_LIMIT_SECONDS} s.") from error
    if code != 0:
        raise MachineError(f"Blender ended with {code}: what went wrong stands above.")
    python = environments.ensure(BLENDER) if "PIL" not in sys.modules else Path(sys.executable)
    subprocess.run([python, "-m", "tools.screenshot", str(output)], cwd=ROOT, check=True)
    say(f"{output}; for the README and the manual: {PICTURE.parent}, {MANUAL}")
    return 0


def crop(output: Path) -> None:
    """The README's pictures: nodes, the textured object and the panel; and the panel alone in a light theme."""
    from PIL import Image

    told = [json.loads(line) for line in (output / "places.jsonl").read_text(encoding="ascii").splitlines()]
    places = {entry["name"]: entry for entry in told}
    if "manual-main" in places:
        for name, place in places.items():
            if name.startswith("manual-"):
                _save(_trimmed(output, place), MANUAL / f"{name.removeprefix('manual-')}.webp")
        return
    for name, target, (left, bottom, width, height) in (
        ("readme", PICTURE, places["readme"]["window"]),
        ("light", LIGHT, places["light"]["panels"]["VIEW_3D"]),
    ):
        with Image.open(output / f"{name}.png") as picture:
            top = picture.height - bottom - height
            _save(picture.convert("RGB").crop((left, top, left + width, top + height)), target)

    _save(_sequence(output, [places[name] for name in MOMENTS]), SEQUENCE)


def _sequence(output: Path, moments: list[dict[str, Any]]) -> "Image.Image":
    """The moments side by side: the sidebar and as much of the view beside it, from the top down."""
    from PIL import Image

    cut = []
    for place in moments:
        left, bottom, width, height = place["panels"]["VIEW_3D"]
        with Image.open(output / f"{place['name']}.png") as file:
            top = file.height - bottom - height
            cut.append(file.convert("RGB").crop((left - width, top, left + width, top + 2 * width)))
    whole = Image.new("RGB", (sum(picture.width + 8 for picture in cut) - 8, cut[0].height), "white")
    for number, picture in enumerate(cut):
        whole.paste(picture, (number * (picture.width + 8), 0))
    return whole


def _trimmed(output: Path, place: dict[str, Any]) -> "Image.Image":
    """The sidebar, or the whole editor where it has none, without its tabs and the empty part below the last panel."""
    from PIL import Image, ImageChops

    left, bottom, width, height = place["panels"].get("VIEW_3D") or place["window"]
    with Image.open(output / f"{place['name']}.png") as file:
        picture = file.convert("RGB").crop((left, file.height - bottom - height, left + width, file.height - bottom))
    empty = Image.new("RGB", picture.size, picture.getpixel((6, picture.height - 6)))
    inner = (20, 0, picture.width - 50, picture.height - 10)  # without the lines at its edges
    used = (
        ImageChops.difference(picture, empty).convert("L").point(lambda value: 255 * (value > 8)).crop(inner).getbbox()
    )
    return picture.crop((0, 0, picture.width - 24, min(used[3] + 8, picture.height) if used else picture.height))


def _save(picture: "Image.Image", target: Path) -> None:
    """As good as the size allows. Raises `MachineError` where it does not."""
    for quality in (90, 80, 70, 60):
        picture.save(target, quality=quality, method=6)
        if target.stat().st_size <= MAX_BYTES:
            return
    raise MachineError(f"{target} is too large.")


if __name__ == "__main__":
    crop(Path(sys.argv[1]))
