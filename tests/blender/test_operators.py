# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators, menus and panels are registered, and errors are reported in one place. Reads the sources."""

import ast
import re
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / "addon" / "blender"
SOURCES = {
    file.relative_to(ROOM).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in ROOM.glob("*/*.py")
}
CLASSES = {
    (module, node.name): node
    for module, tree in SOURCES.items()
    for node in tree.body
    if isinstance(node, ast.ClassDef) and node.name.startswith("TILEWRIGHT_")
}


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_class_is_registered(module: str, name: str) -> None:
    (listed,) = [
        node.value
        for node in SOURCES[module].body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CLASSES"
    ]
    assert name in {node.id for node in ast.walk(listed) if isinstance(node, ast.Name)}


def test_every_module_with_classes_is_in_the_list() -> None:
    tree = ast.parse((ROOM / "__init__.py").read_text(encoding="utf-8"))
    names = {
        alias.asname or alias.name: f"{node.module}/{alias.name}.py"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    (listed,) = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_CLASSES"
    ]
    registered = {names[node.value.id] for node in ast.walk(listed) if isinstance(node, ast.Attribute)}
    assert registered >= {module for module, _name in CLASSES}


@pytest.mark.parametrize(("module", "name"), [key for key in CLASSES if "_OT_" in key[1]])
def test_operator_reports_as_all_do(module: str, name: str) -> None:
    """Through `reporting.Operator`, which has the only poll and execute; Blender's own base for presets has its own."""
    node = CLASSES[module, name]
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    assert not methods & {"poll", "execute"}
    assert [ast.unparse(base) for base in node.bases] != ["bpy.types.Operator"]


def test_errors_are_reported_in_one_place() -> None:
    texts = {module: (ROOM / module).read_text(encoding="utf-8") for module in SOURCES}
    found = [module for module, text in texts.items() for _ in re.finditer(r'report\(\{"ERROR"\}', text)]
    assert found == ["common/reporting.py"]
