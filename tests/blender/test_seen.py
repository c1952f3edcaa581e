# SPDX-License-Identifier: GPL-3.0-or-later
"""Linked is not shown: what is filled is what the object shows, rendered, or it is told why not, and what to do."""

from pathlib import Path

import pytest

from .conftest import Blender, make_blender
from .test_maps import ALL

SHOWN = (
    "plain",
    "output_of_the_other_engine",
    "output_of_this_engine",
    "mixed_in",
    "muted_mix",
    "group",
    "slot_of_the_object",
)
TOLD = {
    "output_of_one_engine_only": "It has no Material Output for this render engine. Add one",
    "mixed_out": "The factor 0 of Mix Shader hides one of its shaders. Change it",
    "muted_link": "The link to Surface of Material Output is muted. Unmute it",
    "muted_link_to_the_color": "The link to Base Color of Material is muted. Unmute it",
    "muted_principled": "The node Principled BSDF is muted. Unmute it",
    "diffuse": "Its surface is a Diffuse BSDF. Put a Principled BSDF in its place",
    "shared_group": "Its Principled BSDF is in the group Surface, which is used 2 times",
    "geometry_nodes": "Geometry Nodes of Cube show Green instead",
    "unassigned_slot": "No face of Cube has this material",
    "material_override": "The view layer shows Green on everything",
}


@pytest.fixture(scope="module")
def outcomes(
    installed_profile: Path, worker_python: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[bool, str]]:
    folder = tmp_path_factory.mktemp("seen")
    blender = make_blender(installed_profile, worker_python, folder)
    blender.use_fake(ALL)
    return blender.run("seen.outcomes", folder=str(folder))


@pytest.mark.parametrize("case", SHOWN)
def test_what_is_filled_is_seen(outcomes: dict[str, tuple[bool, str]], case: str) -> None:
    red, told = outcomes[case]
    assert red, told
    assert told.startswith("In Material, node")


@pytest.mark.parametrize("case", sorted(TOLD))
def test_what_is_not_seen_is_told_with_what_to_do(outcomes: dict[str, tuple[bool, str]], case: str) -> None:
    red, told = outcomes[case]
    assert not red
    assert TOLD[case] in told


def test_every_case_is_looked_at(outcomes: dict[str, tuple[bool, str]]) -> None:
    assert set(outcomes) == {*SHOWN, *TOLD}


def test_material_that_is_pinned_in_the_shader_editor_is_filled(blender: Blender) -> None:
    blender.use_fake(ALL)
    blender.run("seen.pinned_editor")


def test_group_is_as_before_after_a_walk_through_the_history(blender: Blender) -> None:
    blender.use_fake(ALL)
    blender.run("seen.group_is_tried_on_and_compared")
