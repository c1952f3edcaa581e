# SPDX-License-Identifier: GPL-3.0-or-later
"""What measures the starter model: the judge, and the figures that need no model."""

import numpy as np
import pytest
import torch

pytest.importorskip("scipy", reason="the textures need scipy, which is in the worker's environment")

from tools.starter import data, judge, nearest, networks, prompts, scores
from tools.starter.textures import FAMILIES, HELD_OUT_COMBINATIONS, HELD_OUT_WORDS, make_texture
from tools.starter.textures.captions import captions
from tools.starter.torus import wrap


@pytest.fixture(scope="module")
def bench():
    torch.manual_seed(0)
    return judge.Bench(wrap(networks.make_autoencoder().eval()), judge.Judge().eval())


def tile(seed, family=None):
    return np.uint8(make_texture(np.random.default_rng(seed), 128, family).color * 255.0 + 0.5)


def test_the_judge_sees_the_same_wherever_a_tile_begins(bench):
    pixels = tile(1)
    plain, rolled = bench.features(np.stack((pixels, np.roll(pixels, (32, 64), (0, 1)))))
    assert np.abs(plain - rolled).max() < 0.05 * np.abs(plain).max()


def test_verdicts_use_the_colours_that_were_offered(bench):
    for verdict in bench.verdicts(np.stack((tile(1), tile(2))), ("red", "blue")):
        assert verdict.material in judge.MATERIALS
        assert verdict.colour in ("red", "blue")
        assert verdict.wear in judge.WEARS


def test_grain_is_seen_as_strong_where_there_is_some():
    flat, grain = torch.zeros(1, 3, 128, 128), torch.randn(1, 3, 128, 128).clamp(-1, 1)
    assert (judge.grain_strength(grain) > judge.grain_strength(flat) + 2).all()


def test_a_judge_learns_two_families(tmp_path, monkeypatch):
    """The whole way from tiles to a frozen judge, on a set that takes seconds."""

    def only(rng, size):
        return make_texture(rng, size, ("lava", "snow")[int(rng.integers(2))])

    monkeypatch.setattr(data, "make_texture", only)
    monkeypatch.setattr(judge, "BATCH", 16)
    data._make_block((_made(tmp_path / "tiles"), 5, 128, 0, 48))
    data._make_block((_made(tmp_path / "unseen"), 6, 128, 0, 24))
    autoencoder = wrap(networks.make_autoencoder().eval())
    monkeypatch.setattr(judge.autoencoder, "load", lambda folder: autoencoder)
    known = data.read_tiles(tmp_path / "tiles", 128)
    np.save(tmp_path / "latents-128.npy", judge.encode_tiles(autoencoder, known.pixels))
    judge.train(tmp_path, 0.25, 1)
    shares = judge.score(judge.load(tmp_path), data.read_tiles(tmp_path / "unseen", 128))
    assert shares["material"] > 0.9


def _made(folder):
    folder.mkdir()
    return folder


def test_without_a_judge_it_is_said_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tools\.starter\.judge"):
        judge.load(tmp_path)


def test_half_of_the_sheets_prompts_hold_what_no_caption_held():
    assert len(prompts.SEEN) == len(prompts.UNSEEN) == 20
    pairs = {prompts.for_pair(*pair) for pair in HELD_OUT_COMBINATIONS}
    plain = {"golden bricks", "snow-covered bricks", "pink wooden planks", "purple grass", "orange fabric"}
    for prompt in prompts.UNSEEN:
        assert HELD_OUT_WORDS & set(prompt.split()) or prompt in pairs | plain, prompt
    for prompt in prompts.SEEN:
        assert not HELD_OUT_WORDS & set(prompt.split()), prompt


def test_words_for_synonyms_are_in_no_caption():
    for word, families in prompts.SYNONYMS:
        assert HELD_OUT_WORDS & set(word.split()), word
        assert set(families) <= set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_plain_prompt_of_a_family_is_a_phrase(family):
    assert "{" not in prompts.for_family(family)
    assert prompts.for_family(family) == prompts.for_family(family).strip() != ""


def test_a_shifted_copy_correlates_fully_and_another_texture_does_not():
    pixels = tile(3, "cobblestone")
    assert scores.correlation(pixels, np.roll(pixels, (17, 40), (0, 1))) == pytest.approx(1.0, abs=1e-6)
    assert scores.correlation(pixels, tile(4, "cobblestone")) < 0.7


def test_spread_is_the_mean_distance_of_pairs():
    rows = np.array(((0.0, 0.0), (3.0, 4.0), (0.0, 0.0)))
    assert scores.spread(rows, np.ones(2)) == pytest.approx(10.0 / 3.0)
    assert scores.spread(rows, np.full(2, 2.0)) == pytest.approx(5.0 / 3.0)


def test_the_roll_test_finds_a_seam_and_passes_a_tile():
    rng = np.random.default_rng(0)
    whole = tile(5, "gravel")
    ramp = np.linspace(0, 90, 128)[None, :, None]
    assert scores.seam_rejected(np.uint8(np.clip(whole * 0.6 + ramp, 0, 255)), rng, 99)
    assert not scores.seam_rejected(whole, rng, 99)


def test_the_sheet_of_neighbours_holds_every_pair():
    pairs = [scores.Nearest("bricks", tile(1), tile(2), 0.3)] * 7
    assert nearest.make_sheet(pairs, columns=5, cell=32).size == (5 * 74, 2 * 50)


def test_held_out_words_stay_out_of_captions():
    from tools.starter.textures.surface import Style

    for family in FAMILIES.values():
        for seed in range(3):
            rng = np.random.default_rng(seed)
            for caption in captions(rng, family, Style(rng), None):
                assert not HELD_OUT_WORDS & set(caption.replace(",", "").split()), caption
