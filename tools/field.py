# SPDX-License-Identifier: GPL-3.0-or-later
"""A field of 8x8 tiles, plain and laid without repeat: figures, and the manual's picture. Standard library only.

Three materials of the starter, seed 0, default settings, as in the showcase. In $BLENDER if that is set, with EEVEE
then; else in the module, which has no EEVEE without a screen.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools import environments, package
from tools.demo import run_in_blender
from tools.environments import BLENDER, ENGINE, say
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "field_scene.py"
PICTURE = ROOT / "tools" / "manual" / "without-repeat.webp"
PROMPTS = ("large red bricks", "grey cobblestone", "rusty metal")
COLUMNS = (
    "Name",
    "mean",
    "contrast",
    "peak, plain",
    "peak, laid",
    "ratio",
    "Cycles, plain",
    "Cycles, laid",
    "EEVEE, plain",
    "EEVEE, laid",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py field`."""
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE", help="a .webp, default: %(default)s")
    parser.add_argument("--variants", type=int, default=1, help="lay a set of so many tiles, default: blend one tile")
    parser.add_argument("--samples", type=int, default=16, help="of Cycles and EEVEE, default: %(default)s")
    parser.add_argument("--size", type=int, default=320, help="pixels of one rendered field, default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Print the figures and make the picture. 0 only if it was made. Raises `MachineError`."""
    wanted = {"prompts": PROMPTS, "samples": arguments.samples, "size": arguments.size, "variants": arguments.variants}
    with rendered(SCENE, wanted, arguments.output) as rows:
        say("| " + " | ".join(COLUMNS) + " |")
        say("|---" * len(COLUMNS) + "|")
        for row in rows:
            say("| " + " | ".join(row) + " |")
    return 0


@contextmanager
def rendered(scene: Path, wanted: Mapping[str, Any], output: Path) -> Iterator[list[Any]]:
    """Run a scene in a Blender with the extension and the engine: what it reports. Afterwards the picture is made.

    scene: a script, which is given `wanted`, the zip and a folder for `report.json` and its pictures, named row-column.
    Raises `MachineError`.
    """
    module = environments.ensure(BLENDER)
    worker = environments.ensure(ENGINE)
    zip_file = package.build()
    with tempfile.TemporaryDirectory(prefix="tilewright-field-") as name:
        folder = Path(name)
        settings = folder / "settings.json"
        settings.write_text(json.dumps({**wanted, "zip": str(zip_file), "folder": name}), encoding="utf-8")
        profile = folder / "profile"
        profile.mkdir()
        variables = environments.clean_environment() | {
            "BLENDER_USER_RESOURCES": str(profile),
            "TILEWRIGHT_PYTHON": str(worker),
        }
        log = folder / "blender.log"
        run_in_blender(module, settings, variables, log, scene)
        report = folder / "report.json"
        if not report.is_file():
            raise MachineError(f"Blender made no picture:\n{log.read_text(encoding='utf-8')[-2000:]}")
        yield json.loads(report.read_text(encoding="utf-8"))
        target = output.expanduser().resolve()
        subprocess.run([module, "-m", "tools.field", name, str(target)], cwd=ROOT, check=True)
    say(str(target))


def _convert(folder: Path, output: Path) -> None:
    """One row a material: plain, laid, from near and far. In an environment that has Pillow."""
    from PIL import Image

    rows = [sorted(folder.glob(f"{number}-*.png")) for number in range(len(PROMPTS))]
    with Image.open(rows[0][0]) as first:
        width, height = first.size
    sheet = Image.new("RGB", (width * len(rows[0]), height * len(rows)))
    for y, row in enumerate(rows):
        for x, file in enumerate(row):
            with Image.open(file) as picture:
                sheet.paste(picture.convert("RGB"), (x * width, y * height))
    sheet.save(output, quality=72, method=6)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
