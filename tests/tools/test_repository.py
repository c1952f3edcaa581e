# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every source file: its licence, and a first line that says what it is for."""

import ast
from pathlib import Path

import pytest

from tools.machine import ROOT

PRESETS = ROOT / "addon" / "blender" / "settings" / "shipped"  # data in the form that Blender gives a preset
SOURCES = sorted(
    path
    for folder in ("addon", "tests", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(PRESETS)
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_source_file_names_its_licence_and_its_purpose(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")
    assert ast.get_docstring(ast.parse(source))
