# SPDX-License-Identifier: GPL-3.0-or-later
"""A static extension repository: a folder that any web server can serve, and Blender installs and updates from.

Standard library only.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from tools import environments, package
from tools.environments import say
from tools.machine import ROOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py repository`."""
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "repository", metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Make the repository, and say how to use it."""
    output = make(arguments.output.expanduser().resolve())
    say(f"{output}: serve it, and add the address of its index.json to Blender (Preferences > Get Extensions >")
    say("Repositories > Add Remote Repository), or drag the link of its index.html into Blender.")
    return 0


def make(output: Path) -> Path:
    """Build the zip into `output`, and list it with Blender's own command. Older zips may stay there, unlisted.

    Raises:
        MachineError: Blender's builder refuses something.
    """
    output.mkdir(parents=True, exist_ok=True)
    publish(package.build(output), package.builder_command(environments.ensure(environments.BLENDER)))
    return output


def publish(zip_file: Path, builder: list[str]) -> None:
    """List the zip, and no other, in the folder where it lies: of several versions Blender would take the first.

    index.json is what Blender reads, index.html a page with a link that can be dragged into it. Each is replaced whole.
    """
    with tempfile.TemporaryDirectory(prefix=".part-", dir=zip_file.parent) as part:
        shutil.copy2(zip_file, part)
        package.run_builder([*builder, "server-generate", "--repo-dir", part, "--html"])
        for name in ("index.json", "index.html"):
            (Path(part) / name).replace(zip_file.parent / name)
