# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the worker's Python, for tests without torch. Imports the standard library only.

`make_fake_python` writes a small shell script: name it in TILEWRIGHT_PYTHON, and what is started is `fake_worker.py`,
whatever the host asks for. The behaviour is a dict (all keys have defaults):

    step_seconds    how long a sampling step takes (0.005)
    phase_seconds   how long each other phase takes (0.0)
    heartbeat       seconds between heartbeats (0.5)
    version         the protocol version that its Hello names (the real one)
    ignore_cancel   True: Cancel and the end of stdin are not heard
    pace            how long it says that a finished job's parts took: a dict of seconds
    maps            kinds of maps that each result has beside its color ([])
    scale           how many times as wide and high as asked for its pictures are, as if upscaled (1)
    noise           True: its pictures are noise, whose files are large
    hub             a folder with what a model hub has, see `fake_hub`; hub_seconds: how long a file of it takes (0.0)
    messages        "doubled", "stale" or "reordered": what it says of a job is said so
    faults          a list of dicts; each strikes where its phase, and image, step and prompt if named, match:
        do          what happens, see `fake_worker.Fault`
        phase       a `Phase`'s name, or "HELLO" (before it), "READY" (after it), "WRITING" (a picture is half in the
                    store), "SAVED" (it is told), "FINISHED" (the job is)
        prompt      a text that the request's prompt must contain; so that the next job can be whole
        once        a file: it strikes only where that is not there yet, and makes it
        ...         what `do` needs
"""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parent / "fake_worker.py"


def make_fake_python(folder: Path, behaviour: Mapping[str, Any] | None = None, *, python: str = sys.executable) -> Path:
    """Write the script and its behaviour into `folder`; returns the script's path.

    Called again, it changes the behaviour of workers that start later. `python` is the one that really runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script, scenario = folder / "python", folder / "scenario.json"
    scenario.write_text(json.dumps(dict(behaviour or {})), encoding="utf-8")
    command = shlex.join([python, "-I", "-S", "-X", "utf8", str(WORKER), str(scenario)])
    if not script.exists():  # a script that is being executed must not be written to
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return script
