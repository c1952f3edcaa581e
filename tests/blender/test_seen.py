# SPDX-License-Identifier: GPL-3.0-or-later
"""Linked is not shown: what is filled is what the object shows, rendered, or it is told why not, and what to do."""

from pathlib import Path

import pytest

from .conftest import Blender, make_blender
from .test_maps import ALL
from .test_window import WINDOW
from .test_window import pytestmark as needs_window

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


def test_shared_group_is_asked_about(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(ALL)
    blender.run("seen.shared_group_is_asked_about", hard_exit=True, folder=str(tmp_path))


@needs_window
def test_what_is_shown_is_seen_in_eevee_too(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake({})
    blender.window = WINDOW
    blender.seconds = 900  # a screen without a graphics card compiles EEVEE's shaders first
    told = blender.run("seen.outcomes_in_eevee", folder=str(tmp_path))
    assert {case for case, (red, _outcome) in told.items() if red} == {*SHOWN} & {*told}
    assert len({*SHOWN} & {*told}) == 4
    for case in {*TOLD} & {*told}:
        assert TOLD[case] in told[case][1]


@needs_window
def test_material_that_is_pinned_is_filled_by_a_click_beside_it(blender: Blender) -> None:
    blender.use_fake({})
    blender.window = WINDOW
    if lack := blender.run("seen.pinned_editor_in_the_window"):
        pytest.skip(lack)
