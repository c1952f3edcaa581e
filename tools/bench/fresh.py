# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fresh profile to the first texture, packages downloaded. Imports the standard library, addon.host."""

import shutil
import subprocess
from pathlib import Path

from addon.core import lock as locks
from addon.core.errors import UserError
from addon.host.download import Fetcher
from addon.host.indexes import read_settings
from tools.bench.blender import run_in_blender
from tools.bench.figures import Figure
from tools.bench.setup import Setup
from tools.environments import say
from tools.machine import ROOT, MachineError, cache_folder, check_disk_space

LIST = ROOT / "addon" / "host" / "locks" / "index.json"


def fresh_start_s(setup: Setup) -> list[Figure]:
    """Two clicks: Install, with the list's own wheels from a folder, and Generate. Once: it writes 6 GB."""
    wheels = downloaded(target_of(setup.blender) if setup.blender else locks.this_target())
    told = run_in_blender(
        setup,
        "fresh",
        window=setup.blender is not None,
        engine=False,
        limit=1800,
        side=256,
        steps=0,
        wheels=str(wheels),
    )
    note = "a fresh profile, the real list of packages from a folder, then the first texture of 256x256; once"
    return [
        Figure("fresh_start_s", told["install"] + told["texture"], "s", 60.0, note),
        Figure("fresh_start_s.install_s", told["install"], "s", None, "the zip, and then the click on Install"),
        Figure("fresh_start_s.texture_s", told["texture"], "s", None, "the click on Generate, the first of the engine"),
    ]


def target_of(blender: str) -> str:
    """The target of a Blender's own Python, which need not be that of the tools.

    Raises:
        MachineError: it does not tell.
    """
    ask = "import sys; print('PYTHON', f'cp{sys.version_info.major}{sys.version_info.minor}')"
    command = [blender, "--background", "--factory-startup", "--python-expr", ask]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120)
    for line in done.stdout.splitlines():
        if line.startswith("PYTHON "):
            return f"{line.removeprefix('PYTHON ')}-{locks.this_target().partition('-')[2]}"
    raise MachineError(f"{blender} does not tell its Python: it ended with {done.returncode}.")


def downloaded(target: str) -> Path:
    """All wheels of the shipped list for that target, in the cache; 3 GB on Linux, downloaded once.

    Raises:
        MachineError: they cannot be had, or there is no space for them.
    """
    folder = cache_folder() / "wheels" / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = locks.load(LIST, target)
        wheels = [lock.installer, *lock.wheels]
        missing = [wheel for wheel in wheels if not (folder / wheel.file).is_file()]
        check_disk_space(folder, (sum(wheel.size for wheel in missing) + 3 * lock.size) / 1e9)
        fetcher = Fetcher(read_settings(), online=True)
        for wheel in missing:
            say(f"  {wheel.file} ({wheel.size / 1e6:.0f} MB)")
            found = fetcher.fetch(wheel, folder, lambda have: None)
            if found.parent != folder:
                shutil.copy2(found, folder)
    except UserError as error:
        raise MachineError(str(error)) from error
    return folder
