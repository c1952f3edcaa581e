# SPDX-License-Identifier: GPL-3.0-or-later
"""Families: what a descriptor must hold, and that nothing else in the code knows any of them by name."""

from pathlib import Path

import pytest

from addon.core import families
from addon.core.families.family import Family
from addon.core.requests.texture import MAX_SIDE, MIN_SIDE, Scheduler

ADDON = Path(__file__).resolve().parents[2] / "addon"
# Each family's module is named so in both rooms, and so are the names by which one could ask for it elsewhere.
NAMES = {
    "stable_diffusion": ("stable_diffusion", "StableDiffusionPipeline", "Stable Diffusion"),
    "sdxl": ("sdxl", "StableDiffusionXLPipeline"),
}


def test_every_family_has_a_module_of_its_own() -> None:
    found = {path.stem for path in (ADDON / "core/families").glob("*.py")} - {"__init__", "catalogue", "family"}
    assert found - {"u_net"} == set(NAMES)
    assert len(families.FAMILIES) == len({family.pipeline for family in families.FAMILIES}) == len(NAMES)


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.pipeline)
def test_a_descriptor_is_complete(family: Family) -> None:
    assert families.by_pipeline(family.pipeline) is family
    assert family.components[family.denoiser].has_weights
    assert {"vae", "scheduler"} <= set(family.components)
    assert family.prediction_type in family.schedulers
    assert all(Scheduler.MODEL in fitting for fitting in family.schedulers.values())
    assert MIN_SIDE <= family.defaults.size <= MAX_SIDE
    assert {part.library for part in family.components.values()} <= {"diffusers", "transformers"}


@pytest.mark.parametrize("name", ["NonePipeline", None, ["a", "b"], {}, ""])
def test_an_unknown_pipeline_is_of_no_family(name: object) -> None:
    assert families.by_pipeline(name) is None


@pytest.mark.parametrize("module", NAMES)
def test_a_family_is_named_in_its_module_of_each_room_and_in_the_lists_alone(module: str) -> None:
    found = {
        path.relative_to(ADDON).as_posix()
        for path in ADDON.rglob("*.py")
        if any(name.casefold() in path.read_text(encoding="utf-8").casefold() for name in NAMES[module])
    }
    rooms = ("core/families", "engine/families")
    assert found == {f"{room}/{file}.py" for room in rooms for file in ("__init__", module)}
