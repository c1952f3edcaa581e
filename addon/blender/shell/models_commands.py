# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --background --command tilewright models ...`: list, add, verify, remove, download, search. Imports bpy."""

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import ErrorKind, UserError
from ...core.families import worth_having
from ...core.hub.messages import HubAction, HubOutcome, HubProgress, HubStage, HubTask
from ...core.hub.stored import Plan
from ...host import library as host_library
from ...host.library import Entry
from ..common import preferences
from ..common.drawing import size_text
from ..install import models

_TICK = 0.05  # seconds
_TELL = 5.0  # seconds between two lines of progress


class Stopped(Exception):
    """Ctrl-C."""


def add_parser(commands: Any, program: str, parser_class: type[argparse.ArgumentParser]) -> None:
    """Add `models` and its own commands."""
    name = f"{program} models"
    parser = commands.add_parser("models", help="list, add, check, remove, download models", prog=name)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=parser_class)

    def action(verb: str, help_: str) -> argparse.ArgumentParser:
        made = actions.add_parser(verb, help=help_, prog=f"{name} {verb}", allow_abbrev=False)
        made.add_argument("--json", action="store_true", help="print JSON, in lines that start with {")
        return made

    action("list", "the models that are there")
    action("add", "remember a folder or a .safetensors file").add_argument("path", metavar="PATH")
    action("verify", "check files against their hashes").add_argument("model", metavar="MODEL", nargs="?", default="")
    action("remove", "delete a download, or forget what was added").add_argument("model", metavar="MODEL")
    action("search", "ask the hub for models").add_argument("words", metavar="WORDS", nargs="*", default=[])
    get = action("download", "download a model, or mend what is there of it")
    get.add_argument("repository", metavar="OWNER/NAME[@REVISION]", help="a model of the hub")
    get.add_argument("--file", action="append", default=[], metavar="PATH", help="this file of it; may be repeated")
    get.add_argument("--dry-run", action="store_true", help="say only what would be downloaded")


def run(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    """Do it. 0 if all is well, 1 if not. Raises `UserError`, `Stopped`."""
    actions: dict[str, Callable[[argparse.Namespace, Sequence[int]], int]] = {
        "list": _list,
        "add": _add,
        "verify": _verify,
        "remove": _remove,
        "search": _search,
        "download": _download,
    }
    return actions[options.action](options, interruptions)


def _list(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    library = preferences.library()
    library.identify()
    for entry in library.entries():
        _say(options, entry.to_json(), _line(entry))
    return 0


def _line(entry: Entry) -> str:
    words = [entry.title, entry.what or "?", size_text(entry.size), entry.source.value]
    return "  ".join([*words, *([entry.licence] if entry.licence else []), str(entry.path)])


def _add(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    entry = preferences.library().add(Path(options.path).expanduser().absolute())
    _say(options, entry.to_json(), _line(entry))
    return 0


def _verify(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    def tell(piece: int) -> None:
        if interruptions:
            raise Stopped

    failed = 0
    entries = [models.entry_of(options.model)] if options.model else preferences.library().entries()
    for entry in entries:
        damage = host_library.check(entry, tell)
        failed += bool(damage)
        text = f"{entry.title}: damaged: {', '.join(damage)}" if damage else f"{entry.title}: whole"
        _say(options, entry.to_json() | {"damaged": damage}, text)
    return 1 if failed else 0


def _remove(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    entry = models.entry_of(options.model)
    preferences.library().remove(entry)
    _say(options, entry.to_json() | {"removed": True}, f"{entry.title} was removed.")
    return 0


def _search(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    if not options.words:
        for row in worth_having.WORTH_HAVING:
            data = {
                "repository": row.repository,
                "title": row.title,
                "what": row.what,
                "licence": row.licence,
                "commercial": row.use.value,
                "bytes": row.size,
                "revision": row.revision,
                "verified": row.is_verified,
                "files": list(row.wanted),
                "refused": row.refused,
            }
            size = size_text(row.size) if row.size else "size unknown"
            text = f"{row.repository}  {row.title}  {size}  {models.commercial(row.licence, row)}"
            rest = row.refused or ("" if row.is_verified else "(unverified: no revision is known)")
            _say(options, data, f"{text}  {rest}".rstrip())
        return 0
    outcome = _ask(HubTask(HubAction.SEARCH, text=" ".join(options.words)), interruptions)
    for model in outcome.found:
        use = worth_having.use_of(model.licence).value
        data = {"repository": model.repository, "licence": model.licence, "commercial": use, "gated": model.gated}
        gated = "  wants a token" if model.gated else ""
        _say(options, data, f"{model.repository}  {models.commercial(model.licence)}{gated}")
    return 0


def _download(options: argparse.Namespace, interruptions: Sequence[int]) -> int:
    repository, _, revision = options.repository.partition("@")
    wanted = tuple(options.file)
    row = worth_having.known(repository, wanted)
    if row and row.refused:
        raise UserError(ErrorKind.MODEL, row.refused, "Choose another model.")
    revision = revision or models.revision_of(row)
    plan = _ask(HubTask(HubAction.LOOK, repository=repository, revision=revision, wanted=wanted), interruptions).plan
    if plan is None:
        raise UserError(ErrorKind.MODEL, f"{repository} is nothing that can be downloaded.")
    folder = preferences.models_folder()
    _tell(f"{plan.repository} at {plan.revision}: {len(plan.files)} files, {size_text(plan.size)}")
    _tell(f"{models.commercial(plan.licence, row)}. Into {folder}, which has {_free(folder)} free.")
    if options.dry_run:
        _say(options, _about(plan), "")
        return 0
    outcome = _ask(HubTask(HubAction.DOWNLOAD, plan=plan, models=str(folder)), interruptions)
    _say(options, _about(plan) | {"folder": outcome.folder}, outcome.folder)
    return 0


def _about(plan: Plan) -> dict[str, Any]:
    return {"bytes": plan.size, "commercial": worth_having.use_of(plan.licence).value, **plan.to_json()}


def _free(folder: Path) -> str:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return size_text(shutil.disk_usage(folder).free)


def _ask(task: HubTask, interruptions: Sequence[int]) -> HubOutcome:
    """Have it done by a process, to its end. Raises `UserError`, `Stopped`."""
    if error := models.offline():
        raise UserError(error.kind, error.message, "Leave --offline-mode away, and allow online access.")
    errand = models.errand(task)
    told = 0.0
    while errand.outcome is None:
        if interruptions:
            errand.close()
            raise Stopped
        if errand.pump() and time.monotonic() - told > _TELL:
            told = time.monotonic()
            _progress(errand.progress)
        time.sleep(_TICK)
    if errand.outcome.error:
        raise errand.outcome.error
    return errand.outcome


def _progress(progress: HubProgress) -> None:
    if progress.stage is HubStage.DOWNLOADING:
        _tell(f"{progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB: {progress.file}")
    elif progress.stage is HubStage.WAITING:
        _tell("Waiting for another Blender.")


def _tell(text: str) -> None:
    print(re.sub(r"[\x00-\x1f]", " ", text), file=sys.stderr, flush=True)


def _say(options: argparse.Namespace, data: dict[str, Any], text: str) -> None:
    if options.json:
        print(json.dumps(data), flush=True)
    elif text:
        print(text, flush=True)
