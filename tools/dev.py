# SPDX-License-Identifier: GPL-3.0-or-later
"""What a contributor runs: demo, test, lint, build, bench, screenshot ... Imports only the standard library."""

import argparse
import subprocess
import sys
from pathlib import Path

# Everything above and in this file is written so that an older Python gets as far as this sentence.
if sys.version_info < (3, 11):
    sys.exit("Tilewright's tools need Python 3.11 or 3.13: start tools/dev.py with one of them.")

# Started as a script, Python looks for modules beside it; they are imported as a package, as the tests do.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tools import (
    blend,
    demo,
    environments,
    field,
    linting,
    package,
    repository,
    screenshot,
    shader_cost,
    showcase,
    testing,
)
from tools.bench import command as bench
from tools.machine import ROOT, MachineError

# What runs in the engine's environment, with options of its own.
_MODULES = {
    "sets": "tools.sets",
    "tilings": "tools.tilings",
    "train-image-networks": "tools.image_networks.train",
    "train-starter": "tools.starter.train",
}


def main() -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="tools/dev.py", description="Each command makes what it needs first.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo.add_arguments(commands.add_parser("demo", help="make a texture in Blender, headless, and render it"))
    test = commands.add_parser("test", help="run the tests; other options are passed on to pytest")
    test.add_argument("pattern", nargs="?", help="a path, a part of test files' names, or words for pytest's -k")
    test.add_argument("-k", metavar="WORDS", dest="words", help="only tests whose names match, as with pytest")
    test.add_argument(
        "--bpy",
        default="",
        choices=environments.OTHER_BLENDERS,
        help="only those of Blender's room, in this one",
    )
    commands.add_parser("lint", help="ruff and mypy")
    commands.add_parser("build", help="the extension's zip, in dist/")
    repository.add_arguments(commands.add_parser("repository", help="a folder to install and update from"))
    commands.add_parser("lock", help="the lists of packages that the extension installs; options as tools.locking's")
    commands.add_parser("engine", help="make the worker's environment and print its Python, for TILEWRIGHT_PYTHON")
    bench.add_arguments(commands.add_parser("bench", help="measure what the extension costs"))
    screenshot.add_arguments(commands.add_parser("screenshot", help="pictures of the panel, where there is a screen"))
    showcase.add_arguments(commands.add_parser("showcase", help="the README's picture: six materials on six objects"))
    field.add_arguments(commands.add_parser("field", help="a field of tiles, laid without repeat: figures and picture"))
    blend.add_arguments(commands.add_parser("blend", help="materials blended by a mask: the picture"))
    shader_cost.add_arguments(commands.add_parser("shader-cost", help="what laying and blending cost in renders"))
    commands.add_parser("sets", help="sets of tiles that fit: seams, repeat, time; options as tools.sets'")
    commands.add_parser("train-starter", help="train the starter model; options are passed on to tools.starter.train")
    commands.add_parser(
        "train-image-networks", help="train upscaler and map networks; options: tools.image_networks.train"
    )
    commands.add_parser("tilings", help="ways to make a transformer repeat, side by side; options: tools.tilings")
    arguments, others = parser.parse_known_args()
    if others and arguments.command not in ("test", "lock", "sets", "train-starter", "train-image-networks", "tilings"):
        parser.error(f"{arguments.command} does not know {' '.join(others)}")
    try:
        if arguments.command == "demo":
            return demo.run(arguments)
        if arguments.command == "test":
            return testing.run(
                arguments.pattern, ["-k", arguments.words, *others] if arguments.words else others, arguments.bpy
            )
        if arguments.command == "lint":
            return linting.run()
        if arguments.command == "build":
            environments.say(str(package.build()))
            return 0
        if arguments.command == "repository":
            return repository.run(arguments)
        if arguments.command == "lock":
            python = environments.ensure(environments.BLENDER)
            return subprocess.run([python, "-m", "tools.locking", *others], cwd=ROOT).returncode
        if arguments.command == "engine":
            environments.say(str(environments.ensure(environments.ENGINE)))
            return 0
        if arguments.command == "bench":
            return bench.run(arguments)
        if arguments.command == "screenshot":
            return screenshot.run(arguments)
        if arguments.command == "showcase":
            return showcase.run(arguments)
        if arguments.command == "field":
            return field.run(arguments)
        if arguments.command == "shader-cost":
            return shader_cost.run(arguments)
        if arguments.command == "blend":
            return blend.run(arguments)
        python = environments.ensure(environments.ENGINE)
        module = _MODULES[arguments.command]
        return subprocess.run([python, "-m", module, *others], cwd=ROOT).returncode
    except MachineError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
