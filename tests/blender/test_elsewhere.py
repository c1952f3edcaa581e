# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender with a worker behind a real sshd: the preferences, Check, Generate, and the models there."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.host import elsewhere
from tests import sshd

from .conftest import BLENDER, Blender

WINDOW = os.environ.get("BLENDER_WINDOW", "")
pytestmark = pytest.mark.skipif(bool(sshd.MISSING), reason=sshd.MISSING)


@pytest.fixture
def server(blender: Blender, tmp_path: Path) -> Iterator[sshd.Server]:
    made = sshd.Server(tmp_path / "server", elsewhere.version())
    blender.variables["PATH"] = f"{made.client}{os.pathsep}{os.environ['PATH']}"
    blender.variables["TILEWRIGHT_PYTHON"] = "/nowhere/python"  # there is no engine on this computer
    yield made
    made.close()


def make_model(folder: Path) -> Path:
    """What is read of a model before its weights are."""
    (folder / "scheduler").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"prediction_type": "epsilon"}))
    (folder / "unet").mkdir()
    (folder / "unet" / "config.json").write_text(json.dumps({"sample_size": 64}))
    return folder


def test_a_texture_comes_from_another_machine(blender: Blender, server: sshd.Server) -> None:
    model = make_model(server.root / "models" / "other")
    told = blender.run("elsewhere.checked_and_used", host=sshd.HOST, folder=str(server.root), model=str(model))
    assert Path(told["file"]).parent == blender.store / told["made"]
    assert told["command"].endswith(f"send {sshd.HOST} --folder {server.root}")
    assert f"{sshd.HOST} has no model /not/there." in told["unknown"]


def test_a_line_that_breaks_is_told_and_the_texture_comes(blender: Blender, server: sshd.Server) -> None:
    server.behave({"step_seconds": 0.2})
    asks = server.folder / "asks"

    def cut() -> None:
        while not asks.exists():
            time.sleep(0.02)
        server.line.cut()

    threading.Thread(target=cut, daemon=True).start()
    made = blender.run("elsewhere.line_breaks", host=sshd.HOST, folder=str(server.root), asks=str(asks))
    assert made == ["by a bad line"]


@pytest.mark.skipif(not (WINDOW and BLENDER), reason="BLENDER_WINDOW and BLENDER name no Blender with a window")
def test_blender_goes_on_drawing(blender: Blender, server: sshd.Server) -> None:
    blender.window = WINDOW
    blender.run("elsewhere.in_a_window", host=sshd.HOST, folder=str(server.root))


def test_without_online_access_nothing_leaves_this_computer(blender: Blender, server: sshd.Server) -> None:
    said = blender.run("elsewhere.is_reached_only_online", host=sshd.HOST)
    assert "Blender isn't allowed online, and elsewhere is in the network." in said
    assert b"Accepted" not in (server.folder / "sshd.log").read_bytes()


def test_a_machine_that_cannot_be_had_is_told_in_a_sentence(blender: Blender, server: sshd.Server) -> None:
    server.allowed.write_text("")
    said = blender.run("elsewhere.is_told", host=sshd.HOST, folder=str(server.root))
    assert f"{sshd.HOST} does not let you in." in said
    said = blender.run("elsewhere.is_told", host="-oProxyCommand=x", folder="/x")
    assert "'-oProxyCommand=x' is no host for ssh." in said
