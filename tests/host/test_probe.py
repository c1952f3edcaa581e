# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python that the user names: what is said of it."""

import sys
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.host import probe


def told(folder: Path, text: str) -> Path:
    """A program that says that."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    script.chmod(0o755)
    return script


ALL = dict.fromkeys(probe.REQUIRED, "99.0")


def answer(packages: dict[str, str], error: str = "", devices: tuple[str, ...] = ()) -> str:
    import json

    return "noise\nTOLD " + json.dumps(
        {"python": "3.11.9", "packages": packages, "error": error, "devices": list(devices)}
    )


def complaint(python: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        probe.ask(python, seconds=10)
    assert caught.value.kind is ErrorKind.RUNTIME
    assert str(python) in caught.value.message
    return caught.value


def test_a_python_with_all_packages_tells_where_it_computes(tmp_path: Path) -> None:
    found = probe.ask(told(tmp_path, answer(ALL, devices=("A Card",))))
    assert found.text == "Python 3.11.9 with torch 99.0 has all 10 packages. It computes on A Card."
    assert "on the processor" in probe.ask(told(tmp_path, answer(ALL))).text


def test_all_that_is_missing_or_too_old_is_listed(tmp_path: Path) -> None:
    packages = {**ALL, "diffusers": "0.37.1", "numpy": "1.26.4+x"}
    del packages["torch"], packages["peft"]
    error = complaint(told(tmp_path, answer(packages)))
    assert "lacks torch, peft and is too old in diffusers 0.37.1." in error.message
    assert error.hint == 'Install there: pip install "torch>=2.10" "diffusers>=0.38" "peft>=0.17"'


def test_this_python_lacks_torch() -> None:
    assert "lacks torch" in complaint(Path(sys.executable)).message


def test_torch_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    error = complaint(told(tmp_path, answer(ALL, error="OSError: libcuda.so is broken")))
    assert "torch does not work" in error.message
    assert "libcuda.so is broken" in error.message


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    assert "is not a Python that the engine can use" in complaint(told(tmp_path, "hello")).message
    assert "cannot be started" in complaint(tmp_path / "nowhere").message


def test_one_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 20\n")
    script.chmod(0o755)
    with pytest.raises(UserError, match=r"did not answer within 0\.2 s"):
        probe.ask(script, seconds=0.2)
