# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs and embeddings in the settings: lists of files, and what each of them is. Imports bpy and core.

What a file is stands on its item once the file is chosen: so nothing is read while the panel is drawn.
"""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.model_files import kinds
from ...core.model_files.kinds import FileKind, Role
from ...core.requests.extras import MAX_WEIGHT, Embedding, Extras, Lora, name_of
from ...core.requests.texture import STARTER
from ..common import preferences
from ..common.languages import rpt_

LISTS = {Role.LORA: "loras", Role.EMBEDDING: "embeddings"}
FIELDS = ("file", "weight", "sha256")  # of an item, as presets and recipes have them; "file" first, which sets others
_SHOWN_WORDS = 3
_DEPTH = 4  # of folders in the folder of the models that are searched


def _file_changed(self: Any, context: bpy.types.Context) -> None:
    """What the file is; nothing where it is not here."""
    self.sha256 = self.base = self.words = ""
    kind = _kind(self.file)
    self.missing = kind is None
    if kind is not None:
        self.base = kind.base.title if kind.base else ""
        self.words = "\n".join(kind.triggers[:_SHOWN_WORDS])


class _File:
    """What items of both lists have."""

    file: StringProperty(
        name="File",
        description="A .safetensors file: its path, or its name if it is in the Models folder of the preferences",
        subtype="FILE_PATH",
        update=_file_changed,
    )
    sha256: StringProperty(name="Hash", description="What a recipe says of the file; empty: any")
    base: StringProperty(name="Made For", description="The models that it is made for; empty: unknown")
    missing: BoolProperty(name="Missing", description="The file was not there when it was chosen or restored")
    words: StringProperty(name="Words", description="Words that call it up, one a line")


class TILEWRIGHT_PG_lora(_File, bpy.types.PropertyGroup):
    """One LoRA of `scene.tilewright.loras`."""

    weight: FloatProperty(
        name="Weight",
        description="How strongly it acts: 1 as it was made, 0 not at all, below 0 the opposite",
        default=1.0,
        min=-MAX_WEIGHT,
        max=MAX_WEIGHT,
        soft_min=-1.0,
        soft_max=2.0,
        step=5,
        precision=2,
    )


class TILEWRIGHT_PG_embedding(_File, bpy.types.PropertyGroup):
    """One embedding of `scene.tilewright.embeddings`."""


def asked(settings: Any) -> Extras:
    """What the settings ask for; nothing of the starter, where the panel greys it out. Raises `UserError`."""
    if settings.model == STARTER:
        return Extras()
    loras = (Lora(str(_path(item.file)), item.sha256, round(item.weight, 6)) for item in settings.loras)
    embeddings = (Embedding(str(_path(item.file)), item.sha256) for item in settings.embeddings)
    return Extras(tuple(loras), tuple(embeddings), settings.clip_skip)


def named(settings: Any) -> Extras:
    """The LoRAs by name and weight alone, for what the panel says of them; looks for no file."""
    if settings.model == STARTER:
        return Extras()
    named = {name_of(item.file): item.weight for item in settings.loras if item.file.lower().endswith(".safetensors")}
    return Extras(tuple(Lora(f"/{name}", weight=weight) for name, weight in named.items()))


def add(settings: Any, path: Path) -> None:
    """Put a file into the list that it belongs in. Raises `UserError` for one that belongs in neither."""
    kind = kinds.look(path)
    if kind.role not in LISTS:
        raise UserError(
            ErrorKind.MODEL,
            rpt_("{name} is no LoRA and no embedding.").format(name=path.name),
            f"{kind.sentence} {kind.place}".strip(),
        )
    files = getattr(settings, LISTS[kind.role])
    if not any(item.file == str(path) for item in files):
        files.add().file = str(path)


def put(settings: Any, extras: Extras, own: bool) -> str:
    """Set what a recipe says; a sentence about a file that is not here, or "".

    own: it comes from the user's history. A file from somebody else may name any path, also on a server that learns of
    it: there only names count, of files in the folder of the models.
    """
    missing = ""
    settings.clip_skip = extras.clip_skip
    for files, items in ((settings.loras, extras.loras), (settings.embeddings, extras.embeddings)):
        files.clear()
        for item in items:
            found = Path(item.file) if own and _is_file(Path(item.file)) else find(item.name)
            missing = missing or ("" if found else item.name)
            fill(files.add(), item.to_json() | {"file": str(found or item.name)})
    return rpt_("You don't have {name}. Choose its file, or remove it.").format(name=missing) if missing else ""


def fill(item: Any, values: dict[str, Any]) -> None:
    """Set an item of a list; what it does not have is passed over."""
    for name in FIELDS:
        if name in values and name in item.bl_rna.properties:
            setattr(item, name, values[name])


def find(name: str) -> Path | None:
    """The file of that name in the folder of the models, or in a folder of its, or that was added to the library.

    None where there is none.
    """
    folder, pattern = preferences.models_folder(), ""
    for _ in range(_DEPTH if folder and name == name_of(name) else 0):
        try:
            # compared by name, since a name may hold what stands for others in a pattern
            found = (file for file in sorted(folder.glob(f"{pattern}*.safetensors")) if file.name == name)
            if (file := next(found, None)) is not None:
                return file
        except OSError:
            return None
        pattern += "*/"
    added = (entry.path for entry in preferences.library().entries() if entry.path.name == name)
    return next((path for path in added if _is_file(path)), None)


def _path(file: str) -> Path:
    """A file as it was typed or chosen: a bare name is looked for in the folder of the models. Raises `UserError`."""
    typed = file.strip()
    path = preferences.chosen_path(typed) if typed != name_of(typed) else find(typed)
    if path is None:
        message = rpt_("{name} is not here.").format(name=typed or rpt_("A LoRA or embedding"))
        raise UserError(ErrorKind.MODEL, message, rpt_("Choose its file, or remove it."))
    return path


def here(file: str) -> Path | None:
    """The file that a text on an item means, None where it is not here."""
    try:
        path = _path(file)
    except UserError:
        return None
    return path if _is_file(path) else None


def _kind(file: str) -> FileKind | None:
    try:
        return kinds.look(_path(file))
    except UserError:
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


CLASSES = (TILEWRIGHT_PG_lora, TILEWRIGHT_PG_embedding)
