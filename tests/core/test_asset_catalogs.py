# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's catalogue file: what stands in it stays, and a catalogue is added once."""

from uuid import UUID

import pytest

from addon.core.asset_catalogs import add, clean, find

ID = "313ea471-7c81-4de6-af81-fb04c3535d0e"
FILE = f"# mine\n\nVERSION 1\n\n{ID}:Walls/Brick:Walls-Brick\n"


def test_new_file_has_its_version_before_the_catalogue() -> None:
    lines = [line for line in add("", "Tilewright").splitlines() if line and not line.startswith("#")]
    assert lines == ["VERSION 1", f"{find('', 'Tilewright')}:Tilewright:Tilewright"]


def test_what_stood_in_the_file_stays() -> None:
    added = add(FILE, "Tilewright")
    assert added.startswith(FILE)
    assert add(FILE.rstrip("\n"), "Tilewright") == added


def test_catalogue_that_is_there_keeps_its_id_and_is_not_added_again() -> None:
    assert find(FILE, "Walls/Brick") == ID
    assert add(FILE, "Walls/Brick") == FILE
    once = add(FILE, "Tilewright")
    assert add(once, "Tilewright") == once


def test_id_is_the_same_in_every_file() -> None:
    assert find("", "Tilewright") == find(FILE, "Tilewright")
    assert UUID(find("", "Tilewright"))
    assert find("", "Tilewright") != find("", "Tilewright/Stone")


def test_catalogue_that_was_renamed_is_not_added_again() -> None:
    """A user's word on where our assets are listed holds."""
    renamed = add("", "Tilewright").replace(":Tilewright:", ":Mine/Textures:")
    assert add(renamed, "Tilewright") == renamed


def test_broken_line_is_no_catalogue() -> None:
    assert find("nonsense:Tilewright:x\n", "Tilewright") == find("", "Tilewright")


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [("Tilewright", "Tilewright"), (" a / b//c ", "a/b/c"), ("a:b\\c\nd", "a-b/c d"), (" / ", ""), ("", "")],
)
def test_path_is_as_blender_keeps_it(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned
