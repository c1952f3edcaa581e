# SPDX-License-Identifier: GPL-3.0-or-later
"""uv's wheel, downloaded once into the cache. Standard library only."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.environments import REQUIREMENTS, clean_environment
from tools.machine import MachineError, cache_folder

PIN = REQUIREMENTS / "installer.txt"


def uv_wheel() -> Path:
    """The wheel that PIN names, for this machine; by pip, so that its settings for networks count.

    Raises:
        MachineError: pip could not download it.
    """
    (pin,) = [line for line in PIN.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    folder = cache_folder() / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    found = list(folder.glob(f"{pin.replace('==', '-')}-*.whl"))
    if not found:
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as part:
            command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--disable-pip-version-check", "--dest", part, pin]
            done = subprocess.run(command, env=clean_environment(), stdout=sys.stderr)
            if done.returncode:
                raise MachineError(f"pip could not download {pin}, for the reasons above.")
            (wheel,) = Path(part).glob("*.whl")
            found = [wheel.replace(folder / wheel.name)]
    return found[0]
