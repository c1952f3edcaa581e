# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process for what a test does to its own process: limits, signals, the mask of new files. Imports pytest.

A limit in pytest's own process strikes pytest too: with its output in a file, one on the size of files ends the run.
"""

import json
import os
import traceback
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def in_child(function: Callable[[], T]) -> T:
    """Call the function in a fork of this process and return what it returned, which must be what JSON can hold.

    What fails there fails here, with its traceback; so does a child that dies. The test is skipped where there is no
    fork.
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs a system that can fork")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = json.dumps([function(), ""])
        except BaseException:  # noqa: BLE001 - it is passed on
            told = json.dumps([None, traceback.format_exc()])
        with open(writing, "w", encoding="utf-8") as pipe:
            pipe.write(told)
        os._exit(0)  # nothing of pytest's may be tidied up twice
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    assert told, f"the child process ended with {os.waitstatus_to_exitcode(status)}"
    value, error = json.loads(told)
    assert not error, error
    result: T = value
    return result
