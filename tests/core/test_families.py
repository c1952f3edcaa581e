# SPDX-License-Identifier: GPL-3.0-or-later
"""Families: what a descriptor must hold, and that nothing else in the code knows any of them by name."""

import importlib
import re
from pathlib import Path

import pytest

from addon.core import families
from addon.core.families.family import Family
from addon.core.requests.texture import MAX_SIDE, MIN_SIDE, Scheduler

ADDON = Path(__file__).resolve().parents[2] / "addon"
ROOMS = ("core/families", "engine/families")


def of_module(stem: str) -> Family | None:
    """The family that a module of core/families describes, None where it describes none."""
    names = vars(importlib.import_module(f"addon.core.families.{stem}")).values()
    found = [value for value in names if isinstance(value, Family)]
    return found[0] if found else None


MODULES = {
    path.stem: family
    for path in sorted((ADDON / ROOMS[0]).glob("*.py"))
    if path.stem != "__init__" and (family := of_module(path.stem))
}


def test_each_family_in_the_list_has_one_module_in_each_room_and_no_module_is_left_out() -> None:
    assert sorted(MODULES.values(), key=id) == sorted(families.FAMILIES, key=id)
    assert len({family.pipeline for family in families.FAMILIES}) == len(families.FAMILIES)
    for stem in MODULES:
        assert (ADDON / ROOMS[1] / f"{stem}.py").is_file()


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.pipeline)
def test_a_descriptor_is_complete(family: Family) -> None:
    assert families.by_pipeline(family.pipeline) is family
    assert not family.inpainting or families.by_pipeline(family.inpainting) is family
    assert family.components[family.denoiser].has_weights
    assert {"vae", "scheduler"} <= set(family.components)
    assert family.prediction_type in family.schedulers
    assert all(Scheduler.MODEL in fitting for fitting in family.schedulers.values())
    assert MIN_SIDE <= family.defaults.size <= MAX_SIDE
    assert {part.library for part in family.components.values()} <= {"diffusers", "transformers"}


@pytest.mark.parametrize("name", ["NonePipeline", None, ["a", "b"], {}, ""])
def test_an_unknown_pipeline_is_of_no_family(name: object) -> None:
    assert families.by_pipeline(name) is None


def test_no_code_outside_of_the_families_knows_one_by_name() -> None:
    """By its module's name, however it is spelt, or by its pipeline: its modules hold what is true of it."""
    spelt = [re.escape(stem).replace("_", "[_ ]?") for stem in MODULES]
    name = re.compile(rf"\b({'|'.join(spelt)})\b|" + "|".join(family.pipeline for family in MODULES.values()), re.I)
    found = [
        f"{path.relative_to(ADDON).as_posix()}: {match[0]}"
        for path in sorted(ADDON.rglob("*.py"))
        if path.parent.relative_to(ADDON).as_posix() not in ROOMS
        for match in name.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("stem", MODULES)
def test_a_familys_pipeline_and_module_are_named_in_its_own_module_and_the_list_alone(room: str, stem: str) -> None:
    name = re.compile(rf"\b{stem}\b|\b{MODULES[stem].pipeline}\b")
    found = {path.stem for path in (ADDON / room).glob("*.py") if name.search(path.read_text(encoding="utf-8"))}
    others = {"bases", "latent_spaces", "worth_having"}  # those speak of models that exist, run here or not
    assert found - {stem, *others} == {"__init__"}
