# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of the process that talks to a model hub, the only one of the engine's that may: `start.py hub`.

Imports core, then `hub`. Its task is the first line on stdin, since it may hold a token, and command lines are read by
everybody on the machine.
"""

import logging
import os
import sys

from ..core import child_process
from ..core.errors import cannot_import
from ..core.hub import messages

_ENVIRONMENT = {
    # nothing is told but what is asked: no versions, no names of programs around this one (huggingface_hub 2.4)
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",  # a token goes out where one is asked for, see `hub`
    "HF_HUB_DISABLE_XET": "1",  # its own protocol goes on with nothing that was begun (hf_xet 1.8)
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
}
_MAX_TASK = 1 << 22  # bytes


def main(arguments: list[str]) -> int:
    """Do the task; 0 if it went well."""
    replies = child_process.begin()
    task = b""
    while not task.endswith(b"\n") and len(task) < _MAX_TASK:
        piece = os.read(0, 1 << 16)
        if not piece:
            return 1  # Blender is gone
        task += piece
    child_process.end_with_stdin()
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DEBUG"):
        os.environ.pop(name, None)
    os.environ.update(_ENVIRONMENT)
    if sys.platform != "win32":
        os.nice(3)
    for name in ("httpx", "httpx2"):  # they log addresses, which hold signatures
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        from . import hub
    except Exception as error:  # also what is no ImportError, see `cannot_import`: a Python of the user's own lacks it
        logging.exception("huggingface_hub cannot be imported.")
        replies.write(messages.encode(messages.HubOutcome(cannot_import(error))))
        replies.flush()
        return 1
    return hub.main(task.decode("utf-8"), replies)
