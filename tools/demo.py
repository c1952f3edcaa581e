# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: a sentence becomes a seamless texture in a headless Blender. Standard library only."""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from addon.core.prompts import EXAMPLE
from tools import environments, package
from tools.environments import BLENDER, ENGINE, say
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "demo_scene.py"
# Lines of the script inside Blender that are meant for the reader; all else on its output is Blender's.
MARK = "demo: "
TIME_LIMIT_SECONDS = 1800


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py demo`."""
    parser.add_argument("--prompt", default=EXAMPLE)
    parser.add_argument("--output", type=Path, default=ROOT / "demo", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--size", type=int, default=512, help="width and height in pixels, default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> int:
    """Make the demonstration and print its figures. 0 only if every file was made."""
    begin = time.monotonic()
    module = environments.ensure(BLENDER)
    worker = environments.ensure(ENGINE)
    zip_file = package.build()
    environment_seconds = time.monotonic() - begin
    output = arguments.output.expanduser().resolve()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{output} cannot be made ({error.strerror}): name another folder.") from error
    with tempfile.TemporaryDirectory(prefix="tilewright-demo-") as folder:
        report = Path(folder) / "report.json"
        settings = Path(folder) / "settings.json"
        settings.write_text(
            json.dumps(
                {
                    "zip": str(zip_file),
                    "output": str(output),
                    "report": str(report),
                    "prompt": arguments.prompt,
                    "size": arguments.size,
                    "seed": arguments.seed,
                    "started": time.time(),
                }
            ),
            encoding="utf-8",
        )
        profile = Path(folder) / "profile"
        profile.mkdir()  # where it is missing, Blender takes the user's own
        variables = environments.clean_environment() | {
            "BLENDER_USER_RESOURCES": str(profile),
            "TILEWRIGHT_PYTHON": str(worker),
        }
        log = output / "demo.log"
        run_in_blender(module, settings, variables, log)
        if not report.is_file():
            raise MachineError(f"Blender ended before the demonstration did: see {log}")
        figures = json.loads(report.read_text(encoding="utf-8"))
    if "error" in figures:
        raise MachineError(figures["error"])
    log.unlink()
    say(f"\n{output}: {', '.join(figures['files'])}")
    say(f"seam score   {figures['seam_score']:.3f} (a seam shows above 1.1)")
    say(f"seed         {figures['seed']}")
    say(
        f"seconds      environment {environment_seconds:.1f}, start {figures['start']:.1f}, "
        f"generation {figures['generation']:.1f} (worker {figures['worker']:.1f}), render {figures['render']:.1f}"
    )
    return 0


def run_in_blender(module: Path, settings: Path, variables: dict[str, str], log: Path, scene: Path = SCENE) -> None:
    """Run a scene's script in $BLENDER, or in the module; Blender's own words go to the log."""
    if blender := os.environ.get("BLENDER"):
        command = [blender, "--background", "--offline-mode", "--python", str(scene), "--", str(settings)]
    else:
        command = [str(module), "-B", str(scene), str(settings)]
    say("Starting Blender ...")
    with (
        log.open("w", encoding="utf-8") as log_file,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=variables
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                log_file.write(line)
                if line.startswith(MARK):
                    say(line.removeprefix(MARK).rstrip())
            process.wait(TIME_LIMIT_SECONDS)
        except BaseException:
            process.kill()
            raise
