# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials blended by a mask: the manual's picture, and what laying and blending cost in Cycles. No bpy here.

Three pairs of materials of the starter, seed 0, as in `tools/field.py`. In $BLENDER if that is set, with EEVEE then;
else in the module, which has no EEVEE without a screen.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from tools import environments, package
from tools.demo import run_in_blender
from tools.environments import BLENDER, ENGINE, say
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "blend_scene.py"
PICTURE = ROOT / "tools" / "manual" / "blend.webp"
PAIRS = (("grey cobblestone", "green grass"), ("large red bricks", "sand dunes"), ("rusty metal", "grey cobblestone"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py blend`."""
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE", help="a .webp, default: %(default)s")
    parser.add_argument("--samples", type=int, default=16, help="of Cycles and EEVEE, default: %(default)s")
    parser.add_argument("--size", type=int, default=320, help="pixels of one rendered field, default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Print the costs and make the picture. 0 only if it was made. Raises `MachineError`."""
    module = environments.ensure(BLENDER)
    worker = environments.ensure(ENGINE)
    zip_file = package.build()
    with tempfile.TemporaryDirectory(prefix="tilewright-blend-") as name:
        folder = Path(name)
        wanted = {"zip": str(zip_file), "folder": name, "pairs": PAIRS}
        wanted |= {"samples": arguments.samples, "size": arguments.size}
        settings = folder / "settings.json"
        settings.write_text(json.dumps(wanted), encoding="utf-8")
        profile = folder / "profile"
        profile.mkdir()
        variables = environments.clean_environment() | {
            "BLENDER_USER_RESOURCES": str(profile),
            "TILEWRIGHT_PYTHON": str(worker),
        }
        log = folder / "blender.log"
        run_in_blender(module, settings, variables, log, SCENE)
        report = folder / "report.json"
        if not report.is_file():
            raise MachineError(f"Blender made no picture:\n{log.read_text(encoding='utf-8')[-2000:]}")
        say("| Surface color in Cycles | against one image node |")
        say("|---|---|")
        for name_, ratio in json.loads(report.read_text(encoding="utf-8")):
            say(f"| {name_} | {ratio:.2f} |")
        output = arguments.output.expanduser().resolve()
        subprocess.run([module, "-m", "tools.field", name, str(output)], cwd=ROOT, check=True)
    say(str(output))
    return 0
