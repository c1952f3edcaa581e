# SPDX-License-Identifier: GPL-3.0-or-later
"""What measures the starter model: the judge, and the figures that need no model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("scipy", reason="the textures need scipy, which is in the worker's environment")

from tools.starter import cache, data, figures, judge, nearest, networks, prompts, scale, scores, train_judge, workers
from tools.starter import real as real_tiles
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


def test_a_judge_learns_two_families(tmp_path, monkeypatch, bench):
    """The whole way from tiles to a frozen judge, on a set that takes seconds."""

    monkeypatch.setattr(train_judge, "BATCH", 16)
    monkeypatch.setattr(train_judge, "load_autoencoder", lambda model: bench.encoder)
    two = (("lava", None, None), ("snow", None, None))
    data._make_block((_made(tmp_path / "tiles"), 5, 128, 0, 48, two))
    data._make_block((_made(tmp_path / "unseen"), 6, 128, 0, 24, two))
    known, unseen = data.read_tiles(tmp_path / "tiles", 128), data.read_tiles(tmp_path / "unseen", 128)
    nothing = [None] * 8
    real = data.Tiles(known.pixels[:8], [[]] * 8, known.families[:8], nothing, nothing)
    train_judge.prepare(tmp_path, known, real, [tmp_path, tmp_path])
    kept = cache.load(tmp_path / "judge-sheets.ckpt")
    assert len(kept["sheets"]) == len(kept["labels"]) == 2 * (48 + 8), "each also behind a decoder"
    train_judge.train(tmp_path, 0.1, 1)
    frozen = judge.load(tmp_path)
    assert judge.score(frozen, unseen)["material"] > 0.9
    assert len(train_judge.lines(frozen, "real", real)) >= 1


def _made(folder):
    folder.mkdir()
    return folder


def test_real_surfaces_are_split_by_surface_and_named_as_families(tmp_path, monkeypatch):
    labels = [real_tiles.Label("Bricks", ("bricks",), None)] * 6 + [real_tiles.Label("Plastic", ("plastic",), None)]
    tiles = real_tiles.RealTiles(np.arange(7 * 3, dtype=np.uint8).reshape(7, 1, 1, 3), tuple(labels))
    monkeypatch.setattr(real_tiles, "read", lambda folder, size: tiles)
    known, kept_out = train_judge.real_tiles(tmp_path)
    assert known.families == ["bricks"] * 5
    assert kept_out.families == ["bricks"]
    assert kept_out.pixels[0, 0, 0, 0] == 9
    assert set(judge.REAL.values()) <= set(FAMILIES)


def test_tiles_of_the_training_are_drawn_again_from_their_numbers():
    first = nearest.training_tiles(2, 11, 2, None)
    assert np.array_equal(first[1], workers.as_bytes(workers.draw(np.random.default_rng((11, 1, 128, 0)), 128)))


def test_tiles_that_the_last_stage_kept_are_read_instead(tmp_path):
    data.make_tiles(tmp_path, 128, 1, 5, 1, (("sand", None, None),))
    kept = nearest.training_tiles(9, 11, 2, None, tmp_path)
    assert np.array_equal(kept, data.read_tiles(tmp_path, 128).pixels)


def test_a_judge_learns_the_pairs_that_the_model_never_sees_and_is_asked_about_drawings_of_them(bench):
    drawn = train_judge.pair_tiles(5, 1)
    found = zip(drawn.families, drawn.colours, drawn.wears, strict=True)
    for (family, word), (shown, colour, wear) in zip(prompts.COMBINATIONS, found, strict=True):
        assert family == shown
        assert word in (colour, wear)
        assert wear in (None, word), "without any other wear"
    hits = scores.drawn_pairs(bench, 1)
    assert set(hits) == {prompts.for_pair(*pair) for pair in prompts.COMBINATIONS}
    assert set(hits.values()) <= {0.0, 1.0}


def test_materials_are_judged_at_the_size_of_a_result_too(bench, monkeypatch):
    asked = []

    def pictures(pipeline, prompt, seeds, size):
        asked.append((prompt, len(seeds), size))
        return np.zeros((len(seeds), size, size, 3), np.uint8)

    monkeypatch.setattr(scores, "pictures", pictures)
    monkeypatch.setattr(figures, "DEFAULT_PIXELS", 64)
    drawings, mean, every = figures.result_lines(None, bench, range(3))
    assert asked == [(prompts.for_family(family), 3, 64) for family in FAMILIES]
    assert drawings.startswith("drawings of 64 px: 0.")
    assert mean.startswith("mean 0.")
    assert every.count(",") == len(FAMILIES) - 1


def test_long_boards_are_told_from_blocks(monkeypatch):
    ends, rows = np.zeros((2, 64, 64, 3), np.uint8)
    rows[::16] = ends[::16] = 200
    ends[:, ::16] = 200
    (down, across), (standing, lying) = scores.changes(rows), scores.changes(rows.swapaxes(0, 1))
    assert (down, across) == pytest.approx((lying, standing))
    assert down > 100 * across
    assert scores.changes(ends)[0] == pytest.approx(scores.changes(ends)[1])
    monkeypatch.setattr(scores, "DEFAULT_PIXELS", 128)
    asked = []

    def pictures(pipeline, prompt, seeds, size):
        asked.append(prompt)
        return np.stack([rows, ends])

    monkeypatch.setattr(scores, "pictures", pictures)
    planks, bricks = scores.lengths(None, "planks", count=1), scores.lengths(None, "bricks", "red", count=1)
    assert asked == ["wooden planks", "red bricks"]
    assert planks["drawings"] > bricks["drawings"] > 1.1
    assert planks["pictures"] == bricks["pictures"] > 1
    assert planks["joints"] > bricks["joints"] > 0, "over those of drawings, of which bricks have more"


def test_a_dot_in_every_block_is_told_from_grain(bench):
    class Dotted(torch.nn.Module):
        def encode(self, x):
            return SimpleNamespace(latents=x)

        def decode(self, x):
            y = x.clone()
            y[..., 1::8, 1::8] += 0.2
            return SimpleNamespace(sample=y)

    least, most = figures.place_strengths(Dotted(), np.stack((tile(1, "snow"), tile(2, "sand"))))
    assert most - least > 6.0
    made, given = figures.own_pattern(Dotted(), 2, 64)
    assert made > 3 * given
    shares = figures.reconstruction(Dotted(), tile(1)[None])
    assert shares["PSNR"] > 20.0


def test_pieces_are_as_sharp_as_the_picture(tmp_path):
    Image.fromarray(tile(1)).save(tmp_path / "a.png")
    assert np.array_equal(figures.pieces([tmp_path / "a.png"], 1)[0], tile(1))


def test_without_a_judge_it_is_said_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tools\.starter\.train_judge"):
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


# --- scale ---------------------------------------------------------------------------------------------------------


def test_the_frequency_is_that_of_a_grating_whatever_its_pixels():
    for side in (128, 256):
        wave = 127 + 100 * np.sin(2 * np.pi * 12 * np.arange(side) / side)
        pixels = np.broadcast_to(wave[:, None, None], (side, side, 3)).astype(np.uint8)
        assert scale.frequency(pixels) == pytest.approx(12, rel=0.02)


def test_details_and_words_are_measured_and_said(monkeypatch, capsys):
    asked = []

    def make_pictures(cache, request, store):
        asked.append((request.prompt, request.size.width, request.detail))
        rows = np.arange(64)[:, None, None] // 8 % 2 * 255
        return [np.broadcast_to(rows, (64, 64, 3)).astype(np.uint8)], 0.0

    monkeypatch.setattr(scale, "make_pictures", make_pictures)
    scale.main(["--sizes", "128", "--nouns", "bricks", "--seeds", "1"])
    assert [(prompt, detail.value) for prompt, _, detail in asked] == [
        ("bricks", "FINE"),
        ("bricks", "MEDIUM"),
        ("bricks", "COARSE"),
        ("small bricks", "MEDIUM"),
        ("large bricks", "MEDIUM"),
    ]
    assert capsys.readouterr().out.startswith("128 px, bricks: fine ")
