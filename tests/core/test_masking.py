# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports name nobody, and still tell which file it was."""

import pytest

from addon.core.masking import mask

HOMES = ["/home/anna", "C:\\Users\\Anna Maria"]
NAMES = ["anna", "workstation7"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Cannot write to /home/anna/secret project/results: disk full.", None),
        ('File "/home/anna/.config/blender/x/pump.py", line 3', 'File "…/x/pump.py", line 3'),
        ("C:\\Users\\Anna Maria\\AppData\\x\\python.exe is gone", None),
        ("/mnt/customer/model.safetensors cannot be read", "…/model.safetensors cannot be read"),
        ("\\\\server\\share\\customer\\a.png", "…/a.png"),
        ("http://anna:secret@index.example/simple failed", "http://index.example/simple failed"),
        ("ANNA on workstation7", "user on user"),
        (
            "banana 3/4, and/or, 1.5 GB/s, https://example.org/a/b",
            "banana 3/4, and/or, 1.5 GB/s, https://example.org/a/b",
        ),
        ("~/models and 512x512", "~/models and 512x512"),
    ],
)
def test_what_names_the_user_is_masked(text: str, masked: str | None) -> None:
    found = mask(text, HOMES, NAMES)
    if masked is not None:
        assert found == masked
    for secret in ("anna", "Anna", "secret", "Users", "/home", "workstation7"):
        assert secret not in found.replace("banana", "")


def test_short_names_are_left_alone() -> None:
    assert mask("a bc", [], ["a", "bc"]) == "a bc"
