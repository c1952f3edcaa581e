# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of the engine's packages: what uv resolves, which wheel is taken, how it is written."""

import json

import pytest

from tools import locking
from tools.locking import PLATFORMS, File, Index
from tools.machine import MachineError

RESOLVED = """\
torch==2.14.1+cu130 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # from https://torch.example/whl/cu130
pillow==13.0.0 ; sys_platform == 'linux' \\
    --hash=sha256:{a}
""".format(a="a" * 64, b="b" * 64)
PLATFORM = {platform.name: platform for platform in PLATFORMS}


class Pages(Index):
    """An index that lists these files."""

    def __init__(self, *files: File) -> None:
        self.listed = list(files)

    def files(self, project: str, index: str = "") -> list[File]:
        return self.listed


def wheel(name: str, digest: str = "a") -> File:
    return File(name, f"https://index.example/{name}", 1, digest * 64)


def chosen(system: str, *names: str, python: str = "3.11") -> str:
    index = Pages(*(wheel(name) for name in names))
    version = names[0].split("-")[1]
    return locking.choose(index, "stone", version, {"a" * 64}, "", python, PLATFORM[system]).name


def test_what_uv_resolves_is_read() -> None:
    torch, pillow = locking.parse(RESOLVED, "https://index.example/simple")
    assert torch == ("torch", "2.14.1+cu130", {"a" * 64, "b" * 64}, "https://torch.example/whl/cu130")
    assert pillow == ("pillow", "13.0.0", {"a" * 64}, "https://index.example/simple")


def test_the_wheel_that_fits_best_is_taken() -> None:
    every = (
        "stone-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "stone-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "stone-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
        "stone-1.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        "stone-1.0-cp311-cp311-win_amd64.whl",
        "stone-1.0-cp311-cp311-macosx_11_0_arm64.whl",
        "stone-1.0-cp39-abi3-manylinux_2_28_aarch64.whl",
        "stone-1.0-py3-none-any.whl",
        "stone-2.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    )
    assert chosen("linux-x86_64", *every) == every[0]
    assert chosen("linux-x86_64", *every, python="3.13") == every[3]
    assert chosen("windows-x86_64", *every) == every[4]
    assert chosen("macos-arm64", *every) == every[5]
    assert chosen("linux-arm64", *every) == every[6]
    assert chosen("windows-x86_64", *every, python="3.14") == every[7]


def test_a_wheel_whose_hash_was_not_resolved_is_not_taken() -> None:
    index = Pages(wheel("stone-1.0-py3-none-any.whl", "c"))
    with pytest.raises(MachineError, match=r"no wheel of stone 1\.0 for Python 3\.11 on linux-x86_64"):
        locking.choose(index, "stone", "1.0", {"a" * 64}, "", "3.11", PLATFORM["linux-x86_64"])


def test_a_list_is_written_one_wheel_a_line() -> None:
    data = {
        "format": 1,
        "backend": "index",
        "verified": [],
        "wheels": {"b.whl": [2, "x"], "a.whl": [1, "y"]},
        "targets": {"cp311-linux-x86_64": ["a.whl", "b.whl"]},
    }
    text = locking.dumps(data)
    assert json.loads(text) == data
    assert text.index('\n  "a.whl": [1, "y"],\n') < text.index('\n  "b.whl": [2, "x"]\n')
