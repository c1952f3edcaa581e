# SPDX-License-Identifier: GPL-3.0-or-later
"""Models for the interface: what is known about one without touching the disk, and what can be chosen. Imports core.

Draw functions run many times a second, and the model's name may come from somebody else's file: so they `peek`, and
only what the user does looks at the disk.
"""

import os
from contextlib import suppress
from pathlib import Path

import bpy

from ...core import prompts
from ...core.errors import ErrorKind, UserError
from ...core.families import catalogue
from ...core.families.catalogue import ModelInfo
from ...core.model_files import configs, kinds, parts
from ...core.model_files.checkpoint import SUFFIX
from ...core.model_files.kinds import FileKind, Role
from ...core.requests.texture import STARTER, Scheduler, Sigmas
from ...host.library import Entry, Source
from ..common import preferences, state
from ..common.drawing import size_text
from ..common.languages import iface_, rpt_

MORE = "Get More Models..."

_known: dict[str, tuple[float, ModelInfo]] = {}
_problems: dict[str, UserError] = {}  # of names that were tried
_vocabularies: dict[str, frozenset[str]] = {}

SCHEDULER_ITEMS = (
    (Scheduler.MODEL.value, "Model's Own", "The sampling method that the model was made with", 0),
    (Scheduler.DPMPP_2M.value, "DPM++ 2M", "Good in few steps", 1),
    (Scheduler.UNIPC.value, "UniPC", "Good in very few steps", 2),
    (Scheduler.EULER.value, "Euler", "Plain and robust", 3),
    (Scheduler.EULER_A.value, "Euler Ancestral", "Adds noise at each step: more variety, never settles", 4),
    (Scheduler.DDIM.value, "DDIM", "The classic", 5),
    (Scheduler.LCM.value, "LCM", "For models and LoRAs made for few steps: LCM, DMD", 6),
    (Scheduler.TCD.value, "TCD", "For models and LoRAs made for few steps: TCD, Hyper", 7),
)
SIGMAS_ITEMS = (
    (Sigmas.MODEL.value, "Model's Own", "As the model's scheduler has them", 0),
    (Sigmas.KARRAS.value, "Karras", "More of the steps where detail is made", 1),
    (Sigmas.EXPONENTIAL.value, "Exponential", "Like Karras, more even", 2),
    (Sigmas.TRAILING.value, "Trailing", "From pure noise on, for models and LoRAs made for few steps", 3),
)


def resolve(model: str) -> ModelInfo:
    """The model, read anew only if its folder changed. Raises `UserError` (kind `MODEL`).

    Where another machine makes the textures, it is one of that machine's, as far as they were asked for.
    """
    if model != STARTER and preferences.is_elsewhere():
        report = preferences.models_elsewhere()
        if report is None or model not in report.models:
            words = rpt_("{host} has no model {model}.").format(host=preferences.get().host.strip(), model=model)
            raise UserError(ErrorKind.MODEL, words, "Press Check in the preferences: it lists what is there.")
        return report.models[model]
    try:
        stamp = _stamp(model)
    except RuntimeError as error:  # what pathlib says of a "~" that it cannot expand
        message = rpt_("The ~ in {path} names no user.").format(path=repr(model))
        raise UserError(ErrorKind.MODEL, message, "Give the full path.") from error
    known = _known.get(model)
    if known and known[0] == stamp:
        return known[1]
    _known.pop(model, None)
    info = catalogue.resolve(model)
    _known[model] = (stamp, info)
    if model == STARTER:  # others read pieces of words, or more languages than one
        _vocabularies[model] = prompts.read_vocabulary(catalogue.STARTER_FOLDER)
    return info


def peek(model: str) -> ModelInfo | None:
    """What is known of the model already; reads nothing."""
    if model != STARTER and (report := preferences.models_elsewhere()):
        return report.models.get(model)
    known = _known.get(model)
    return known[1] if known else None


def vocabulary(model: str) -> frozenset[str]:
    """The words that the model knows, none if that is unknown. Reads nothing."""
    return _vocabularies.get(model, frozenset())


def try_resolve(model: str) -> ModelInfo | None:
    """As `resolve`, for where it is too early to complain: Generate tells what is wrong."""
    _problems.clear()  # those of other names are of no use any more
    try:
        return resolve(model)
    except UserError as error:
        _problems[model] = error
        return None


def is_own(model: str) -> bool:
    """Whether it may be read without being asked for: it lies in the user's folder of models. Reads nothing.

    A file from somebody else may name any path, also on a server that learns of it.
    """
    folder = os.path.normpath(preferences.models_folder())
    return Path(os.path.normpath(model)).is_relative_to(folder)


def problem(model: str) -> UserError | None:
    """Why the name is no model, as far as that was tried when it was set; reads nothing."""
    return _problems.get(model)


def forget() -> None:
    _known.clear()
    _problems.clear()
    _vocabularies.clear()


def scheduler_items(model: str) -> tuple[tuple[str, str, str, int], ...]:
    """The schedulers that fit the model; all of them while nothing is known about it. The strings live for ever."""
    info = peek(model)
    return tuple(item for item in SCHEDULER_ITEMS if info is None or Scheduler(item[0]) in info.schedulers)


def sigmas_items(model: str, scheduler: str) -> tuple[tuple[str, str, str, int], ...]:
    """The sigmas that the model has with this scheduler; all of them while nothing is known about it."""
    info = peek(model)
    return tuple(item for item in SIGMAS_ITEMS if info is None or Sigmas(item[0]) in info.sigmas(scheduler))


def candidates(text: str) -> list[tuple[str, str]]:
    """What the search offers: the models that are there, and last the way to more of them."""
    if report := preferences.models_elsewhere():
        wanted = text.casefold()
        return [(id_, info.title) for id_, info in report.models.items() if wanted in f"{id_} {info.title}".casefold()]
    models = state.current.models
    if models.library is None or models.library is not preferences.library() or bpy.app.background:
        models.entries = tuple(preferences.library().entries())  # afterwards a thread keeps it up to date
    found = [(entry.id, _about(entry)) for entry in models.entries if entry.is_model]
    wanted = text.casefold()
    fitting = [item for item in found if wanted in item[0].casefold() or wanted in item[1].casefold()]
    return [*(fitting or found), (iface_(MORE), "")]


def fitting_parts(info: ModelInfo, text: str = "") -> list[tuple[str, str]]:
    """The models in the list, and beside the file, that a denoiser alone may take its other parts from."""
    entries = [entry for entry in preferences.library().entries() if entry.role is Role.CHECKPOINT]
    found = {str(entry.path): _about(entry) for entry in entries if parts.fits(info, entry.path)}
    beside = parts.find(info)
    if beside is not None:
        found.setdefault(str(beside), beside.name)
    return [item for item in found.items() if text.casefold() in item[0].casefold()] or list(found.items())


def parts_of(info: ModelInfo, chosen: str) -> str:
    """Where the other parts of a denoiser alone come from: what was chosen, or else what there is.

    Raises `UserError` (kind `MODEL`) where there is nothing.
    """
    if chosen or not info.alone:
        return chosen
    library = preferences.library()
    found = parts.find(info, [entry.path for entry in library.entries() if entry.role is Role.CHECKPOINT])
    if found is None:
        raise parts.lacking(info, library.models)
    return str(found)


def is_more(model: str) -> bool:
    """Whether what was picked is no model, but the way to more of them."""
    return model in (MORE, iface_(MORE))


def look(file: str) -> None:
    """Read what a file beside the model is, so `seen` can tell. What is wrong with one, Generate says."""
    path = Path(bpy.path.abspath(file))
    if path.suffix.lower() == SUFFIX:
        with suppress(UserError):
            kinds.look(path)


def seen(file: str) -> FileKind | None:
    """What `look` found, None where nobody looked, or it has changed since. Reads nothing."""
    return kinds.peek(Path(bpy.path.abspath(file))) if file else None


def _about(entry: Entry) -> str:
    """What stands beside a model in the search: what it is, and its title where its folder does not say it."""
    if entry.source is Source.PACKAGE:
        return iface_("in the package")
    words = [entry.what or iface_("not looked at yet"), size_text(entry.size)]
    return ", ".join(words if entry.title in entry.id else [entry.title, *words])


def _stamp(model: str) -> float:
    folder = catalogue.STARTER_FOLDER if model == STARTER else configs.root(Path(model).expanduser())
    read = [folder / name for name in catalogue.files_read()]
    if folder.suffix.lower() == SUFFIX:
        read = [folder, folder.with_suffix(".yaml")]
    newest = 0.0
    for file in read:
        try:
            newest = max(newest, file.stat().st_mtime)
        except (OSError, ValueError):
            continue
    return newest
