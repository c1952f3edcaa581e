# SPDX-License-Identifier: GPL-3.0-or-later
"""From a table of wishes to tasks, each a texture with its place in the output. Imports core only.

All of it is checked before anything is made. A row without a seed gets one from its own words, so that the same table
asks for the same textures each time.
"""

import hashlib
import json
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from ...core import image_networks, prompts
from ...core.errors import UserError, bad_request
from ...core.families import catalogue
from ...core.families.catalogue import ModelInfo
from ...core.model_files import folder as model_folder
from ...core.model_files import hashes, parts
from ...core.naming import RESERVED, slug
from ...core.prompt_files import BATCH_COLUMNS, Wish, listed, parse
from ...core.requests import recipe_json
from ...core.requests.detail import Detail, parse_detail
from ...core.requests.extras import Embedding, Extras, Lora, name_of, parse_lora
from ...core.requests.finish import FILTER, LANCZOS, STARTER_NETWORKS, Finish, parse_kind, parse_maps
from ...core.requests.texture import MAX_SEED, STARTER, Axes, Scheduler, Sigmas, Size, TextureRequest
from .row_pictures import RowPictures, without_places

USUAL_NAMES = "{name}-{seed}"
NAMES = ("name", "prompt", "seed", "row", "model", "size", "steps", "guidance")  # what a scheme may hold
_MAX_FILE = 64 << 20  # bytes of a table
_PATHS = {
    "model": (STARTER,),
    **dict.fromkeys(("vae", "parts"), ()),
    "upscaler": (STARTER_NETWORKS, LANCZOS),
    "map_networks": (STARTER_NETWORKS, FILTER),
    **dict.fromkeys(("template_image", "mask", "style", "style_picture", "style_encoder"), ()),
}
_LISTS = ("loras", "embeddings", "control", "control_picture")
_SAID = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Task:
    """One texture to make.

    id: the hash of its recipe: of the request with the model's weights, and of the export. line: of the table.
    request: of a single picture. folder: below the output, with "/". export: one of `map_files.SCHEMES`, or "".
    """

    id: str
    line: int
    request: TextureRequest
    folder: str
    export: str = ""

    @property
    def stem(self) -> str:
        """What its files are called."""
        return self.folder.rpartition("/")[2]

    @property
    def model(self) -> tuple[str, str, str]:
        """What has to be loaded for it."""
        return self.request.model, self.request.vae, self.request.parts

    def to_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"request": self.request.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Task":
        """The reverse of `to_json`."""
        return cls(**{**data, "request": TextureRequest.from_json(data["request"])})


@dataclass(frozen=True)
class _Model:
    info: ModelInfo
    fingerprint: str
    vocabulary: frozenset[str]


class BadRows(Exception):
    """What is wrong with the rows of a table: an error each, in their order."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def read(file: Path, usual: Wish, template: str = "", names: str = USUAL_NAMES, export: str = "") -> list[Task]:
    """The tasks of a table, in its order, each recipe once. Raises `UserError`, or `BadRows`.

    usual: what a row that says nothing of it is made with; its prompt counts for nothing. template: words around
    {prompt}. names: the scheme of the folders, see `NAMES`.
    """
    _check_names(names)
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_FILE + 1)
    except OSError as error:
        raise bad_request(f"{file} cannot be read: {error.strerror}.") from error
    if len(data) > _MAX_FILE:
        raise bad_request(f"{file} is too large for a table of prompts.")
    wrong: list[UserError] = []
    wishes = parse(data, file.name, BATCH_COLUMNS, wrong)
    model, shown = cache(_model), RowPictures()
    tasks: dict[str, Task] = {}
    repeats: dict[str, int] = {}
    for wish in wishes:
        try:
            whole = _with_usual(with_whole_paths(wish, file.parent), usual)
            made = _request(whole, template, model, shown, repeats)
            for index in range(made.count):
                task = _task(made.single(index), whole, names, export, model)
                tasks.setdefault(task.id, task)
        except UserError as error:
            wrong.append(UserError(error.kind, f"{file.name}, line {wish.line}: {error.message}", error.hint))
    if wrong:
        raise BadRows(sorted(wrong, key=_line_of))
    return list(tasks.values())


def with_whole_paths(wish: Wish, folder: Path) -> Wish:
    """The same with whole paths, where they are relative to a folder; known words stay."""
    paths: dict[str, Any] = {}
    for name, known in _PATHS.items():
        text = getattr(wish, name)
        if text is not None and text not in known:
            try:
                paths[name] = str((folder / Path(text).expanduser()).absolute())
            except RuntimeError as error:  # "~somebody", whom the system does not know
                raise bad_request(f"The ~ in {text!r} names no user.", "Give the full path.") from error
    for name in _LISTS:
        if getattr(wish, name) is not None:
            paths[name] = "\n".join(str((folder / file).absolute()) for file in listed(getattr(wish, name)))
    return replace(wish, **paths)


def placed(tasks: Iterable[Task], is_taken: Callable[[Task], bool]) -> list[Task]:
    """The tasks with a folder of its own each, numbered where two have the same name, or one is taken already."""
    own: set[str] = set()
    numbers: dict[str, int] = {}  # the next one of each name, or thousands of one name take their square of steps
    free = []
    for task in tasks:
        folder, number = task.folder, numbers.get(task.folder.casefold(), 2)
        while folder.casefold() in own or is_taken(replace(task, folder=folder)):  # on Windows and macOS, Oak is oak
            folder, number = f"{task.folder}-{number}", number + 1
            numbers[task.folder.casefold()] = number
        own.add(folder.casefold())
        free.append(replace(task, folder=folder))
    return free


def _with_usual(wish: Wish, usual: Wish) -> Wish:
    said = {name: value for name in BATCH_COLUMNS if (value := getattr(wish, name)) is not None}
    return replace(usual, line=wish.line, **said)


def _model(model: str, vae: str, others: str) -> _Model:
    """others: where a denoiser in a file of its own takes its other parts from, "": from beside it."""
    info = catalogue.resolve(model)
    found = parts.verify(info, others)
    if vae:
        found = model_folder.with_vae(found, Path(vae))
    vocabulary = prompts.read_vocabulary(catalogue.STARTER_FOLDER) if model == STARTER else frozenset[str]()
    return _Model(info, f"{found.fingerprint} {found.vae}".strip(), vocabulary)


def _request(
    wish: Wish, template: str, model: Callable[[str, str, str], _Model], shown: RowPictures, repeats: dict[str, int]
) -> TextureRequest:
    """shown: the pictures of the table.

    repeats: how often each request without a seed was asked for, so that two such rows are two textures.
    """
    tile = (wish.tile or "xy").upper()
    if tile not in list(Axes):
        raise bad_request(f"{tile.lower()!r} is no way to repeat.", "Choose xy, x, y or none.")
    known = model(wish.model or STARTER, wish.vae or "", wish.parts or "")
    extras = _extras(wish)
    info, negative = known.info.with_extras(extras), wish.negative or ""
    defaults = info.defaults
    text = prompts.final(template, wish.prompt, known.vocabulary).text
    start, own_size = shown.template(wish, Axes(tile))
    size = Size.parse(wish.size) if wish.size else own_size
    request = TextureRequest(
        text,
        prompts.read(negative, known.vocabulary).text,
        size or Size(defaults.size, defaults.size),
        steps=defaults.steps if wish.steps is None else wish.steps,
        guidance_scale=defaults.guidance_for(negative) if wish.guidance is None else wish.guidance,
        seed=wish.seed or 0,
        count=1 if wish.count is None else wish.count,
        axes=Axes(tile),
        scheduler=_scheduler(wish.scheduler or "", info),
        detail=parse_detail(wish.detail or Detail.MEDIUM),
        sigmas=_sigmas(wish.sigmas or "", wish.scheduler or "", info),
        extras=extras,
        model=wish.model or STARTER,
        vae=wish.vae or "",
        parts=wish.parts or "",
        finish=_finish(wish),
        template=start,
        guides=shown.guides(wish, Axes(tile), info),
        variants=1 if wish.variants is None else wish.variants,
    )
    if wish.seed is not None:
        return request
    words = json.dumps([without_places(request.to_json()), wish.name], sort_keys=True)
    repeats[words] = repeats.get(words, 0) + 1
    digest = hashlib.sha256(f"{words} {repeats[words]}".encode()).digest()
    return replace(request, seed=int.from_bytes(digest[:8], "big") % (MAX_SEED + 1))


def _scheduler(name: str, info: ModelInfo) -> Scheduler:
    for scheduler in info.schedulers:
        if scheduler.value == (name.upper() or Scheduler.MODEL):
            return scheduler
    names = ", ".join(scheduler.value.lower() for scheduler in info.schedulers)
    raise bad_request(f"The scheduler {name} doesn't fit the model {info.title}.", f"Choose one of: {names}.")


def _sigmas(name: str, scheduler: str, info: ModelInfo) -> Sigmas:
    fitting = info.sigmas(scheduler.upper() or Scheduler.MODEL.value)
    for sigmas in fitting:
        if sigmas.value == (name.upper() or Sigmas.MODEL):
            return sigmas
    names = ", ".join(sigmas.value.lower() for sigmas in fitting)
    raise bad_request(f"The sigmas {name} don't fit the scheduler {scheduler or 'model'}.", f"Choose one of: {names}.")


def _extras(wish: Wish) -> Extras:
    """LoRAs and embeddings with the hashes of their files, by which recipes are told apart."""
    loras, embeddings = list(map(parse_lora, listed(wish.loras))), listed(wish.embeddings)
    known = {file: hashes.short(Path(file)) for file in [*(file for file, _weight in loras), *embeddings]}
    return Extras(
        tuple(Lora(file, known[file], weight) for file, weight in loras),
        tuple(Embedding(file, known[file]) for file in embeddings),
        wish.clip_skip or 0,
    )


def _is_yes(column: str, text: str | None) -> bool:
    said = _SAID.get((text or "no").lower())
    if said is None:
        raise bad_request(f"{column} is {text!r}.", "Write yes or no.")
    return said


def _finish(wish: Wish) -> Finish:
    finish = Finish(
        upscale=1 if wish.upscale is None else wish.upscale,
        upscaler=wish.upscaler or STARTER_NETWORKS,
        maps=parse_maps(filter(None, re.split(r"[\s,+]+", (wish.maps or "").lower()))),
        map_networks=wish.map_networks or STARTER_NETWORKS,
        kind=parse_kind(wish.kind or "auto"),
        delight=_is_yes("delight", wish.delight),
        invert_relief=_is_yes("invert_relief", wish.invert_relief),
    )
    if finish.upscale > 1:
        image_networks.upscaler_file(finish.upscaler)
    if finish.maps or finish.delight:
        image_networks.map_networks(finish.map_networks)
    return finish


def _task(
    request: TextureRequest, wish: Wish, names: str, export: str, model: Callable[[str, str, str], _Model]
) -> Task:
    known = model(request.model, request.vae, request.parts)
    # Where the model, its LoRAs and the pictures lie changes no pixel.
    recipe = without_places(recipe_json(request)) | {"model": known.fingerprint, "vae": ""}
    recipe.pop("parts", None)
    for item in [item for kind in ("loras", "embeddings") for item in recipe.get("extras", {}).get(kind, ())]:
        item["file"] = name_of(item["file"])
    words = json.dumps({"recipe": recipe, "export": export}, sort_keys=True)
    folders = [slug(part) for part in (wish.name or "").split("/") if part.strip(" .")]
    values = {
        "name": "/".join(folders) or slug(wish.prompt),
        "prompt": slug(wish.prompt),
        "seed": request.seed,
        "row": f"{wish.line:05d}",
        "model": slug(known.info.title),
        "size": request.size,
        "steps": request.steps,
        "guidance": f"{request.guidance_scale:g}",
    }
    return Task(hashlib.sha256(words.encode()).hexdigest()[:16], wish.line, request, names.format(**values), export)


def _check_names(names: str) -> None:
    """Raise `UserError` where a scheme could lead anywhere but to a folder below the output."""
    hint = f"Write such as {{name}}/{{prompt}}-{{seed}}, with any of {', '.join(NAMES)}."
    try:
        parts = list(string.Formatter().parse(names))
    except ValueError as error:
        raise bad_request(f"{names!r} is no scheme of names.", hint) from error
    for literal, name, format_, conversion in parts:
        if (name is not None and name not in NAMES) or format_ or conversion:
            raise bad_request(f"{{{name}}} is not known in a scheme of names.", hint)
        if re.search(r'[\\:*?"<>|\x00-\x1f]', literal):
            raise bad_request(f"{names!r} is no scheme of names: files cannot be called so.", hint)
    for part in names.split("/"):
        if not part or part != part.strip(" .") or part.startswith(".") or part.casefold() in RESERVED:
            raise bad_request(f"{names!r} is no scheme of names.", hint)


def _line_of(error: UserError) -> int:
    found = re.search(r", line (\d+)", error.message)
    return int(found[1]) if found else 0
