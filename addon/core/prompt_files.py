# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of prompts: one a line, or a table as CSV or JSON lines with settings for each. Imports core only.

As spreadsheets and editors of any system write them: UTF-8 or UTF-16, with or without a byte order mark. Blender's
command line reads `COLUMNS`, its panel `LIST_COLUMNS`, the batch (`engine.batch`) `BATCH_COLUMNS`.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from typing import Any

from .errors import ErrorKind, UserError

_WHOLE = ("seed", "count", "variants", "steps", "upscale", "clip_skip")
_NUMBERS = dict.fromkeys(_WHOLE, int) | {"guidance": float, "strength": float, "style_strength": float}
_NUMBERS |= {"feather": float, "wear_amount": float}
_OTHER_NAMES = {
    "negative_prompt": "negative",
    "guidance_scale": "guidance",
    "cfg": "guidance",
    "template": "template_image",
    "init_image": "template_image",
    "tiling": "tile",
    "denoising_strength": "strength",
    "lora": "loras",
    "embedding": "embeddings",
    "controlnet": "control",
    "ip_adapter": "style",
}


@dataclass(frozen=True)
class Wish:
    """One line. What it says nothing of is None, and is as the whole command has it. name: of the files.

    template_image, mask: files, relative to this one. model, vae, parts, upscaler, map_networks: also known words.
    loras: FILE or FILE:WEIGHT, like embeddings one a line or with semicolons between. control..., style...: see
    `guide_columns`.
    tileable, cover, keep_edges: auto, yes or no.

    line: where it stands in the file, counted from 1.
    """

    prompt: str
    line: int
    negative: str | None = None
    size: str | None = None
    seed: int | None = None
    count: int | None = None
    steps: int | None = None
    guidance: float | None = None
    tile: str | None = None
    scheduler: str | None = None
    name: str | None = None
    template_image: str | None = None
    strength: float | None = None
    fit: str | None = None
    region: str | None = None
    mask: str | None = None
    model: str | None = None
    vae: str | None = None
    parts: str | None = None
    upscale: int | None = None
    upscaler: str | None = None
    maps: str | None = None
    map_networks: str | None = None
    kind: str | None = None
    delight: str | None = None
    invert_relief: str | None = None
    variants: int | None = None
    sigmas: str | None = None
    detail: str | None = None
    loras: str | None = None
    embeddings: str | None = None
    clip_skip: int | None = None
    tileable: str | None = None
    control: str | None = None
    control_picture: str | None = None
    control_kind: str | None = None
    control_strength: str | None = None
    control_start: str | None = None
    control_end: str | None = None
    control_tileable: str | None = None
    style: str | None = None
    style_picture: str | None = None
    style_encoder: str | None = None
    style_strength: float | None = None
    cover: str | None = None
    feather: float | None = None
    wear_amount: float | None = None
    keep_edges: str | None = None


GUIDE_COLUMNS = tuple(field.name for field in fields(Wish) if field.name.startswith(("control", "style")))
_OF_BATCHES = (
    *("model", "vae", "parts", "upscale", "upscaler", "maps", "map_networks"),
    *("kind", "delight", "invert_relief", "sigmas", "tileable"),
    *("cover", "feather", "wear_amount", "keep_edges"),
)
BATCH_COLUMNS = tuple(field.name for field in fields(Wish) if field.name != "line")
COLUMNS = tuple(name for name in BATCH_COLUMNS if name not in _OF_BATCHES)
# Of the panel, whose pictures and files are chosen there.
LIST_COLUMNS = ("prompt", "negative", "size", "seed", "count", "variants", "steps", "guidance", "tile", "scheduler")


def listed(text: str | None) -> list[str]:
    """What stands in one cell: one a line, or with semicolons between."""
    return [part.strip() for part in re.split(r"[;\n]", text or "") if part.strip()]


def parse(data: bytes, file: str, columns: Sequence[str] = COLUMNS, wrong: list[UserError] | None = None) -> list[Wish]:
    """The wishes of a file. `file` is its name: for messages, and its end for what it holds. Raises `UserError`.

    columns: which there may be. wrong: takes what is wrong with single lines, which are then left out; without it, the
    first one is raised. What begins with "#" is a comment. A line of names of columns with "prompt" among them is a
    header, in any file.
    """
    wishes = []
    for read in _readers(data, file, columns):
        try:
            wishes.append(read())
        except UserError as error:
            if wrong is None:
                raise
            wrong.append(error)
    return wishes


def _readers(data: bytes, file: str, columns: Sequence[str]) -> Iterator[Callable[[], Wish]]:
    """What reads each line."""
    lines = _decode(data, file).splitlines()
    if lines and re.fullmatch(r'"?sep=.\W*', lines[0], re.IGNORECASE):  # a word of Excel's to itself
        lines[0] = ""
    kept = [(number, line) for number, line in enumerate(lines, start=1) if _says_something(line)]
    if not kept:
        raise _bad(f"{file} holds no prompt.", "Write one per line.")
    first, suffix = kept[0][1].strip(), file.lower().rpartition(".")[2]
    separator = next((mark for mark in "\t;," if mark in first), ",")
    try:
        header = [_column(cell) for cell in next(csv.reader([first], delimiter=separator))]
    except csv.Error:  # longer than a cell may be
        header = []
    if suffix in ("jsonl", "ndjson", "json") or first.startswith("{"):
        yield from (partial(_of_object, line, number, file, columns) for number, line in kept)
    elif suffix in ("csv", "tsv") or ("prompt" in header and set(header) <= set(columns)):
        yield from _of_table("\n".join(lines), header, separator, file, columns)
    else:
        yield from (partial(Wish, line.strip(), number) for number, line in kept)


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _decode(data: bytes, file: str) -> str:
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    if data.startswith(b"PK\3\4"):
        raise _bad(f"{file} is a spreadsheet's own file.", "Save it from there as CSV, UTF-8.")
    encoding = next((name for mark, name in marks.items() if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and data[1:2] == b"\0":  # without its mark, as some programs leave it
        encoding = "utf-16-le"
    elif encoding == "utf-8" and data[:1] == b"\0":
        encoding = "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        hint = "Save it as UTF-8; in Excel as the kind “CSV UTF-8”."  # its other kind is of no known code page
        raise _bad(f"{file} is not UTF-8 text or UTF-16.", hint) from error
    if "\0" in text:
        raise _bad(f"{file} is no text.", "Save it as UTF-8.")
    return text


def _column(cell: str) -> str:
    name = cell.strip().lower().replace(" ", "_")
    return _OTHER_NAMES.get(name, name)


def _of_table(
    text: str, header: list[str], separator: str, file: str, columns: Sequence[str]
) -> Iterator[Callable[[], Wish]]:
    if "prompt" not in header:
        raise _bad(f"{file} has no column prompt.", f"Its first line must name its columns: {', '.join(columns)}.")
    _check_columns(header, file, columns)
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    seen_header = False
    for cells in _rows(reader, file):
        if not cells or not "".join(cells).strip() or cells[0].lstrip().startswith("#"):
            continue
        if not seen_header:
            seen_header = True
            continue
        yield partial(_of_cells, cells, header, reader.line_num, file)


def _rows(reader: Any, file: str) -> Iterator[list[str]]:
    """The rows of a table. A quote that is never closed would make all that follows one cell of its row."""
    number = 0
    try:
        for cells in reader:
            number = reader.line_num
            yield cells
    except csv.Error as error:
        hint = 'A cell that begins with " ends with one; write "" for one inside.'
        raise _bad(f"{file}, line {number + 1}, is no row of a table ({error}).", hint) from error


def _of_cells(cells: list[str], header: list[str], number: int, file: str) -> Wish:
    if len(cells) > len(header):
        raise _bad(f"{file}, line {number}, has more cells than columns.", "Put commas into quotes.")
    return _wish(dict(zip(header, cells, strict=False)), number, file)


def _of_object(line: str, number: int, file: str, columns: Sequence[str]) -> Wish:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad(f"{file}, line {number}, is not JSON.", "Write one object a line.") from error
    if isinstance(entry, str):
        entry = {"prompt": entry}
    if not isinstance(entry, dict):
        raise _bad(f"{file}, line {number}, is no object.", 'Write lines such as {"prompt": "old brick wall"}.')
    named = {_column(str(key)): value for key, value in entry.items()}
    _check_columns(named, f"{file}, line {number},", columns)
    return _wish(named, number, file)


def _check_columns(names: Mapping[str, Any] | list[str], place: str, columns: Sequence[str]) -> None:
    unknown = [name for name in names if name not in columns]
    if unknown:
        near = get_close_matches(unknown[0], columns, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(columns)}."
        raise _bad(f"{place} has the column {unknown[0]!r}, which is not known.", hint)
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice:
        raise _bad(f"{place} has the column {twice!r} twice.", "Remove one; some columns have two names.")


def _wish(named: Mapping[str, Any], line: int, file: str) -> Wish:
    values: dict[str, Any] = {}
    for name, value in named.items():
        if isinstance(value, list):  # whose empty parts keep their places
            text = "\n".join("" if part is None else str(part) for part in value)
        else:
            text = "" if value is None else str(value).strip()
        if not text.strip():
            continue
        if name in _NUMBERS:
            try:
                # A comma before decimals, as in German.
                values[name] = _NUMBERS[name](re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", text))
            except ValueError as error:
                raise _bad(f"{file}, line {line}: {text!r} is no number for {name}.", "Correct it.") from error
        else:
            values[name] = text
    if "prompt" not in values:
        raise _bad(f"{file}, line {line}, has no prompt.", "Describe the texture in a few words.")
    return Wish(line=line, **values)


def _bad(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
