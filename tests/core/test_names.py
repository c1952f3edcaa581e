# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that lead elsewhere, wherever a name comes from a user or a file: refused, and nothing outside is touched."""

import json
import os
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.families import catalogue
from addon.core.model_files import folder as model_folder
from addon.core.naming import image_name, slug
from addon.core.requests.texture import TextureRequest
from addon.core.results import draft

ODD = [
    "..",
    "../..",
    "../../outside",
    "starter/../../outside",
    "./starter",
    "C:\\Windows",
    "C:outside",
    "\\\\server\\share\\model",
    "//server/share/no model",
    "/dev/null",
    "/nowhere/at/all",
    "~",
    "~nobody of that name/model",
    "file:///etc/passwd",
    "https://example.org/model",
    "a" * 5000,
    "starter\n",
]


@pytest.mark.parametrize("name", ODD)
def test_fault_21_a_models_name_that_leads_elsewhere_is_refused_and_nothing_is_changed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "outside").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError) as caught:
        catalogue.resolve(TextureRequest("x", model=name).model)
    assert caught.value.kind is ErrorKind.MODEL
    assert sorted(os.listdir(tmp_path)) == ["here", "outside"]
    assert os.listdir(here) == os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize("prompt", ["../../x", "/etc/passwd", "C:\\x", "..", ".", "a/b\\c:d", "\n../", "~root"])
def test_fault_21_a_prompt_never_leads_a_result_out_of_the_store(prompt: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with draft(store, prompt, 1) as made:
        name = made.name
        assert made.folder.parent == store
    assert Path(name).name == name
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith(".")
    assert os.listdir(tmp_path) == ["store"]
    assert slug(prompt) == Path(slug(prompt)).name
    assert "\n" not in image_name(prompt, 1)


@pytest.mark.parametrize("part", ["../unet", "/unet", "C:\\unet", "..", "unet/../../unet"])
def test_fault_21_a_part_of_a_model_that_lies_elsewhere_is_refused(part: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    index = {"_class_name": "StableDiffusionPipeline", part: ["diffusers", "UNet2DConditionModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(UserError) as caught:
        model_folder.verify(folder)
    assert caught.value.kind is ErrorKind.MODEL
