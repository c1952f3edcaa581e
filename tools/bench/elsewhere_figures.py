# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs that the worker is behind ssh. Imports the standard library, core and host, and the tests' sshd."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from addon.core.requests.finish import Finish, MapKind
from addon.host import settling
from tests import sshd
from tools.bench.against_bare import PREFIX, starter_request
from tools.bench.engine import Engine
from tools.bench.figures import Figure, in_turn, median_ratio, spread
from tools.bench.setup import Setup
from tools.machine import MachineError


def ssh_over_local(setup: Setup) -> list[Figure]:
    """A picture with its maps from a worker behind ssh on 127.0.0.1 over one from a child, warm and in turn."""
    if sshd.MISSING:
        raise MachineError(f"The figure {sshd.MISSING}.")
    wanted = replace(starter_request(setup), finish=Finish(maps=tuple(MapKind)))
    numbers = iter(range(10_000))
    path = os.environ["PATH"]
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        server = sshd.Server(folder / "server", "bench")
        settling.write_starter(server.root, "bench", setup.python, setup.python)
        server.configure(Port=str(server.port))  # not through the line: it is a proxy in Python
        server.know(port=server.port)
        os.environ["PATH"] = f"{server.client}{os.pathsep}{path}"
        try:
            with (
                Engine(setup.python, folder / "here") as here,
                Engine(setup.python, folder / "there", place=server.place) as there,
            ):

                def make(engine: Engine) -> float:
                    number = next(numbers)
                    return engine.make(replace(wanted, prompt=f"{wanted.prompt} {number}", seed=number))[0]

                make(here)
                make(there)
                others, mine = in_turn((lambda: make(here), lambda: make(there)), setup.runs(9))
        finally:
            os.environ["PATH"] = path
            server.close()
    note = f"ssh {spread(mine)} s, local {spread(others)} s; starter, {wanted.size}, {wanted.steps} steps, five maps"
    return [Figure("ssh_over_local", median_ratio(mine, others), "ratio", 1.05, note)]
