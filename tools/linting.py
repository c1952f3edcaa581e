# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ruff and mypy with the settings of pyproject.toml. Standard library only."""

import subprocess

from tools import environments
from tools.environments import LINT, say
from tools.machine import ROOT

COMMANDS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "addon/core", "addon/host", "addon/engine", "addon/blender", "addon/start.py"),
)


def run() -> int:
    """Run every check, also after one that fails; 0 only if none did."""
    python = environments.ensure(LINT)
    worst = 0
    for name, *arguments in COMMANDS:
        say(f"== {name} {' '.join(arguments)}")
        worst = max(worst, abs(subprocess.run([python, "-m", name, *arguments], cwd=ROOT).returncode))
    return min(worst, 1)
