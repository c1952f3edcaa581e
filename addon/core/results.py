# SPDX-License-Identifier: GPL-3.0-or-later
"""A result on disk: a folder that is either whole or not there. Imports core and the standard library only.

The worker writes results, the host lists them; the layout is known here alone. A folder holds the image files, a
thumbnail and `result.json`. It is written under a name that starts with ".part-" and renamed when all of it is on disk.
"""

import contextlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from .errors import ErrorKind, UserError
from .naming import slug
from .recipe import Recipe
from .requests.finish import MapKind

BASE_COLOR = "base_color"
# What a whole material has beside its color, as it stands in the node editor, from the top; data, not colors.
MAPS = (MapKind.OCCLUSION, MapKind.METALLIC, MapKind.ROUGHNESS, MapKind.NORMAL, MapKind.HEIGHT)
THUMBNAIL = "thumbnail"
TEMPLATE, MASK = "template", "mask"  # copies of the files that a texture was made from, byte for byte
FIRST, SECOND = "first", "second"  # of a transition; with "_" and a map's kind after it: that map of the picture
GUIDE = "guide"  # with a number from 1 after it: copies of `Guides.pictures`, in that order
SEAM_THRESHOLD = (
    1.1  # a seam score above it means a visible seam; here, since `seams` needs numpy, and a panel must not
)
SEAM_CHANCE = 0.01  # a seam that random rolls do worse than that seldom is no chance: none of 99 has
RECIPE_SCORE, RECIPE_P = "seam score", "seam p"  # in a recipe's environment
RECIPE_BEFORE = "seam score before"  # of a template whose seam was repaired
PART = ".part-"
INDEX = "result.json"
_MAX_INDEX = 1 << 20  # bytes


def is_input(kind: str) -> bool:
    """Whether a file of that kind went into a texture, and was not made with it."""
    return kind in (TEMPLATE, MASK) or kind.startswith((FIRST, SECOND, GUIDE))


@dataclass(frozen=True)
class Result:
    """One finished picture on disk.

    files: what each file is (BASE_COLOR, THUMBNAIL, any of MAPS, TEMPLATE, MASK, FIRST, SECOND, GUIDE1 ...) -> its name
        in `folder`.
    seam_score: see `seams`; None where it was not measured. seconds: from the picture's start to its being on disk.
    created: seconds since 1970. notes: sentences that the user should read.
    """

    folder: Path
    files: Mapping[str, str]
    recipe: Recipe
    seam_score: float | None = None
    seconds: float = 0.0
    created: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def guide_pictures(self) -> dict[int, Path]:
        """The copies of `Guides.pictures` that lie beside it, by their place among those."""
        count = len(self.recipe.texture.guides.pictures) if self.recipe.request.is_sampled else 0
        kinds = {place: f"{GUIDE}{place + 1}" for place in range(count)}
        return {place: self.path(kind) for place, kind in kinds.items() if kind in self.files}

    @property
    def seam_p(self) -> float | None:
        """How likely such a seam is among random cuts (see `seams.roll_p`), None where it was not asked."""
        try:
            return float(self.recipe.environment[RECIPE_P])
        except (KeyError, ValueError):
            return None

    @property
    def seam_shows(self) -> bool:
        """Whether there is a seam to be seen, as far as was measured."""
        p = self.seam_p
        return (self.seam_score or 0.0) > SEAM_THRESHOLD and (p is None or not p > SEAM_CHANCE)

    def path(self, kind: str = BASE_COLOR) -> Path:
        """The file of that kind. Raises KeyError."""
        return self.folder / self.files[kind]

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "files": dict(self.files),
            "recipe": self.recipe.to_json(),
            "seam_score": self.seam_score,
            "seconds": self.seconds,
            "created": self.created,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Result":
        """The reverse of `to_json`. Raises `UserError` on anything else, also on files outside the folder."""
        try:
            files = {str(kind): str(name) for kind, name in data["files"].items()}
            score = data["seam_score"]
            result = cls(
                folder=Path(data["folder"]),
                files=files,
                recipe=Recipe.from_json(data["recipe"]),
                seam_score=None if score is None else float(score),
                seconds=float(data["seconds"]),
                created=float(data["created"]),
                notes=tuple(str(note) for note in data["notes"]),
            )
            if not all(map(math.isfinite, (result.seam_score or 0.0, result.seconds, result.created))):
                raise ValueError("not finite")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(ErrorKind.DISK, "A result's description cannot be read.") from error
        # A name in a file must never lead out of the folder (FAULTS 21); backslashes and colons are Windows' ways out.
        if any(
            name != PurePath(name).name or name in {"", ".."} or "\\" in name or ":" in name for name in files.values()
        ):
            raise UserError(ErrorKind.DISK, "A result's description names files outside its folder.")
        if BASE_COLOR not in files:
            raise UserError(ErrorKind.DISK, "A result's description names no base color.")
        return result


@dataclass
class Draft:
    """A result that is being written. Put files into `folder`, then `publish`."""

    root: Path
    folder: Path
    name: str

    def publish(self, result: Result, *, allowed: Callable[[], bool] = lambda: True) -> Result | None:
        """Put the result into the store: everything on disk first, then one rename. Returns it with its folder.

        `result.folder` is ignored. `allowed` is asked last, just before the rename: where it says no (the job was
        cancelled), nothing is published and None returned. Raises `UserError` (kind `DISK`).
        """
        with disk_errors(self.root):
            for name in result.files.values():
                sync(self.folder / name)
            target = _free_name(self.root, self.name)
            final = Result(**{**result.__dict__, "folder": target, "created": result.created or time.time()})
            index = self.folder / INDEX
            index.write_text(index_text(final), encoding="ascii")
            sync(index)
            sync(self.folder)
            if not allowed():
                return None
            os.rename(self.folder, target)
            sync(self.root)
        return final


@contextmanager
def draft(root: Path, prompt: str, seed: int) -> Iterator[Draft]:
    """A temporary folder in the store for one result; it is removed on leaving unless it was published.

    Raises `UserError` (kind `DISK`) where the store cannot be written, naming its folder.
    """
    unique = secrets.token_hex(4)
    part = root / f"{PART}{os.getpid()}-{unique}"
    with disk_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        part.mkdir()
    try:
        yield Draft(root, part, f"{slug(prompt)}-{seed}-{unique}")
    finally:
        if part.exists():
            shutil.rmtree(part, ignore_errors=True)


def load(folder: Path) -> Result:
    """Read a result back. Raises `UserError` (kind `DISK`) where it is broken or a file of it is missing."""
    try:
        with (folder / INDEX).open("rb") as file:
            text = file.read(_MAX_INDEX)
    except OSError as error:
        raise UserError(ErrorKind.DISK, f"The result in {folder} cannot be read.") from error
    return parse(text, folder, lambda name: os.path.isfile(folder / name))


def index_text(result: Result) -> str:
    """What `INDEX` holds of a result."""
    return json.dumps(result.to_json() | {"folder": result.folder.name}, indent=1)


def parse(text: bytes, folder: Path, is_there: Callable[[str], bool]) -> Result:
    """A result from its `INDEX`. is_there: whether its folder has a file of that name. Raises `UserError` as `load`."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(ErrorKind.DISK, f"The result in {folder} cannot be read.") from error
    if not isinstance(data, dict):
        raise UserError(ErrorKind.DISK, f"The result in {folder} cannot be read.")
    result = Result.from_json(data | {"folder": str(folder)})
    missing = [name for name in result.files.values() if not is_there(name)]
    if missing:
        raise UserError(ErrorKind.DISK, f"The result in {folder} lacks {missing[0]}.")
    return result


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError into a `UserError` that names the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(
            ErrorKind.DISK,
            f"Cannot write to {folder}: {reason}.",
            "Free some space there, or choose another folder in the preferences.",
        ) from error


def _free_name(root: Path, name: str) -> Path:
    """`root/name`, with a number where that exists: an earlier result is never overwritten."""
    target, number = root / name, 2
    while target.exists():
        target, number = root / f"{name}-{number}", number + 1
    return target


def sync(path: Path) -> None:
    """Wait until the file or folder is on disk. Folders cannot be opened on Windows: there the rename is durable."""
    flags = os.O_RDONLY
    if path.is_dir():
        if not hasattr(os, "O_DIRECTORY"):
            return
        flags |= os.O_DIRECTORY
    elif os.name == "nt":
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)  # fsync needs a handle that may write there
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some network file systems refuse to sync folders; the data is what matters
            raise
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)
