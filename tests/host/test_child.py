# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes of ours: read to their end, and ended with what they started."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from addon.host import child
from tests.host.conftest import children, is_running, until


def test_a_short_command_tells_its_code_and_its_words() -> None:
    command = ["sh", "-c", "echo one; echo two >&2; exit 3"]
    assert child.run(command, variables=os.environ) == (3, "one\n")
    assert child.run(command, variables=os.environ, errors=subprocess.STDOUT) == (3, "one\ntwo\n")


def test_one_over_its_limit_is_ended() -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"sleep took longer than 0\.2 s"):
        child.run(["sleep", "60"], variables=os.environ, limit=0.2)
    assert time.monotonic() - begin < 5
    assert not children()


@pytest.mark.parametrize("own_group", [True, False])
def test_what_a_tick_raises_ends_the_command_and_with_its_group_what_it_started(
    tmp_path: Path, own_group: bool
) -> None:
    file = tmp_path / "id"

    def tick() -> None:
        if file.exists() and file.read_text().strip():
            raise RuntimeError("enough")

    command = ["sh", "-c", f"sleep 60 >/dev/null & echo $! > '{file}'; wait"]
    with pytest.raises(RuntimeError, match="enough"):
        child.run(command, variables=os.environ, tick=tick, own_group=own_group)
    assert not children()
    grandchild = int(file.read_text())
    if own_group:
        until(lambda: not is_running(grandchild))
    else:  # it belongs to this process' group, and ends with that
        assert os.getpgid(grandchild) == os.getpgid(0)
        os.kill(grandchild, 9)


def test_a_command_that_is_not_there_raises() -> None:
    with pytest.raises(OSError, match="No such file"):
        child.run(["/nowhere/python"], variables=os.environ)
