# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials blended by a mask: the manual's picture. What that costs, `tools/shader_cost.py` says. No bpy here.

Three pairs of materials of the starter, seed 0, as in `tools/field.py`. In $BLENDER if that is set, with EEVEE then;
else in the module, which has no EEVEE without a screen.
"""

import argparse
from pathlib import Path

from tools import field
from tools.machine import ROOT

SCENE = ROOT / "tools" / "blend_scene.py"
PICTURE = ROOT / "tools" / "manual" / "blend.webp"
PAIRS = (("grey cobblestone", "green grass"), ("large red bricks", "sand dunes"), ("rusty metal", "grey cobblestone"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py blend`."""
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE", help="a .webp, default: %(default)s")
    parser.add_argument("--samples", type=int, default=16, help="of Cycles and EEVEE, default: %(default)s")
    parser.add_argument("--size", type=int, default=320, help="pixels of one rendered field, default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Make the picture. 0 only if it was made. Raises `MachineError`."""
    wanted = {"pairs": PAIRS, "samples": arguments.samples, "size": arguments.size}
    with field.rendered(SCENE, wanted, arguments.output):
        return 0
