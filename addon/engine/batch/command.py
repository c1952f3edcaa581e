# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the batch. Imports core and engine, torch only once there is something to make."""

import argparse
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from ...core.errors import ErrorKind, UserError
from ...core.map_files import SCHEMES
from ...core.prompt_files import BATCH_COLUMNS, Wish
from ...core.requests.detail import Detail
from ...core.requests.finish import LANCZOS, SCALES, STARTER_NETWORKS
from ...core.requests.texture import STARTER, Scheduler, Sigmas
from ...core.results import Result
from ...core.surface_kinds import SurfaceKind
from ..bootstrap import ENVIRONMENT
from . import making, on_ray, rows, sheet
from .making import CardLost, Maker, Outcome
from .progress import Progress
from .rows import BadRows, Task
from .shelf import Shelf
from .url_shelf import UrlShelf, is_url, shelf_at

_INTERRUPTED = 130
_MOST_TOLD = 20  # bad rows


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError(ErrorKind.REQUEST, f"{message[:1].upper()}{message[1:]}.", f"See: {self.prog} --help")


def main(arguments: list[str], maker: Callable[[], Maker] = making.with_models) -> int:
    """Run the command. 0 if every texture is made, 1 if not, 2 for a wrong table or command, 130 after Ctrl-C.

    maker: gives what makes the pictures.
    """
    try:
        options = _parser().parse_args(arguments)
        usual = rows.with_whole_paths(_usual(options), Path.cwd())
        tasks = rows.read(options.table, usual, options.template, options.names, options.export)
    except BadRows as bad:
        for error in bad.errors[:_MOST_TOLD]:
            _say(str(error))
        if len(bad.errors) > _MOST_TOLD:
            _say(f"And {len(bad.errors) - _MOST_TOLD} more rows are wrong.")
        return 2
    except UserError as error:
        _say(str(error))
        return 2
    except SystemExit as end:  # --help has been printed
        return int(end.code or 0)
    os.environ.update(ENVIRONMENT)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return _run(tasks, options, maker)
    except UserError as error:
        if error.kind is ErrorKind.DISK and not is_url(options.output):
            error = UserError(error.kind, error.message, "Free some space there and run this again, or name another.")
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Interrupted; what was finished is kept, and the same command goes on from there.")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    # allow_abbrev: what is short for one option today may be short for two tomorrow
    parser = _Parser(prog="batch", description="Hundreds of seamless textures from a table.", allow_abbrev=False)
    columns = ", ".join(BATCH_COLUMNS)
    parser.add_argument("table", type=Path, metavar="TABLE", help=f"CSV or JSON lines with: {columns}")
    parser.add_argument("--output", required=True, metavar="DIR|URL", help="where the folders go, also s3://BUCKET/DIR")
    parser.add_argument(
        "--names",
        default=rows.USUAL_NAMES,
        metavar="SCHEME",
        help=f"of the folders ({rows.USUAL_NAMES}), of " + ", ".join(f"{{{name}}}" for name in rows.NAMES),
    )
    parser.add_argument("--template", default="", metavar="TEXT", help="words around {prompt}, or after it")
    for name, help_ in (
        ("negative", "what they must not show"),
        ("size", "N or WxH pixels, multiples of 64 (the model's own)"),
        ("model", f"an id, a file or a folder ({STARTER})"),
        ("vae", "a VAE instead of the model's own"),
        ("parts", "a model whose text encoders and VAE a denoiser alone takes (one beside it)"),
        ("upscaler", f"{STARTER_NETWORKS}, {LANCZOS} or a network's file"),
        ("maps", "height,normal,roughness,metallic,occlusion or all"),
        ("map-networks", "starter, filter or a folder"),
        ("loras", "FILE or FILE:WEIGHT, with semicolons between"),
        ("embeddings", "files of textual inversions, with semicolons between"),
        ("template-image", "a picture to start from"),
        ("fit", "stretch, crop or tile"),
        ("region", "all, mask, alpha, seam, grow or wear: which part of it is made anew (all; mask with --mask)"),
        ("mask", "white is made anew, black stays"),
        ("cover", "yes or no: cover what is inside a mask with what fits from elsewhere first (yes)"),
        ("keep-edges", "yes or no: leave the pixels along the edges as they are (no)"),
        ("tileable", "auto, yes or no: make it repeat first (auto: where it doesn't)"),
        ("control", "ControlNets for the model, with semicolons between, as in all that follows"),
        ("control-picture", "what each reads"),
        ("control-kind", "depth, normal, edges, tile or other (by the ControlNet's name)"),
        ("control-strength", "0 to 2 (1)"),
        ("control-start", "from which part of the steps on, 0 to 1 (0)"),
        ("control-end", "up to which part of the steps, 0 to 1 (1)"),
        ("control-tileable", "auto, yes or no, as above"),
        ("style", "an IP-Adapter for the model"),
        ("style-picture", "the picture whose style they take"),
        ("style-encoder", "the adapter's image encoder (the one beside it)"),
    ):
        parser.add_argument(f"--{name}", metavar="TEXT", help=help_)
    parser.add_argument("--seed", type=int, metavar="N", help="of rows without one (from their words)")
    parser.add_argument("--count", type=int, metavar="N", help="textures for each row (1)")
    parser.add_argument("--steps", type=int, metavar="N", help="sampling steps (the model's own)")
    parser.add_argument("--guidance", type=float, metavar="F", help="guidance scale (the model's own)")
    parser.add_argument("--variants", type=int, metavar="N", help="tiles that fit: 1, 4, 8 or 16 (1)")
    parser.add_argument("--strength", type=float, metavar="F", help="how far from the template, 0 to 1 (by region)")
    parser.add_argument("--feather", type=float, metavar="F", help="how soft a new part's border is, 0 to 0.25 (1/64)")
    parser.add_argument("--wear-amount", type=float, metavar="F", help="the share that wears, 0 to 1 (0.5)")
    parser.add_argument("--style-strength", type=float, metavar="F", help="0 to 1 (0.6)")
    parser.add_argument("--detail", choices=[d.value.lower() for d in Detail], help="how large pieces are (medium)")
    parser.add_argument("--tile", choices=("xy", "x", "y", "none"), help="where they repeat (xy)")
    parser.add_argument("--scheduler", choices=[way.value.lower() for way in Scheduler], help="sampling method")
    parser.add_argument("--sigmas", choices=[way.value.lower() for way in Sigmas], help="how the noise is spread")
    parser.add_argument("--clip-skip", type=int, metavar="N", help="1: the text encoder's last layer, 2: one before")
    parser.add_argument("--upscale", type=int, choices=SCALES, help="how many times larger")
    parser.add_argument("--kind", choices=[kind.value.lower() for kind in SurfaceKind], help="what they are made of")
    parser.add_argument("--delight", action="store_const", const="yes", help="take shading out of the colors")
    parser.add_argument("--invert-relief", action="store_const", const="yes", help="maps with what is deep high")
    parser.add_argument("--export", default="", choices=tuple(SCHEMES), help="also packed as that program imports them")
    parser.add_argument("--blend", type=Path, metavar="FILE", help="at the end, all of them as assets in a .blend")
    parser.add_argument("--blender", default="blender", metavar="PROGRAM", help="one that has Tilewright, for --blend")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, xpu")
    parser.add_argument("--memory", default="auto", help="memory mode, as in the preferences")
    parser.add_argument("--ray", metavar="local|ADDRESS", help="many at once, on this machine or on a cluster of Ray's")
    parser.add_argument(
        "--cores", type=int, default=4, metavar="N", help="with --ray and no graphics card: of each (4)"
    )
    parser.add_argument("--actors", type=int, default=0, metavar="N", help="with --ray: at most so many (as fit)")
    return parser


def _usual(options: argparse.Namespace) -> Wish:
    """What the options say of rows that say nothing."""
    said = {name: getattr(options, name, None) for name in BATCH_COLUMNS if name != "prompt"}
    return Wish("", 0, **said)


def _run(tasks: Sequence[Task], options: argparse.Namespace, maker: Callable[[], Maker]) -> int:
    shelf = shelf_at(options.output)
    if options.blend is not None and isinstance(shelf, UrlShelf):
        hint = "Copy the output to a folder, and run: blender --background --command tilewright library DIR FILE.blend"
        raise UserError(ErrorKind.REQUEST, "A .blend refers to pictures of this machine, and not to a URL.", hint)
    shelf.sweep()
    made = shelf.made()
    left = rows.placed((task for task in tasks if task.id not in made), shelf.is_taken)
    if there := len(tasks) - len(left):
        _say(f"{there} of {len(tasks)} are made already.")
    failed = 0
    try:
        shelf.write_list(made.values())
        if left:
            failed = _make(left, shelf, made, _outcomes(left, shelf, options, maker))
    finally:
        shelf.close()
        _write_sheet(shelf, made.values())
        shelf.sweep()
    if options.blend is not None and made:
        _write_blend(shelf, options.blender, options.blend.absolute())
    return 1 if failed else 0


def _make(tasks: Sequence[Task], shelf: Shelf, made: dict[str, Result], outcomes: Iterator[Outcome]) -> int:
    """Take what comes, tell of it, and count what failed. made: takes the others. Raises `UserError` on a full disk."""
    progress, failed = Progress(len(tasks), sys.stderr), 0
    with contextlib.closing(progress):
        for task, outcome in outcomes:
            if isinstance(outcome, UserError):
                failed += 1
                progress.say(f"Line {task.line}: {outcome}")
                if outcome.kind is ErrorKind.DISK:  # it will be the same for the next
                    raise outcome
            else:
                made[task.id] = outcome
                shelf.append(outcome)
                for note in outcome.notes:
                    progress.say(f"Line {task.line}: {note}")
            progress.count(failed=isinstance(outcome, UserError))
    return failed


def _outcomes(
    tasks: Sequence[Task], shelf: Shelf, options: argparse.Namespace, maker: Callable[[], Maker]
) -> Iterator[Outcome]:
    if options.ray is None:
        return _one_by_one(tasks, shelf, options, maker)
    cluster = on_ray.Cluster(options.ray, options.cores, options.actors, options.device, options.memory)
    return on_ray.outcomes(tasks, shelf, cluster, maker)


def _one_by_one(
    tasks: Iterable[Task], shelf: Shelf, options: argparse.Namespace, maker: Callable[[], Maker]
) -> Iterator[Outcome]:
    """In this process, those of a model after each other."""
    make = maker()
    for _model, group in groupby(sorted(tasks, key=lambda task: task.model), key=lambda task: task.model):
        for task in group:
            try:
                yield task, making.make(make, task, shelf, options.device, options.memory)
            except UserError as error:
                yield task, error
            except CardLost as lost:
                raise lost.error from lost


def _write_sheet(shelf: Shelf, made: Iterable[Result]) -> None:
    """The contact sheet of all that is there, by folder; none where nothing is."""
    lines = [shelf.line(result) for result in sorted(made, key=lambda result: result.folder)]
    if lines:
        shelf.write(sheet.SHEET, sheet.page(shelf.root.name, lines))


def _write_blend(shelf: Shelf, blender: str, file: Path) -> None:
    """Have Blender make the asset library. Raises `UserError` (kind `TARGET`) where it does not."""
    command = [blender, "--background", "--command", "tilewright", "library", str(shelf.root), str(file)]
    hint = "Name a Blender that has Tilewright with --blender."
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise UserError(ErrorKind.TARGET, f"{blender} cannot be started: {error.strerror}.", hint) from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise UserError(ErrorKind.TARGET, f"Blender made no whole {file.name}: {last[0].rstrip('.')}.", hint)
    _say(f"{file} holds {len(shelf.made())} materials.")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
