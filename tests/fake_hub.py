# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the process that talks to a hub, for tests without huggingface_hub: it answers from a folder.

The behaviour's "hub" names the folder, in which each repository lies as OWNER/NAME, with what it has.
`engine/test_hub.py` tests the real one.
"""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from addon.core.errors import ErrorKind, UserError
from addon.core.hub import choice, stored
from addon.core.hub.messages import HubAction, HubModel, HubOutcome, HubProgress, HubStage, HubTask, encode
from addon.core.hub.stored import HubFile, Plan

REVISION = "0123456789abcdef0123456789abcdef01234567"


def main(behaviour: dict[str, Any]) -> None:
    """One task, from stdin to stdout."""
    task = HubTask.loads(sys.stdin.readline())
    try:
        outcome = _do(task, Path(behaviour["hub"]), behaviour.get("hub_seconds", 0.0))
    except UserError as error:
        outcome = HubOutcome(error)
    _tell(outcome)


def _tell(message: HubProgress | HubOutcome) -> None:
    sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()


def _do(task: HubTask, hub: Path, seconds: float) -> HubOutcome:
    if task.action is HubAction.SEARCH:
        names = sorted(f"{folder.parent.name}/{folder.name}" for folder in hub.glob("*/*") if folder.is_dir())
        return HubOutcome(found=tuple(HubModel(name, 1, "apache-2.0") for name in names if task.text in name))
    if task.action is HubAction.LOOK:
        place = hub / task.repository
        if not place.is_dir():
            raise UserError(ErrorKind.NETWORK, f"The hub has no {task.repository}.", "Check the name.")
        files = [_file(place, path) for path in sorted(place.rglob("*")) if path.is_file()]
        index = place / choice.INDEX
        chosen = choice.choose(task.repository, files, index.read_bytes() if index.is_file() else None, task.wanted)
        return HubOutcome(plan=Plan(task.repository, task.revision or REVISION, chosen, "apache-2.0"))
    assert task.plan
    return HubOutcome(plan=task.plan, folder=str(_download(task, task.plan, hub / task.plan.repository, seconds)))


def _file(place: Path, path: Path) -> HubFile:
    data = path.read_bytes()
    return HubFile(path.relative_to(place).as_posix(), len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")


def _download(task: HubTask, plan: Plan, source: Path, seconds: float) -> Path:
    models = Path(task.models)
    work, target = models / stored.UNFINISHED / plan.folder_name, models / plan.folder_name
    work.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.rename(target, work)
    work.mkdir(exist_ok=True)
    stored.save(work, plan)
    done = 0
    for file in plan.files:
        _tell(HubProgress(HubStage.DOWNLOADING, file.path, done, plan.size))
        time.sleep(seconds)
        (work / file.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file.path, work / file.path)
        done += file.size
    _tell(HubProgress(HubStage.DOWNLOADING, "", done, plan.size))
    os.rename(work, target)
    return target
