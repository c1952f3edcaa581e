# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the engine's Python: who may name it, and what is said where it is not right."""

import sys
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.host.runtime import VARIABLE, Runtime, find


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def python(tmp_path):
    path = tmp_path / "bin" / "python"
    path.parent.mkdir()
    path.symlink_to(sys.executable)
    return path


def test_the_variable_comes_before_the_preferences(python, tmp_path, monkeypatch):
    assert find(str(python)) == Runtime(python, "preferences")
    monkeypatch.setenv(VARIABLE, str(python))
    assert find(str(tmp_path / "other")) == Runtime(python, VARIABLE)
    monkeypatch.setenv(VARIABLE, "  ")
    assert find(str(python)).source == "preferences"


def test_a_link_is_not_followed(python):
    # It is what makes an environment's Python find the environment.
    assert find(str(python)).python == python


def test_home_and_relative_paths_are_understood(python, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("~/bin/python").python == python
    monkeypatch.chdir(tmp_path)
    assert find(" bin/python ").python == python


def test_without_any_python_the_user_is_told_how_to_name_one():
    with pytest.raises(UserError) as caught:
        find()
    assert caught.value.kind is ErrorKind.RUNTIME
    assert VARIABLE in caught.value.hint
    assert "preferences" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("text", "may not be executed"),
        ("nul\0", "not exist"),
        ("n" * 300, "exist"),
    ],
)
def test_what_is_wrong_with_a_python_is_named(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("")
    (tmp_path / "text").chmod(0o644)
    with pytest.raises(UserError) as caught:
        find(str(tmp_path / name))
    assert caught.value.kind is ErrorKind.RUNTIME
    assert reason in caught.value.message
    assert str(Path(tmp_path / name)) in caught.value.message
    assert caught.value.hint
