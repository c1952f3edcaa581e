# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's first picture: six whole materials on six objects, rendered headless. Standard library only.

The rule for what is shown: six prompts of six kinds of material from those that the starter's card lists under "Good",
seed 0, 512 pixels, all maps, default settings. No seed is picked: what looks poor here leaves the card's list.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import environments, package
from tools.demo import run_in_blender
from tools.environments import BLENDER, ENGINE, say
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "showcase_scene.py"
PICTURE = ROOT / "tools" / "images" / "showcase.webp"
PROMPTS = (
    "large red bricks",
    "roof tiles",
    "grey cobblestone",
    "rusty metal",
    "knit",
    "sand",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py showcase`."""
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE", help="a .webp, default: %(default)s")
    parser.add_argument("--samples", type=int, default=96, help="of Cycles, default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Make the picture. 0 only if it was made. Raises `MachineError`."""
    module = environments.ensure(BLENDER)
    worker = environments.ensure(ENGINE)
    zip_file = package.build()
    with tempfile.TemporaryDirectory(prefix="tilewright-showcase-") as folder:
        rendered, settings = Path(folder) / "showcase.png", Path(folder) / "settings.json"
        wanted = {"zip": str(zip_file), "render": str(rendered), "prompts": PROMPTS, "samples": arguments.samples}
        settings.write_text(json.dumps(wanted), encoding="utf-8")
        profile = Path(folder) / "profile"
        profile.mkdir()
        variables = environments.clean_environment() | {
            "BLENDER_USER_RESOURCES": str(profile),
            "TILEWRIGHT_PYTHON": str(worker),
        }
        log = Path(folder) / "blender.log"
        run_in_blender(module, settings, variables, log, SCENE)
        if not rendered.is_file():
            raise MachineError(f"Blender made no picture:\n{log.read_text(encoding='utf-8')[-2000:]}")
        output = arguments.output.expanduser().resolve()
        subprocess.run([module, "-m", "tools.showcase", str(rendered), str(output)], cwd=ROOT, check=True)
    say(str(output))
    return 0


def _convert(rendered: Path, output: Path) -> None:
    """PNG to WebP. In an environment that has Pillow."""
    from PIL import Image

    with Image.open(rendered) as picture:
        picture.convert("RGB").save(output, quality=86, method=6)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
