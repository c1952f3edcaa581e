# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go one way: core <- host <- blender, core <- engine. Reads the sources and imports none of them."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "addon"

ROOMS = {
    "core": {"core"},
    "host": {"core", "host"},
    "engine": {"core", "engine"},
    "blender": {"core", "host", "blender"},
}
# The wings of Blender's room, from the ground up: each may import those before it.
WINGS = ("common", "settings", "pictures", "material", "jobs", "history", "install", "shell")
STRANGERS = {"history", "install"}  # they know nothing of each other
# What each room may import besides the standard library. accelerate is what diffusers' offloading consists of,
# torchvision what spandrel needs; it reads 16-bit PNGs. ray is what batches run on where a user has installed it;
# fsspec, which comes with torch, carries them to URLs.
PACKAGES = {
    "core": {"numpy"},
    "host": set(),
    "engine": {
        "numpy",
        "torch",
        "diffusers",
        "transformers",
        "accelerate",
        "safetensors",
        "huggingface_hub",
        "PIL",
        "spandrel",
        "torchvision",
        "ray",
        "fsspec",
    },
    "blender": {
        "bl_operators",
        "bl_ui",
        "bpy",
        "bpy_extras",
        "bpy_types",
        "bmesh",
        "blf",
        "gpu",
        "gpu_extras",
        "io_scene_gltf2",
        "mathutils",
    },
}
# Standard library, but a way to run what came from a file.
NEVER = {"pickle", "marshal", "shelve"}


def modules() -> list[Path]:
    return sorted(path.relative_to(ADDON) for path in ADDON.rglob("*.py"))


def imported(source: str, module: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and absolute name, in parts, of everything the module imports, at its top or later.

    What is imported relatively gets the name ("addon", room, ...).
    """
    package = ("addon", *module.parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            if node.level > len(package):
                start = ("..",)
            base = (*start, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield node.lineno, (*base, alias.name)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if function in ("__import__", "import_module"):
                yield node.lineno, tuple(str(node.args[0].value).split("."))


def wrong_arrows(source: str, module: Path) -> list[str]:
    """What the module, given by its path below addon/, may not import: one sentence each."""
    room = module.parts[0] if len(module.parts) > 1 else None
    wrong = []
    for line, name in imported(source, module):
        place = f"addon/{module.as_posix()}:{line}"
        if name[0] == "addon":
            target = name[1] if len(name) > 1 else None
            # The package's own __init__ leads to blender alone, and holds nothing that a room could want.
            allowed = {"blender"} if room is None else ROOMS[room]
            if target not in allowed:
                wrong.append(f"{place}: {room or 'addon'} may not import {target or 'addon'}")
        elif name[0] in NEVER:
            wrong.append(f"{place}: {name[0]} may not be imported anywhere")
        elif name[0] not in sys.stdlib_module_names and name[0] not in PACKAGES.get(room or "", set()):
            wrong.append(f"{place}: {room or 'addon'} may not import {name[0]}")
    return wrong


def wing_of(name: tuple[str, ...]) -> str | None:
    """The wing that a name ("addon", "blender", wing, ...) lies in."""
    return name[2] if len(name) > 2 and name[:2] == ("addon", "blender") else None


def arrows_upwards(source: str, module: Path) -> list[str]:
    """Imports of a wing that lies above the module's own, or that is not to be known there: one sentence each."""
    own = wing_of(("addon", *module.parts)) if len(module.parts) > 2 else None
    wrong = []
    for line, name in imported(source, module):
        target = wing_of(name)
        if own is None or target in (None, own):
            continue
        up = target not in WINGS or WINGS.index(target) > WINGS.index(own)
        if up or {own, target} == STRANGERS:
            wrong.append(f"addon/{module.as_posix()}:{line}: {own} may not import {target}")
    return wrong


def circles(sources: dict[Path, str]) -> list[list[str]]:
    """Groups of files that import each other in a loop, at the top or inside a function."""
    names = {
        (*path.parent.parts, path.stem) if path.stem != "__init__" else path.parent.parts: path for path in sources
    }
    arrows: dict[Path, set[Path]] = {}
    for path, source in sources.items():
        targets = (name[1:] for _line, name in imported(source, path) if name[0] == "addon")
        found = {names.get(target) or names.get(target[:-1]) for target in targets}
        arrows[path] = {target for target in found if target and target.stem != "__init__"} - {path}
    reached = {path: _reach(path, arrows) for path in sources}
    loops = {frozenset(other for other in reached[path] if path in reached[other]) for path in sources}
    return sorted(sorted(path.as_posix() for path in loop) for loop in loops if loop)


def _reach(start: Path, arrows: dict[Path, set[Path]]) -> set[Path]:
    """The files that lie behind one, also over others; the file itself only where a loop leads back to it."""
    seen: set[Path] = set()
    todo = [start]
    while todo:
        new = arrows[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def late_imports(source: str) -> list[int]:
    """Lines inside functions that import something of our own: such a line can hide a circle."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [node.lineno for node in ast.walk(function) if isinstance(node, ast.ImportFrom) and node.level]
    return sorted(set(found))


def absolute_imports(source: str, module: Path) -> list[str]:
    """Imports of our own code by the name `addon`: installed, the package is `bl_ext.<repo>.tilewright`."""
    return [
        f"addon/{module.as_posix()}:{node.lineno}"
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "addon")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "addon" for alias in node.names))
    ]


@pytest.mark.parametrize("module", modules(), ids=Path.as_posix)
def test_imports_go_in_one_direction(module: Path) -> None:
    source = (ADDON / module).read_text(encoding="utf-8")
    assert wrong_arrows(source, module) == []


@pytest.mark.parametrize("module", modules(), ids=Path.as_posix)
def test_own_code_is_imported_relatively(module: Path) -> None:
    assert absolute_imports((ADDON / module).read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize("module", modules(), ids=Path.as_posix)
def test_wings_import_only_those_below(module: Path) -> None:
    assert arrows_upwards((ADDON / module).read_text(encoding="utf-8"), module) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles({module: (ADDON / module).read_text(encoding="utf-8") for module in modules()}) == []


@pytest.mark.parametrize("module", [module for module in modules() if module.parts[0] == "blender"], ids=Path.as_posix)
def test_nothing_of_our_own_is_imported_inside_a_function(module: Path) -> None:
    assert late_imports((ADDON / module).read_text(encoding="utf-8")) == []


def test_every_wing_is_known() -> None:
    found = {module.parts[1] for module in modules() if module.parts[0] == "blender" and len(module.parts) > 2}
    assert found == set(WINGS)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("blender/common/a.py", "from ..settings import models"),
        ("blender/jobs/a.py", "from ..history.browse import result"),
        ("blender/history/a.py", "from ..install import setup"),
        ("blender/install/a.py", "from ..history import browse"),
        ("blender/settings/a.py", "def late():\n    from ..shell import sidebar"),
        ("blender/jobs/a.py", "from ...blender.shell import sidebar"),
        ("blender/jobs/a.py", "from ..attic import trunk"),
    ],
)
def test_an_arrow_upwards_is_found(module: str, source: str) -> None:
    assert len(arrows_upwards(source, Path(module))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("blender/jobs/a.py", "from ..common import state\nfrom . import pump\nfrom ...core import errors"),
        ("blender/shell/a.py", "from ..history import panel\nfrom ..install import setup"),
        ("blender/__init__.py", "from .shell import sidebar"),
    ],
)
def test_an_arrow_downwards_passes(module: str, source: str) -> None:
    assert arrows_upwards(source, Path(module)) == []


def test_a_circle_is_found_also_through_a_function() -> None:
    sources = {
        Path("core/a.py"): "from . import b",
        Path("core/b.py"): "from .inner import c",
        Path("core/inner/c.py"): "def late():\n    from ..a import name",
        Path("core/d.py"): "from . import a",
    }
    assert circles(sources) == [["core/a.py", "core/b.py", "core/inner/c.py"]]


def test_an_import_inside_a_function_is_found() -> None:
    assert late_imports("from . import a\ndef late():\n    from . import b\n    import json") == [3]


def test_every_folder_with_code_is_a_known_room() -> None:
    assert {module.parts[0] for module in modules() if len(module.parts) > 1} <= set(ROOMS)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core/a.py", "import torch"),
        ("core/a.py", "import bpy"),
        ("core/a.py", "import PIL.Image"),
        ("core/a.py", "from ..host import process"),
        ("core/a.py", "from .. import engine"),
        ("core/a.py", "from ..host.process import Worker"),
        ("core/inner/a.py", "from ...engine import generate"),
        ("core/a.py", "def late():\n    import torch"),
        ("core/a.py", "import importlib\nimportlib.import_module('torch.nn')"),
        ("core/a.py", "import pickle"),
        ("host/a.py", "import numpy"),
        ("host/a.py", "from ..engine.worker import main"),
        ("host/a.py", "from ..blender import pump"),
        ("engine/a.py", "import bpy"),
        ("engine/a.py", "from ..host import store"),
        ("engine/a.py", "import scipy"),
        ("engine/a.py", "from ..blender import images"),
        ("blender/a.py", "import torch"),
        ("blender/a.py", "from ..engine import maps"),
        ("blender/a.py", "if True:\n    from diffusers import DiffusionPipeline"),
        ("blender/a.py", "from ... import other_extension"),
        ("__init__.py", "import bpy"),
        ("__init__.py", "from .core import request"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, source: str) -> None:
    assert len(wrong_arrows(source, Path(module))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core/a.py", "import json\nimport numpy as np\nfrom . import errors\nfrom .errors import UserError"),
        (
            "host/a.py",
            "import subprocess\nfrom ..core import protocol\nfrom ..core.jobs import Job\nfrom . import store",
        ),
        (
            "engine/a.py",
            "import torch\nfrom diffusers.hooks import ModelHook\nfrom ..core.requests.texture import Axes",
        ),
        (
            "blender/a.py",
            "import bpy\nfrom bpy.props import IntProperty\nfrom ..host import session\nfrom . import pump",
        ),
        ("__init__.py", "def register():\n    from . import blender"),
    ],
)
def test_a_right_arrow_passes(module: str, source: str) -> None:
    assert wrong_arrows(source, Path(module)) == []
    assert absolute_imports(source, Path(module)) == []


def test_an_absolute_import_of_own_code_is_found() -> None:
    assert absolute_imports("from addon.core import request", Path("host/a.py")) == ["addon/host/a.py:1"]
    assert absolute_imports("import addon.core", Path("host/a.py")) == ["addon/host/a.py:1"]
