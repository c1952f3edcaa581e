# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --background --command tilewright ...`: textures without a window. Imports bpy, core and host."""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import bpy

from ...core import picture_facts, prompt_files
from ...core.errors import ErrorKind, UserError
from ...core.jobs import Job
from ...core.model_files.kinds import Role
from ...core.naming import slug
from ...core.prompts import final
from ...core.protocol import ImageDone
from ...core.recipe import Recipe
from ...core.requests import Request
from ...core.requests.detail import Detail, parse_detail
from ...core.requests.extras import Embedding, Extras, Lora, parse_lora
from ...core.requests.finish import MapKind
from ...core.requests.texture import STARTER, Axes, Scheduler, Sigmas, Size
from ...core.results import BASE_COLOR, PART, Result, disk_errors
from ...host.session import Event, Session
from ...host.store import Store
from ..jobs import generation
from ..material import export_maps, tile_files
from ..settings import extras, library, models, request
from . import guide_options, library_command, models_commands, picture_commands, template_options, transition_options
from .guide_options import GuidesOf
from .picture_commands import Wanted
from .template_options import Templates

_MAX_PROMPTS = 16 << 20  # bytes of a file of prompts
_INTERRUPTED = 130
_CLOSED = 141  # as shells say of a program that a closed pipe has ended
_command: Any = None


class _Interrupted(Exception):
    """Ctrl-C."""


class _Closed(Exception):
    """Nobody reads standard output any more."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError(ErrorKind.REQUEST, f"{message[:1].upper()}{message[1:]}.", f"See: {self.prog} --help")


def main(arguments: list[str]) -> int:
    """Run the command. 0 if every texture was made, 1 if not, 2 for a wrong command line, 130 after Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
        wanted = [] if options.command in ("models", library_command.NAME) else _requests(options)
    except UserError as error:
        _complain(error)
        return 2
    except SystemExit as end:  # --help has been printed
        return int(end.code or 0)
    try:
        with _interruptions() as interruptions:
            if options.command == "models":
                return models_commands.run(options, interruptions)
            if options.command == library_command.NAME:
                return library_command.run(options, _path)
            return _generate(wanted, picture_commands.output(options, _path), options, interruptions)
    except UserError as error:
        _complain(error)
        return 1
    except (_Closed, BrokenPipeError):  # as of "| head": it has what it wanted
        return _CLOSED
    except models_commands.Stopped:
        _complain(UserError(ErrorKind.REQUEST, "Interrupted; what was downloaded is kept."))
        return _INTERRUPTED
    except _Interrupted:
        _complain(UserError(ErrorKind.REQUEST, "Interrupted; what was finished is kept."))
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    program = "blender --background --command tilewright"
    parser = _Parser(prog=program, description="Seamless textures from text, offline.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    # allow_abbrev: what is short for one option today may be short for two tomorrow
    generate = commands.add_parser("generate", help="make textures", prog=f"{program} generate", allow_abbrev=False)
    prompts = generate.add_mutually_exclusive_group(required=True)
    prompts.add_argument("--prompt", help="what the texture shows")
    prompts.add_argument(
        "--prompts", metavar="FILE", help=f"one a line, or CSV or JSON lines with: {', '.join(prompt_files.COLUMNS)}"
    )
    generate.add_argument("--again", action="store_true", help="make what is made of --prompts in --output once more")
    generate.add_argument("--template", default="", metavar="TEXT", help="words around {prompt}, or after it")
    generate.add_argument("--output", required=True, metavar="DIR", help="where the PNGs and results.jsonl go")
    generate.add_argument("--negative", default="", metavar="TEXT", help="what it must not show")
    generate.add_argument("--size", metavar="N|WxH", help="pixels, multiples of 64 (the model's own)")
    generate.add_argument("--steps", type=int, metavar="N", help="sampling steps (the model's own)")
    generate.add_argument("--guidance", type=float, metavar="F", help="guidance scale (the model's own)")
    generate.add_argument("--seed", type=int, metavar="N", help="0 to 2147483647 (random)")
    generate.add_argument("--count", type=int, default=1, metavar="N", help="textures for each prompt (1)")
    generate.add_argument("--variants", type=int, default=1, metavar="N", help="tiles that fit: 1, 4, 8 or 16 (1)")
    details = tuple(detail.value.lower() for detail in Detail)
    generate.add_argument("--detail", default="medium", choices=details, help="how large its pieces are (medium)")
    generate.add_argument("--tile", default="xy", choices=("xy", "x", "y", "none"), help="where it repeats (xy)")
    generate.add_argument("--model", default=STARTER, metavar="ID|FILE|FOLDER", help=f"the model ({STARTER})")
    generate.add_argument("--vae", metavar="FILE|FOLDER", help="a VAE instead of the model's own")
    generate.add_argument(
        "--parts", metavar="FILE|FOLDER", help="a model whose text encoders and VAE a denoiser alone takes (one beside)"
    )
    schedulers = tuple(scheduler.value.lower() for scheduler in Scheduler)
    generate.add_argument("--scheduler", default="model", choices=schedulers, help="sampling method (the model's own)")
    ways = tuple(sigmas.value.lower() for sigmas in Sigmas)
    generate.add_argument("--sigmas", default="model", choices=ways, help="how the noise is spread (the model's own)")
    generate.add_argument(
        "--lora", action="append", default=[], metavar="FILE[:WEIGHT]", help="a LoRA, with its weight (1); repeatable"
    )
    generate.add_argument(
        "--embedding", action="append", default=[], metavar="FILE", help="a textual inversion; repeatable"
    )
    generate.add_argument(
        "--clip-skip", type=int, default=0, metavar="N", help="1: the text encoder's last layer, 2: the one before"
    )
    generate.add_argument("--json", action="store_true", help="print JSON, in lines that start with {")
    template_options.add(generate)
    transition_options.add(generate)
    guide_options.add(generate)
    picture_commands.add_finish(generate)
    picture_commands.add_parsers(commands, program)
    models_commands.add_parser(commands, program, _Parser)
    library_command.add_parser(commands, program)
    return parser


def _requests(options: argparse.Namespace) -> list[Wanted]:
    """One for each prompt or picture. Raises `UserError`: a wrong command line is refused before anything is made."""
    if options.command in picture_commands.COMMANDS:
        return picture_commands.requests(options, _path)
    if options.prompts is None:
        guided = GuidesOf(options, _path)
        return [_request(options, prompt_files.Wish(options.prompt, 0), Templates(options, _path), guided)]
    path, wanted = _path(options.prompts), []
    templates, guided = Templates(options, _path, path.parent), GuidesOf(options, _path, path.parent)
    for wish in _read_prompts(path):
        try:
            wanted.append(_request(options, wish, templates, guided))
        except UserError as error:
            raise UserError(error.kind, f"{path.name}, line {wish.line}: {error.message}", error.hint) from error
    return wanted


def _request(options: argparse.Namespace, wish: prompt_files.Wish, templates: Templates, guided: GuidesOf) -> Wanted:
    """What a line says goes before what the whole command says."""

    def chosen(name: str) -> Any:
        value = getattr(wish, name)
        return getattr(options, name) if value is None else value

    model = (
        options.model
        if options.model == STARTER
        else str(library.path_of(options.model, _path, Role.CHECKPOINT, Role.DENOISER))
    )
    size, tile = chosen("size"), str(chosen("tile")).upper()
    if tile not in list(Axes):
        raise UserError(ErrorKind.REQUEST, f"{tile.lower()!r} is no way to repeat.", "Choose xy, x, y or none.")
    template, own_size, notes = templates.of(wish, Axes(tile))
    guides, more = guided.of(wish, Axes(tile))
    transition, tile_size = transition_options.of(options, _path)
    made = request.make(
        prompt=_final(options.template, wish.prompt, model),
        finish=picture_commands.finish(options),
        negative_prompt=chosen("negative"),
        size=tile_size or own_size if size is None else Size.parse(size),
        steps=chosen("steps"),
        guidance_scale=chosen("guidance"),
        seed=chosen("seed"),
        count=chosen("count"),
        variants=templates.variants(template, chosen("variants")),
        axes=Axes(tile),
        detail=parse_detail(chosen("detail")),
        scheduler=str(chosen("scheduler")).upper(),
        sigmas=options.sigmas.upper(),
        model=model,
        vae=str(library.path_of(options.vae, _path, Role.VAE)) if options.vae else "",
        parts=str(_path(options.parts)) if options.parts else "",
        template=template,
        transition=transition,
        extras=_extras(options, wish, templates.folder),
        guides=guides,
        **template_options.variation(options),
    )
    is_chosen = chosen("seed") is not None and (not options.variation or options.variation_seed is not None)
    return Wanted(made, slug(wish.name) if wish.name else "", is_seed_chosen=is_chosen, notes=notes + more)


def _extras(options: argparse.Namespace, wish: prompt_files.Wish, beside: Path | None) -> Extras:
    """Files are looked for where the command runs, those of a line beside its file, and then by name in the library.

    Raises `UserError`.
    """

    def file(text: str, of_line: bool) -> str:
        def place(name: str) -> Path:
            folder = beside if of_line else None
            return _path(name) if folder is None else (folder / os.path.expanduser(name)).absolute()

        path = library.path_of(text, place, Role.LORA, Role.EMBEDDING)
        return str(path if path.is_file() else extras.find(text) or path)

    loras = options.lora if wish.loras is None else prompt_files.listed(wish.loras)
    embeddings = options.embedding if wish.embeddings is None else prompt_files.listed(wish.embeddings)
    named = [(file(name, wish.loras is not None), weight) for name, weight in map(parse_lora, loras)]
    return Extras(
        tuple(Lora(name, weight=weight) for name, weight in named),
        tuple(Embedding(file(name, wish.embeddings is not None)) for name in embeddings),
        options.clip_skip if wish.clip_skip is None else wish.clip_skip,
    )


def _final(template: str, prompt: str, model: str) -> str:
    """The prompt as the model reads it; where that is a translation, or it lacks a word, standard error says so."""
    reading = final(template, prompt, models.vocabulary(model))
    if reading.read_as:
        print(f"Read as: {reading.read_as}", file=sys.stderr, flush=True)
    if reading.unknown:
        print(f"The model does not know: {', '.join(reading.unknown)}", file=sys.stderr, flush=True)
    return reading.text


def _path(text: str) -> Path:
    """A path as it was typed; shells leave the "~" of --output=~/x to the program."""
    return Path(os.path.expanduser(text)).absolute()


def _read_prompts(path: Path) -> list[prompt_files.Wish]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_PROMPTS + 1)
    except OSError as error:
        raise UserError(ErrorKind.REQUEST, f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > _MAX_PROMPTS:
        raise UserError(ErrorKind.REQUEST, f"{path} is too large for a list of prompts.")
    return prompt_files.parse(data, path.name)


def _unmade(wanted: Sequence[Wanted], output: Path) -> list[Wanted]:
    """What of a batch is not in the output yet, from an earlier run: by recipe, and by seed where that was chosen."""
    seeds: dict[str, list[int]] = {}
    for recipe in _recipes_in(output):
        seeds.setdefault(_key(recipe), []).append(recipe.seed)
    left = []
    for item in wanted:
        asked = item.request.as_texture()
        if item.is_seed_chosen:
            for single in map(asked.single, range(asked.count)):
                there = seeds.get(_key(single), [])
                if single.seed in there:
                    there.remove(single.seed)
                else:
                    left.append(replace(item, request=single))
        else:
            there = seeds.get(_key(asked), [])
            count = max(asked.count - len(there), 0)
            del there[: asked.count]
            if count:
                left.append(replace(item, request=replace(asked, count=count)))
    made = sum(item.request.count for item in wanted) - sum(item.request.count for item in left)
    if made:
        print(f"{made} already made; --again makes them again.", file=sys.stderr, flush=True)
    return left


def _key(asked: Request) -> str:
    """What two requests have in common if they make the same texture but for its seed."""
    known = guide_options.key(template_options.key(asked.to_json(), template_options.template_of(asked)))
    known = transition_options.key(known)
    return json.dumps({name: value for name, value in known.items() if name not in ("seed", "count")})


def _recipes_in(output: Path) -> Iterator[Request]:
    """The requests of what earlier commands made there and is still there. A line that is broken is passed over."""
    try:
        lines = (output / "results.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            record = json.loads(line)
            recipe = Recipe.from_json(record["recipe"])
            name = str(record["file"])
        except (UserError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if name == Path(name).name and (output / name).is_file():
            yield recipe.request


def _generate(wanted: Sequence[Wanted], output: Path, options: argparse.Namespace, interruptions: list[int]) -> int:
    """Make them one after the other; one that fails does not stop the others. Raises `UserError` where none can be."""
    if getattr(options, "prompts", None) is not None and not options.again:
        wanted = _unmade(wanted, output)
        if not wanted:
            return 0
    made = _Made(output, options.json, picture_commands.export(options), getattr(options, "tiles", False))
    # In a folder of our own, since the output is the user's, and what is cleaned may not be ours there.
    parts = Store(output / ".tilewright")
    parts.clean_parts()  # of commands that were killed
    store = parts.root / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
    with disk_errors(output):  # before an engine is started for it
        store.mkdir(parents=True)
    session = generation.make_session(store)
    failed = 0
    try:
        for item in wanted:
            made.name, made.profile, made.notes = item.name, item.profile, item.notes
            job = session.submit(item.request)
            _run(session, job, made, interruptions)
            error = job.error or made.error
            if error or len(job.results) < item.request.count:
                failed += 1
                _complain(error or UserError(ErrorKind.WORKER, "The engine made fewer textures than asked for."))
                made.error = None
    finally:
        session.close()
        shutil.rmtree(store, ignore_errors=True)
        with contextlib.suppress(OSError):  # another command is at work in there
            parts.root.rmdir()
    return 1 if failed else 0


def _run(session: Session, job: Job, made: "_Made", interruptions: list[int]) -> None:
    def tick(events: list[Event]) -> None:
        made.collect(events)
        if made.is_closed:
            raise _Closed
        if interruptions:
            raise _Interrupted

    try:
        session.wait(job, tick=tick)
    except (_Closed, _Interrupted):
        session.cancel_all()
        session.wait(job, timeout=5.0, tick=made.collect)
        raise


class _Made:
    """Moves each result out of the temporary store as soon as it is whole, and tells about it.

    error: why a result could not be moved. name, profile, notes: as `Wanted` has them, for what is made now.
    is_closed: nobody reads any more.
    """

    def __init__(self, output: Path, as_json: bool, export: export_maps.Wish | None, cuts: bool) -> None:
        self._output = output
        self._cuts = cuts  # whether each tile of a set becomes a file of its own
        self._as_json = as_json
        self._export = export
        self.error: UserError | None = None
        self.name, self.profile = "", b""
        self.notes: tuple[str, ...] = ()
        self.is_closed = False

    def collect(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event.message, ImageDone):
                try:
                    self._publish(event.message.result)
                except UserError as error:
                    self.error = error

    def _publish(self, result: Result) -> None:
        with disk_errors(self._output):
            file = _reserve(self._output, self._stem(result), result.path().suffix)
            picture_commands.move(result.path(), file)
            if self.profile:
                picture_facts.add_profile(file, self.profile)
            maps = {}
            for kind in MapKind:
                if kind.value in result.files:
                    source = result.path(kind.value)
                    target = _reserve(self._output, f"{file.stem}-{kind.value}", source.suffix)
                    picture_commands.move(source, target)
                    maps[kind.value] = target.name
            exported = self._written(file, maps)
            tiles: list[str] = []
            if self._cuts and result.recipe.sheet.count > 1:
                for name in exported or (file.name, *maps.values()):
                    tiles += [path.name for path in tile_files.cut(self._output / name, result.recipe.sheet)]
            notes = [*self.notes, *result.notes]
            line = json.dumps(
                {
                    "file": file.name,
                    **({"maps": maps} if maps else {}),
                    **({"export": exported} if exported else {}),
                    **({"tiles": tiles} if tiles else {}),
                    "recipe": result.recipe.to_json(),
                    "seam_score": result.seam_score,
                    "seconds": round(result.seconds, 3),
                    **({"notes": notes} if notes else {}),
                }
            )
            with (self._output / "results.jsonl").open("a", encoding="ascii") as index:
                index.write(line + "\n")
        for note in notes:
            print(f"Note: {note}", file=sys.stderr, flush=True)
        score = "not measured" if result.seam_score is None else f"{result.seam_score:.2f}"
        self._say(line if self._as_json else f"{file}  seam {score}  {result.seconds:.1f} s")

    def _stem(self, result: Result) -> str:
        asked = result.recipe.request
        return f"{self.name}-{asked.seed}" if self.name and asked.is_sampled else self.name or asked.file_stem

    def _say(self, text: str) -> None:
        """Print it, unless the reader has gone; what comes after goes nowhere, also what Python flushes at its end."""
        try:
            print(text, flush=True)
        except BrokenPipeError:
            self.is_closed = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    def _written(self, file: Path, maps: Mapping[str, str]) -> list[str]:
        """The names of what `--export` asked for."""
        if self._export is None:
            return []
        files = {BASE_COLOR: file} | {kind: self._output / name for kind, name in maps.items()}
        images = {}
        try:
            for kind, path in files.items():
                images[kind] = bpy.data.images.load(str(path), check_existing=False)
                images[kind].colorspace_settings.is_data = kind != BASE_COLOR
            return [path.name for path in export_maps.write(images, self._output, file.stem, self._export)]
        finally:
            for image in images.values():
                bpy.data.images.remove(image)


def _reserve(folder: Path, stem: str, suffix: str = ".png") -> Path:
    """A new, empty file: nothing that is there is overwritten, nor what another command makes at the same moment."""
    file, number = folder / f"{stem}{suffix}", 2
    while True:
        try:
            file.touch(exist_ok=False)
            return file
        except FileExistsError:
            file, number = folder / f"{stem}-{number}{suffix}", number + 1


@contextlib.contextmanager
def _interruptions() -> Iterator[list[int]]:
    """A list that Ctrl-C and a polite kill add to. Blender's own handler would only count them, and then exit.

    No exception: that could come between a result's arrival and its move out of the store.
    """
    interruptions: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        interruptions.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruptions
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _complain(error: UserError) -> None:
    if error.kind is ErrorKind.DISK:  # its hint speaks of the preferences
        error = UserError(error.kind, error.message, "Free some space there, or choose another --output.")
    print(error, file=sys.stderr, flush=True)


def register() -> None:
    global _command
    _command = bpy.utils.register_cli_command("tilewright", main)


def unregister() -> None:
    global _command
    if _command is not None:
        bpy.utils.unregister_cli_command(_command)
        _command = None
