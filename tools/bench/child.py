# SPDX-License-Identifier: GPL-3.0-or-later
"""A function of this package in another environment's Python. Imports only the standard library."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.environments import clean_environment
from tools.machine import ROOT, MachineError

SERVE = "from tools.bench import child; child.serve()"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DIFFUSERS_VERBOSITY": "error"}


def command(python: Path, function: str, *arguments: object) -> list[str]:
    """The command that calls "module:function" of this package; its working directory has to be the repository."""
    return [str(python), "-X", "utf8", "-c", SERVE, function, json.dumps(arguments, default=str)]


def variables() -> dict[str, str]:
    """The child's environment: as the worker's, without anything that leads Python astray, and offline."""
    return clean_environment() | OFFLINE


def call(python: Path, function: str, *arguments: object, seconds: float = 600.0, root: Path = ROOT) -> Any:
    """What "module:function" returns there, by way of JSON. root: the checkout whose module it is.

    Raises:
        MachineError: it raised or took longer.
    """
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        answer = Path(folder) / "answer.json"
        environment = variables() | {"TILEWRIGHT_BENCH_ANSWER": str(answer)}
        try:
            done = subprocess.run(
                command(python, function, *arguments),
                cwd=root,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"{function} did not end within {seconds:g} s.") from error
        if done.returncode != 0 or not answer.is_file():
            last = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            sys.stderr.write(done.stdout)
            raise MachineError(f"{function} failed: {last[0]}")
        return json.loads(answer.read_text(encoding="utf-8"))


def serve() -> None:
    """In the child: call the function that the command names, and leave its answer where it is asked for."""
    module, _, name = sys.argv[1].partition(":")
    function = getattr(importlib.import_module(f"tools.bench.{module}"), name)
    value = function(*json.loads(sys.argv[2]))
    if answer := os.environ.get("TILEWRIGHT_BENCH_ANSWER"):
        Path(answer).write_text(json.dumps(value), encoding="utf-8")
