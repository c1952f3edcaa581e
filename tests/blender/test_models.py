# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in the preferences and on the command line; the real hub's protocol is in `engine/test_hub.py`."""

import json
from pathlib import Path

import pytest

from tests.host.test_library import make_model

from .conftest import Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window


@pytest.fixture
def hub(blender: Blender, tmp_path: Path) -> Path:
    """A hub with one tiny model, and the engine's Python that asks it."""
    place = tmp_path / "hub"
    make_hub(place)
    blender.use_fake({"hub": str(place)})
    return place


def make_hub(place: Path) -> None:
    model = place / "somebody" / "tiny"
    make_model(model)
    for name in (
        "vae/config.json",
        "text_encoder/config.json",
        "tokenizer/vocab.json",
        "scheduler/scheduler_config.json",
    ):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text("{}")
    weights = (model / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    (model / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    (model / "text_encoder" / "model.safetensors").write_bytes(weights)


def test_from_a_search_to_a_texture(blender: Blender, hub: Path, tmp_path: Path) -> None:
    blender.run("models.from_a_search_to_a_texture", models=str(tmp_path / "models"))


def test_damage_is_found_and_mended(blender: Blender, hub: Path, tmp_path: Path) -> None:
    blender.run("models.damage_is_found_and_mended", models=str(tmp_path / "models"))


def test_what_is_added_stays_where_it_is(blender: Blender, hub: Path, tmp_path: Path) -> None:
    place = str(hub / "somebody" / "tiny")
    blender.run("models.what_is_added_stays_where_it_is", models=str(tmp_path / "models"), place=place)


def test_nothing_without_a_network(blender: Blender) -> None:
    blender.run("models.nothing_without_a_network")


def test_pickles_are_refused_before_anything_is_asked(blender: Blender) -> None:
    blender.run("models.pickles_are_refused_before_anything_is_asked")


def test_the_way_to_more_models_is_no_model(blender: Blender) -> None:
    blender.run("models.the_way_to_more_models_is_no_model")


def test_the_lists_of_what_can_be_had_are_drawn(blender: Blender) -> None:
    blender.run("models.the_lists_of_what_can_be_had_are_drawn")


def test_disabled_in_a_download(own_blender: Blender, tmp_path: Path) -> None:
    make_hub(tmp_path / "hub")
    own_blender.use_fake({"hub": str(tmp_path / "hub"), "hub_seconds": 1.0})
    own_blender.run("models.disabled_in_a_download", models=str(tmp_path / "models"))


@needs_window
def test_in_a_window(blender: Blender, hub: Path, tmp_path: Path) -> None:
    blender.window = WINDOW
    blender.run("models.in_a_window", models=str(tmp_path / "models"))


def test_the_command_line_lists_downloads_checks_and_removes(blender: Blender, hub: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, list[dict], str]:
        done = blender.command("models", *arguments, "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return done.returncode, lines, done.stderr

    blender.run("command_line.allow_online")
    code, lines, _ = run("list")
    assert code == 0
    assert [line["id"] for line in lines] == ["starter"]
    code, lines, _ = run("search", "tiny")
    assert [(line["repository"], line["commercial"]) for line in lines] == [("somebody/tiny", "yes")]
    code, lines, told = run("download", "somebody/tiny", "--dry-run")
    assert code == 0, told
    assert lines[0]["bytes"] > 0
    assert "apache-2.0. Commercial use: yes" in told
    code, lines, told = run("download", "somebody/tiny")
    assert code == 0, told
    folder = Path(lines[0]["folder"])
    assert (folder / "model_index.json").is_file()
    code, lines, _ = run("verify", "somebody/tiny")
    assert (code, lines[0]["damaged"]) == (0, [])
    (folder / "vae" / "config.json").write_text("broken")
    code, lines, _ = run("verify", "somebody/tiny")
    assert (code, lines[0]["damaged"]) == (1, ["vae/config.json"])
    assert run("download", "somebody/tiny")[0] == 0
    assert run("verify", "somebody/tiny")[0] == 0
    code, lines, _ = run("list")
    assert [line["id"] for line in lines] == ["starter", str(folder)]
    assert lines[1]["repository"] == "somebody/tiny"
    make_model(tmp_path / "mine")
    assert run("add", str(tmp_path / "mine"))[0] == 0
    assert len(run("list")[1]) == 3
    assert run("remove", str(tmp_path / "mine"))[0] == 0
    assert run("remove", "somebody/tiny")[0] == 0
    assert not folder.exists()
    assert (tmp_path / "mine").is_dir()
    code, lines, told = run("remove", "somebody/tiny")
    assert (code, lines) == (1, [])
    assert "There is no model somebody/tiny" in told
    code, _, told = run("download", "nobody/nothing")
    assert code == 1
    assert "has no nobody/nothing" in told


def test_the_command_line_asks_no_hub_where_it_may_not(blender: Blender, hub: Path) -> None:
    done = blender.command("models", "search", "tiny")
    assert done.returncode == 1
    assert "isn't allowed online" in done.stderr
    done = blender.command("models", "search")
    assert done.returncode == 0
    assert "Pattern Diffusion" in done.stdout
