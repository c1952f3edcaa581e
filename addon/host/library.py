# SPDX-License-Identifier: GPL-3.0-or-later
"""The models on a disk, as a list. Opens no weights: names, times, sizes and small JSON files only. Imports core.

What a file of weights is, its header tells; that is looked up apart (`Library.identify`) and remembered.
"""

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..core import families
from ..core.errors import ErrorKind, UserError
from ..core.families import bases, catalogue
from ..core.hub import stored
from ..core.hub.stored import Plan
from ..core.model_files import checkpoint, configs, folder, image_encoders, kinds
from ..core.model_files.kinds import Role
from ..core.requests.texture import STARTER
from ..core.single_holder import LOCK, only_holder
from .disk import disk_errors, patiently

_FORMAT = 1
_MAX_BYTES = 8 << 20
_WEIGHTS = ".safetensors"
# What diffusers and transformers call every file: of such a one, the folder says which it is.
_NAMELESS = {"model", "diffusion_pytorch_model", "pytorch_lora_weights", "pytorch_model", "learned_embeds"}
_OF_U_NETS = ("ControlNetModel", "ControlNetUnionModel", "ControlNetModel_Union")  # the last: of older repositories
_NOTHING: dict[str, Any] = {"base": "", "latents": 0, "reads": None}  # what a file is for, see `Entry`
# The preferences add models on the main thread while another looks at headers: either would lose what the other says.
# Held for reading and writing one small file, which the main thread does itself here, and never while headers are read.
_WRITING = threading.Lock()
_DEPTH = 3  # of folders within the folder of models in which models are looked for


class Source(StrEnum):
    """Where a model came from. UNFINISHED: a download that is not whole yet. GONE: it was added, and is not there."""

    PACKAGE = "package"
    HUB = "hub"
    FOLDER = "folder"
    ADDED = "added"
    UNFINISHED = "unfinished"
    GONE = "gone"


@dataclass(frozen=True)
class Entry:
    """One model, or a file that belongs to models.

    id: what `TextureRequest.model` says of it. path: its folder or file. what: for people: "an inpainting checkpoint";
    "" where that is not known yet. role: `UNKNOWN` as long. size: in bytes. plan: what it was downloaded by.
    base: the title of the base that it is, or is made for, "" where that is not known. latents: channels of a VAE's.
    encoder: the folder of the image encoder beside an IP-Adapter, None where it is not beside it.
    """

    id: str
    title: str
    path: Path
    source: Source
    role: Role
    what: str
    size: int
    plan: Plan | None = None
    base: str = ""
    latents: int = 0
    encoder: Path | None = None

    @property
    def licence(self) -> str:
        """Its name, "" where it is not known."""
        return "GPL-3.0-or-later" if self.source is Source.PACKAGE else self.plan.licence if self.plan else ""

    @property
    def is_model(self) -> bool:
        """Whether it can be chosen as the model of a texture; a file that was not looked at yet may be one."""
        unseen = self.role is Role.UNKNOWN and not self.what and self.path.suffix.lower() == _WEIGHTS
        return (self.role in (Role.CHECKPOINT, Role.DENOISER) or unseen) and self.source not in (
            Source.UNFINISHED,
            Source.GONE,
        )

    def to_json(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "id": self.id,
            "title": self.title,
            "path": str(self.path),
            "source": self.source.value,
            "role": self.role.value,
            "what": self.what,
            "bytes": self.size,
            "licence": self.licence,
            **({"repository": plan.repository, "revision": plan.revision} if plan else {}),
            **({"base": self.base} if self.base else {}),
            **({"encoder": str(self.encoder)} if self.encoder else {}),
        }


class Library:
    """The starter, the models in a folder, and what was added from elsewhere, whose places are remembered in a file.

    models: the folder, which need not exist. memory: the file; several Blenders may share it.
    """

    def __init__(self, models: Path, memory: Path) -> None:
        self.models = models
        self._memory = memory
        self._known: dict[Path, tuple[tuple[int, ...], Entry]] = {}

    def entries(self) -> list[Entry]:
        """All of them: the starter first, then by title. What cannot be read is left out."""
        said = self._read()
        found = [self._starter()]
        found += self._at(self.models, 0, said)
        found += self._unfinished()
        places = {entry.path for entry in found}
        for text in said["added"]:
            path = Path(text)
            if path in places:
                continue
            entries = list(self._added(path, said))
            found += entries or [Entry(text, path.name, path, Source.GONE, Role.UNKNOWN, "", 0)]
        return [found[0], *sorted(found[1:], key=lambda entry: (entry.title.casefold(), entry.id))]

    def identify(self, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Look at the headers of files whose kind is not known yet, and remember it. True if there were any."""
        new = {}
        for entry in self.entries():
            if stopped():
                break
            if entry.path.suffix.lower() == _WEIGHTS and not entry.what and entry.source is not Source.GONE:
                new[str(entry.path)] = _look(entry.path)
        if new:
            self._write(lambda said: said["seen"].update(new))
        return bool(new)

    def add(self, path: Path) -> Entry:
        """Remember a folder or a file; nothing is copied. Raises `UserError` where it is no model.

        Looks at configurations and headers, which takes milliseconds.
        """
        path = configs.root(Path(os.path.abspath(path)))
        if path.suffix.lower() == _WEIGHTS:
            seen = {str(path): _look(path)}
            if seen[str(path)][3]:
                raise UserError(ErrorKind.MODEL, seen[str(path)][3], "Choose another file.")
        else:
            seen = {}
            if not any(True for _ in self._added(path, self._read())):
                raise UserError(
                    ErrorKind.MODEL,
                    f"{path} holds no model that is known here.",
                    "Choose a folder with a model_index.json, or a .safetensors file.",
                )

        def remember(said: dict[str, Any]) -> None:
            said["seen"].update(seen)
            if str(path) not in said["added"]:
                said["added"].append(str(path))

        self._write(remember)
        return next(entry for entry in self.entries() if entry.path == path or entry.path.is_relative_to(path))

    def forget(self, path: Path) -> None:
        """Take an added place off the list; its files stay. Raises `UserError` (kind `DISK`)."""

        def drop(said: dict[str, Any]) -> None:
            said["added"] = [text for text in said["added"] if not path.is_relative_to(text)]
            said["seen"].pop(str(path), None)

        self._write(drop)

    def remove(self, entry: Entry) -> None:
        """Delete what Tilewright downloaded, or take what was added off the list. Raises `UserError`.

        A folder that somebody else put among the models stays: it may be all there is of it.
        """
        if entry.source in (Source.ADDED, Source.GONE):
            self.forget(entry.path)
            return
        place = place_of(entry)
        if entry.plan is None or stored.load(place) is None or not place.is_relative_to(self.models):
            message = f"{entry.path} was not downloaded by Tilewright."
            raise UserError(ErrorKind.MODEL, message, "Open its folder, and delete it there.")
        with contextlib.ExitStack() as stack:
            with disk_errors(self.models):
                ours = stack.enter_context(only_holder(self.models / stored.UNFINISHED))
            if not ours:
                raise UserError(ErrorKind.MODEL, "Another Blender is downloading a model.", "Wait until it is done.")
            with disk_errors(place):
                # by one rename, after which it does not count any more
                doomed = self.models / stored.UNFINISHED / f".{place.name}.removed"
                if doomed.exists():
                    patiently(lambda: shutil.rmtree(doomed))
                patiently(lambda: os.rename(place, doomed))
                patiently(lambda: shutil.rmtree(doomed))

    def has_downloads(self) -> bool:
        """Whether anything is there that was downloaded, or was begun."""
        return any(entry.plan for entry in self.entries())

    def remove_downloads(self) -> None:
        """Delete all of it, and the folder where nothing else is in it. Raises `UserError`."""
        while entry := next((entry for entry in self.entries() if entry.plan), None):
            self.remove(entry)
        with contextlib.suppress(OSError):  # there is something else in it
            (self.models / stored.UNFINISHED / LOCK).unlink()
            (self.models / stored.UNFINISHED).rmdir()
            self.models.rmdir()

    # --- finding -----------------------------------------------------------------------------------------------------

    def _starter(self) -> Entry:
        place = catalogue.STARTER_FOLDER
        return self._keep(place, _stamp(place / configs.INDEX), self._make_starter)

    def _make_starter(self, place: Path) -> Entry:
        return Entry(STARTER, "Starter", place, Source.PACKAGE, Role.CHECKPOINT, "Tilewright", _size(place))

    def _added(self, path: Path, said: dict[str, Any]) -> Iterator[Entry]:
        for entry in self._at(path, 2, said):
            yield replace(entry, source=Source.ADDED) if entry.source is Source.FOLDER else entry

    def _inside(self, place: Path, depth: int, said: dict[str, Any]) -> Iterator[Entry]:
        for path in _children(place):
            yield from self._at(path, depth, said)

    def _at(self, path: Path, depth: int, said: dict[str, Any]) -> Iterator[Entry]:
        """What lies at a path: a file, a model, or a folder with some of either."""
        if path.suffix.lower() == _WEIGHTS:
            if entry := self._file(path, None, said):
                yield entry
            return
        place = configs.root(path)
        index, plan = _stamp(place / configs.INDEX), _stamp(place / stored.FILE)
        if any(index) or any(config := _stamp(place / "config.json")):
            yield self._keep(place, (*index, *plan) if any(index) else (*config, *plan), _folder)
        elif any(plan):
            yield from self._loose(place, said)
        elif depth < _DEPTH:
            yield from self._inside(path, depth + 1, said)

    def _loose(self, place: Path, said: dict[str, Any]) -> Iterator[Entry]:
        """Files of weights that were downloaded without a model around them."""
        plan = stored.load(place)
        for file in plan.files if plan else ():
            if file.path.endswith(_WEIGHTS) and (entry := self._file(place / file.path, plan, said)):
                yield entry

    def _file(self, path: Path, plan: Plan | None, said: dict[str, Any]) -> Entry | None:
        stamp = _stamp(path)
        if not any(stamp):
            return None
        size, changed = stamp
        seen = said["seen"].get(str(path))
        title = path.stem
        if title in _NAMELESS:
            title = plan.repository if plan and stored.load(path.parent) else path.parent.name
        source = Source.HUB if plan else Source.FOLDER
        entry = Entry(str(path), title, path, source, Role.UNKNOWN, "", size, plan)
        if not seen or seen[:2] != [size, changed]:
            return entry
        told = seen[5]
        entry = replace(entry, role=Role(seen[2]), what=str(seen[4]), base=told["base"], latents=told["latents"])
        if told["reads"]:
            name, width = told["reads"]
            entry = replace(entry, encoder=image_encoders.beside(path, (name, width)))
        return entry

    def _unfinished(self) -> Iterator[Entry]:
        for path in _children(self.models / stored.UNFINISHED):
            plan = stored.load(path)
            if plan:
                yield Entry(str(path), plan.repository, path, Source.UNFINISHED, Role.UNKNOWN, "", _size(path), plan)

    def _keep(self, path: Path, stamp: tuple[int, ...], make: Callable[[Path], Entry]) -> Entry:
        """What was found there before, while it has not changed."""
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = stamp, make(path)
        return known[1]

    # --- remembering -------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, Any]:
        """added: paths. seen: path -> [bytes, time, role, why it is no model, what it is, what it is for]."""
        try:
            with self._memory.open("rb") as file:
                said = json.loads(file.read(_MAX_BYTES))
            added = [text for text in said["added"] if isinstance(text, str)]
            # the rows of older versions lack the last, and are looked up once more
            seen = {path: row for path, row in said["seen"].items() if len(row) == 6 and row[2] in list(Role)}
            seen = {path: row for path, row in seen.items() if set(row[5]) == set(_NOTHING)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {"format": _FORMAT, "added": [], "seen": {}}
        return {"format": _FORMAT, "added": added, "seen": seen}

    def _write(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what is remembered, whole or not at all. Raises `UserError` (kind `DISK`)."""
        part = self._memory.with_name(f"{self._memory.name}.{os.getpid()}.part")
        with _WRITING, disk_errors(self._memory.parent):
            said = self._read()  # anew: another Blender may have written meanwhile
            change(said)
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_text(json.dumps(said), encoding="utf-8")
                os.replace(part, self._memory)
            finally:
                part.unlink(missing_ok=True)


def check(entry: Entry, tell: Callable[[int], object] = lambda done: None) -> list[str]:
    """What is wrong with a model's files: their names, or a sentence; none where all is well.

    Reads all of a download and compares it with its hashes; of others, configurations and headers. tell: called with
    the bytes of each piece that was read. Raises `UserError` (kind `DISK`) where a file cannot be read.
    """
    if entry.plan:
        return stored.broken(place_of(entry), entry.plan, tell)
    if not entry.path.exists():
        return [f"{entry.path} is gone."]
    try:
        if entry.path.suffix.lower() == _WEIGHTS:
            folder.check_safetensors(entry.path)
        elif (entry.path / configs.INDEX).is_file():
            folder.verify(entry.path)
    except UserError as error:
        return [error.message]
    return []


def place_of(entry: Entry) -> Path:
    """The folder that a download of it lies in."""
    for place in (entry.path, *entry.path.parents):
        if (place / stored.FILE).is_file():
            return place
    return entry.path


def _folder(place: Path) -> Entry:
    """A model, or a part of one, in diffusers format."""
    plan = stored.load(place)
    title = place.parents[1].name if place.parent.name == "snapshots" else place.name
    title = plan.repository if plan else title.removeprefix("models--").replace("--", "/")
    source = Source.HUB if plan else Source.FOLDER
    role, what, told = Role.UNKNOWN, "", dict(_NOTHING)
    try:
        if (place / configs.INDEX).is_file():
            name = configs.read_config(place, configs.INDEX).get("_class_name")
            family = families.by_pipeline(name)
            role = Role.CHECKPOINT if family else Role.OTHER
            what = str(name)[:60]
            if family:
                base = bases.of_config(configs.read_config(place, f"{family.denoiser}/config.json"))
                what = base.title if base else what
                told["base"] = base.title if base else ""
        else:
            role, what, told = _part(configs.read_config(place, "config.json"))
    except UserError:
        pass  # a configuration is missing: it is listed, and choosing it says which
    size = plan.size if plan else _size(place)
    return Entry(str(place), title, place, source, role, what, size, plan, told["base"], told["latents"])


def _part(config: dict[str, Any]) -> tuple[Role, str, dict[str, Any]]:
    """What a network by itself is, by its configuration: its role, what it is, what it is for."""
    name = str(config.get("_class_name", ""))[:60]
    if name.startswith("ControlNet"):
        base = bases.of_config(config | {"_class_name": "UNet2DConditionModel"}) if name in _OF_U_NETS else None
        return Role.CONTROLNET, name, _NOTHING | {"base": base.title if base else ""}
    if name.startswith("AutoencoderKL") or name == "AutoencoderTiny":
        return Role.VAE, name, _NOTHING | {"latents": checkpoint.latent_channels(config)}
    if config.get("architectures") == ["CLIPVisionModelWithProjection"]:
        return Role.IMAGE_ENCODER, "a CLIP image encoder", dict(_NOTHING)
    return Role.OTHER, name, dict(_NOTHING)


def _look(path: Path) -> list[Any]:
    """A row of what is remembered of a file."""
    size, changed = _stamp(path)
    try:
        kind = kinds.look(path)
    except UserError as error:
        return [size, changed, Role.UNKNOWN.value, error.message, "damaged", dict(_NOTHING)]
    told = {"base": kind.base.title if kind.base else "", "latents": kind.latents, "reads": kind.reads_picture}
    return [size, changed, kind.role.value, "", kind.what, told]


def _children(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as found:
            items = [item for item in found if not item.name.startswith(".")]  # also what macOS keeps beside files
            return sorted(Path(item.path) for item in items if item.is_dir() or item.name.lower().endswith(_WEIGHTS))
    except OSError:
        return []


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change, zeros where it is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


def _size(place: Path) -> int:
    """Bytes of all that lies in a folder, links followed: a hub's cache has links in it."""
    total = 0
    for folder_, _, names in os.walk(place):
        total += sum(_stamp(Path(folder_) / name)[0] for name in names)
    return total
