# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter's last stage: what is compared, with what, and that it is learned from."""

from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from addon.core.families.catalogue import FORMER_STARTERS, STARTER_FOLDER
from addon.core.model_files.folder import verify
from tests.tools.test_starter_training import CODER, TINY, real_folder, tiny_denoiser, words
from tools.starter import cache, data, eye, groups, mix, networks, refine, settings, sheet
from tools.starter.textures import FAMILIES, HELD_OUT_COMBINATIONS, make_texture
from tools.starter.torus import wrap

__all__ = ["real_folder", "words"]
COUNT = 2 * len(FAMILIES)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return groups.drawn(tmp_path_factory.mktemp("tiles"), 128, COUNT, 3, 1)


@pytest.fixture(scope="module")
def autoencoder():
    torch.manual_seed(0)
    return wrap(networks.AutoencoderTiny(**CODER).eval().requires_grad_(False))


@pytest.fixture(scope="module")
def families(tiles, autoencoder):
    return groups.by_family(tiles, groups.encoded(autoencoder, tiles.pixels))


def test_two_clouds_from_one_place_are_not_apart_and_others_are():
    torch.manual_seed(0)
    a, b = torch.randn(2, 400, 6)
    same, moved, narrow = (float(refine.energy_distance(a, other)) for other in (b, b + 1, 0.2 * b))
    assert abs(same) < 0.03
    assert min(moved, narrow) > 0.2, "neither another mean nor less variety goes unseen"
    shifted = float(refine.energy_distance(a, a + 1))
    assert shifted == pytest.approx(moved, rel=0.2), "pairs under one caption do not count"


def test_a_step_of_the_last_stage_goes_as_the_scheduler_goes():
    noise, states = torch.randn(2, 12, 8, 8), torch.zeros(2, 4, 256)

    def network(x, times, states, return_dict):
        return (0.3 * x + times[:, None, None, None] / 1000,)

    scheduler = networks.make_scheduler()
    scheduler.set_timesteps(networks.STEPS)
    x = noise
    for time in scheduler.timesteps:
        x = scheduler.step(network(x, time.expand(2), states, False)[0], time, x).prev_sample
    assert torch.allclose(refine.generate(network, noise, states), x, atol=1e-3)


def test_the_eye_sees_the_same_wherever_a_tile_begins():
    torch.manual_seed(0)
    seer, x = eye.Eye().eval(), torch.randn(2, 12, 16, 16)
    with torch.no_grad():
        assert torch.allclose(seer.statistics(x), seer.statistics(x.roll((4, 8), (2, 3))), atol=1e-4)
    moved = eye.rolled(x)
    assert torch.equal(moved.flatten(2).sort(2).values, x.flatten(2).sort(2).values)
    assert not torch.equal(moved, x)


def test_all_families_are_drawn_in_turn_but_never_what_is_held_out(tiles):
    assert tiles.families == 2 * list(FAMILIES)
    pairs = {*zip(tiles.families, tiles.colours, strict=True), *zip(tiles.families, tiles.wears, strict=True)}
    assert not pairs & HELD_OUT_COMBINATIONS
    both = data.joined(tiles, tiles)
    assert len(both.pixels) == 2 * COUNT
    assert both.captions == 2 * tiles.captions


def test_labels_say_what_the_captions_say(tiles):
    labels = eye.labels_of(tiles)
    for row, first in zip(labels, (captions[0] for captions in tiles.captions), strict=True):
        _family, colour, _wear, size = (names[number] for names, number in zip(eye.LABELS, row, strict=True))
        assert colour is None or colour in first or "paint" in first
        assert size is None or first.startswith(size)


def test_plainest_words_stand_for_tiles_of_which_nothing_more_is_said():
    torch.manual_seed(0)
    plain = torch.tensor([[0, *eye.PLAIN_LABELS[1:]]])
    group = groups.Group(torch.randn(6, 12, 4, 4), [["red bricks"]] * 6, plain.repeat(6, 1), (0, 1, 2, 3), "bricks")
    drawn = [group.draw(4, np.random.default_rng(seed))[1] for seed in range(40)]
    assert 4 < sum(captions == ["bricks"] * 4 for captions in drawn) < 30
    assert all(captions in (["bricks"] * 4, ["red bricks"] * 4) for captions in drawn)
    assert len(group.draw(9, np.random.default_rng(0))[1]) == 9, "more than there are"


def test_tiles_of_one_wear_are_compared_with_each_other_where_there_are_enough():
    torch.manual_seed(0)
    captions = [["mossy"]] * 6 + [["rusty"]] * 3 + [["plain"]] * 21
    worn = (range(6), range(6, 9))
    group = groups.Group(torch.randn(30, 12, 4, 4), captions, torch.zeros(30, 4).long(), (), "bricks", worn)
    drawn = [group.draw(4, np.random.default_rng(seed))[1] for seed in range(80)]
    assert 8 < sum(some == ["mossy"] * 4 for some in drawn) < 40
    assert not any(some == ["rusty"] * 4 for some in drawn), "three are too few"


def test_the_wears_of_a_family_are_found(families):
    for group in families:
        for wear, rows in enumerate(group.worn):
            assert all(int(group.labels[row, groups.WEAR_COLUMN]) == wear for row in rows)
    assert any(rows for group in families for rows in group.worn)


def test_what_people_type_first_is_drawn_under_its_own_words(tmp_path, autoencoder):
    """Red bricks were 3 of 14,160 drawings: in two steps their joints went, while the judges' figures rose."""
    wishes = groups.asked(tmp_path, 128, 6, 3, 1)
    assert (wishes.families[0], wishes.colours[0], wishes.wears[0]) == groups.ASKED[0]
    found = groups.by_wish(wishes, groups.encoded(autoencoder, wishes.pixels), 5.0)
    red = next(group for group in found if group.words == "red bricks")
    assert red.often == 5.0
    assert all("brick" in words for some in red.captions for words in some)
    assert all(row.tolist()[:3] == red.labels[0].tolist()[:3] for row in red.labels), "one colour, no wear"
    assert red.labels[0, groups.WEAR_COLUMN] == eye.PLAIN_LABELS[groups.WEAR_COLUMN]
    assert {family for family, *_ in groups.ASKED} >= {"bricks", "roof tiles", "wood", "planks"}


def test_some_families_are_drawn_more_often_than_by_their_error(tiles, autoencoder):
    often = {"planks": 30.0}
    families = groups.by_family(tiles, groups.encoded(autoencoder, tiles.pixels), often)
    assert [group.often for group in families] == [often.get(family, 1.0) for family in FAMILIES]
    plan, rng = groups.Groups({128: families}, {128: (1, 2)}, 0.0), np.random.default_rng(0)
    planks = list(FAMILIES).index("planks")
    share = np.mean([plan.draw(128, rng)[0][0] == planks for _ in range(400)])
    assert share == pytest.approx(30 / (30 + len(FAMILIES) - 1), abs=0.08)


def test_what_is_named_worst_is_drawn_most_often_and_photographs_have_their_share(families, autoencoder, real_folder):
    photographs = groups.by_category(real_folder, 128, autoencoder, 3)
    assert [bool((group.labels == eye.UNKNOWN).all()) for group in photographs] == [True] * 2
    plan = groups.Groups({128: [*families, *photographs]}, {128: (1, 2)}, 0.25)
    for number in range(len(families)):
        plan.learned(128, np.array([number]), torch.full((2,), 6.0 if number == 5 else 0.0))
    for _ in range(20):
        plan.learned(128, np.array([5]), torch.full((2,), 6.0))
    assert list(plan.worst(128, 1)) == [families[5].words]
    rng = np.random.default_rng(0)
    numbers = np.array([plan.draw(128, rng)[0][0] for _ in range(600)])
    assert 0.18 < np.mean(numbers >= len(families)) < 0.32
    counts = np.bincount(numbers, minlength=len(families))[: len(families)]
    assert counts.argmax() == 5


def test_the_last_stage_learns_and_goes_on(tmp_path, tiles, families, words):
    """A student is drawn to what eyes, in turn, see in tiles, and a killed run goes on."""
    torch.manual_seed(0)
    latents, labels = torch.cat([group.latents for group in families]), eye.labels_of(tiles)
    seers = [eye.train(tmp_path, 0.03, seed, latents, labels, f"eye-{seed}") for seed in (1, 2)]
    looks = []
    for seer in seers:
        seer.measure([group.latents for group in families])
        assert torch.isfinite(seer.whitening).all()
        looks.append(Mock(wraps=seer.compared))
        seer.compared = looks[-1]
    student = wrap(tiny_denoiser())
    before = [parameter.detach().clone() for parameter in student.parameters()]
    some = replace(TINY, groups={128: (2, 2), 256: (2, 2)}, sizes=(128, 256))
    plan = groups.Groups({128: families, 256: families}, some.groups, 0.0)
    after = refine.train(tmp_path, 0.05, 1, plan, seers, words, student, some)
    assert any(not torch.equal(a, b) for a, b in zip(before, after.parameters(), strict=True))
    state = cache.load(tmp_path / "refine.ckpt")
    assert state is not None
    assert state["step"] > 0
    twice = [look.call_count for look in looks]  # a step looks at both clouds
    assert sum(twice) == 2 * state["step"]
    assert twice[0] >= twice[1] >= twice[0] - 2 * len(some.sizes)
    again = refine.train(tmp_path, 0.05, 1, plan, seers, words, wrap(tiny_denoiser()), some)
    assert all(torch.equal(a, b) for a, b in zip(after.parameters(), again.parameters(), strict=True)), "all done"


def test_the_last_stage_has_its_share_of_the_minutes_on_every_device():
    for device in ("cpu", "cuda"):
        found = settings.settings_for(device)
        assert min(found.shares["refine"], found.rates["refine"]) > 0
        assert set(found.groups) == set(found.refined) == set(found.asked) == set(found.sizes)
        assert set(found.often) <= set(FAMILIES)


def test_no_direction_is_said_by_the_plainest_words(autoencoder):
    """A fifth of the boards stand upright: shown as plain planks, a small model drew both ways at once."""
    captions = [["wooden planks"], ["vertical wooden planks"], ["horizontal planks"], ["knotty planks"]]
    pixels = np.zeros((4, 128, 128, 3), np.uint8)
    some = data.Tiles(pixels, captions, ["planks"] * 4, [None] * 4, [None] * 4)
    (group,) = groups.by_family(some, groups.encoded(autoencoder, pixels))
    assert group.plain == [0, 3]


def test_waves_of_metal_stand_unless_it_is_said():
    for seed in range(30):
        words = make_texture(np.random.default_rng(seed), 64, "corrugated metal")
        across, along = (float(np.abs(np.diff(words.color.mean(2), axis=axis)).mean()) for axis in (1, 0))
        assert (along > across) == ("horizontal" in words.captions[0].split()), seed


def test_an_earlier_version_is_drawn_in_its_own_steps(monkeypatch):
    pipeline = SimpleNamespace(name_or_path=str(STARTER_FOLDER))
    assert sheet.own_steps(pipeline) == networks.STEPS
    monkeypatch.setitem(FORMER_STARTERS, verify(STARTER_FOLDER).fingerprint, (1, 10))
    sheet._steps_of.cache_clear()
    assert sheet.own_steps(pipeline) == 10
    sheet._steps_of.cache_clear()


def test_two_starters_are_mixed_by_their_denoisers(tmp_path):
    def model(name, value):
        weights = tmp_path / name / mix.WEIGHTS
        weights.parent.mkdir(parents=True)
        save_file({"a": torch.full((2, 3), value).half()}, weights)
        (tmp_path / name / "model_index.json").write_text(name)
        return tmp_path / name

    first, second = model("first", 1.0), model("second", 2.0)
    mix.main([str(first), str(second), "--share", "0.25", "--output", str(tmp_path / "mixed")])
    mixed = load_file(tmp_path / "mixed" / mix.WEIGHTS)
    assert torch.equal(mixed["a"], torch.full((2, 3), 1.25).half())
    assert (tmp_path / "mixed" / "model_index.json").read_text() == "first"
    with pytest.raises(ValueError, match="overwritten"):
        mix.mix(first, second, 0.5, second)
    save_file({"a": torch.zeros(3)}, second / mix.WEIGHTS)
    with pytest.raises(ValueError, match="shape"):
        mix.mix(first, second, 0.5, tmp_path / "other")
