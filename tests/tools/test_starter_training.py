# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter model's making, on networks and data small enough for seconds."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, DiffusionPipeline, UNet2DConditionModel
from PIL import Image

from tools.starter import (
    autoencoder,
    compiling,
    data,
    decoder,
    denoiser,
    distil,
    encoded,
    export,
    held_out,
    losses,
    networks,
    pool,
    real,
    settings,
    text,
    tokens,
    train,
    workers,
)
from tools.starter.schedule import MOST_SKIPPED, Stage, learning_rate
from tools.starter.torus import wrap
from tools.starter.words import Words

CPU = torch.device("cpu")
SHAPE = dict(networks.DENOISER, block_out_channels=(16, 32, 32), norm_num_groups=4, attention_head_dim=2)
WIDTHS = (32, 32, 32, 32)
CODER = dict(networks.AUTOENCODER, encoder_block_out_channels=WIDTHS, decoder_block_out_channels=WIDTHS)
CODER |= {"num_encoder_blocks": (0, 0, 0, 1), "num_decoder_blocks": (1, 0, 0, 0)}
TINY = replace(
    settings.settings_for("cpu"),
    kept={128: 8, 256: 4},
    ring={128: 4, 256: 2},
    first=4,
    autoencoder_batch=4,
    decoder_batch=4,
    batch={128: 4, 256: 4},
    plain=0.3,
    small=0.6,
    refined={128: 118, 256: 59},
    asked={128: 4, 256: 2},
    sizes=(128, 256),
    groups={128: (2, 2), 256: (2, 2)},
)


def tiny_denoiser():
    torch.manual_seed(0)
    return UNet2DConditionModel(**SHAPE)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    vocabulary = [*text.SPECIAL, "red", "blue", "bricks", "wood"]
    table = np.zeros((len(vocabulary), text.WORD_WIDTH), np.float32)
    table[5:] = text.standardise(np.random.default_rng(0).normal(size=(4, text.WORD_WIDTH)))
    folder = tmp_path_factory.mktemp("tokenizer")
    return Words(text.make_encoder(table), text.make_tokenizer(vocabulary), folder, CPU)


@pytest.fixture(scope="module")
def real_folder(tmp_path_factory):
    """Six noisy surfaces of every size: bricks, which stand, and fabric, which may be turned."""
    folder, rng = tmp_path_factory.mktemp("real"), np.random.default_rng(0)
    labels = [{"category": "Bricks", "nouns": ["bricks"], "colour": "red"}] * 4
    labels += [{"category": "Fabric", "nouns": [], "colour": None, "caption": "blue wood"}] * 2
    for size in (real.SMALL, real.LARGE, real.SHARP):
        files = []
        for _ in labels:
            picture = io.BytesIO()
            Image.fromarray(rng.integers(256, size=(size, size, 3), dtype=np.uint8)).save(picture, "JPEG")
            files.append(picture.getvalue())
        joined = np.frombuffer(b"".join(files), np.uint8)
        np.savez(folder / f"real{size}.npz", data=joined, sizes=np.array([len(file) for file in files]))
        (folder / f"real{size}.json").write_text(json.dumps(labels))
    return folder


# --- networks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [networks.make_autoencoder, tiny_denoiser])
def test_a_wrapped_network_is_a_function_on_a_torus(make):
    torch.manual_seed(0)
    model = wrap(make()).eval()
    if isinstance(model, UNet2DConditionModel):
        states = torch.randn(1, 5, text.WIDTH)
        run, x, grid = lambda x: model(x, 500, states).sample, torch.randn(1, 12, 16, 24), 4
    else:
        run, x, grid = lambda x: model.decode(model.encode(x).latents).sample, torch.rand(1, 3, 64, 96), 8
    with torch.no_grad():
        plain, rolled = run(x), run(x.roll((grid, 2 * grid), (2, 3)))
    error = (plain.roll((grid, 2 * grid), (2, 3)) - rolled).abs().max() / plain.abs().max()
    assert error < 1e-5


def test_a_network_with_other_kernels_is_refused():
    with pytest.raises(ValueError, match="3x3"):
        wrap(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 5, padding=2)))


def test_a_new_autoencoder_already_keeps_local_colour():
    torch.manual_seed(0)
    model = networks.make_autoencoder()
    x = torch.tensor((0.6, -0.2, -0.5))[None, :, None, None].expand(1, 3, 64, 64)
    with torch.no_grad():
        y = model.decode(model.encode(x).latents).sample
    assert (y - x)[..., 16:48, 16:48].mean((0, 2, 3)).abs().max() < 0.3


def test_norms_that_keep_the_precision_give_the_same_numbers():
    plain, x, states = tiny_denoiser(), torch.randn(1, 12, 16, 16), torch.randn(1, 5, text.WIDTH)
    lean = networks.train_lean(tiny_denoiser())
    with torch.no_grad():
        assert torch.allclose(lean(x, 500, states).sample, wrap(plain)(x, 500, states).sample, atol=1e-5)


def test_a_compiled_network_gives_the_same_numbers(monkeypatch):
    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(12, 12, 3, padding=1)

        def forward(self, x, timesteps, states, return_dict):
            return (self.layer(x),)

    monkeypatch.setattr(compiling, "settings_for", lambda _: replace(TINY, batch={128: 1}))
    model, x = wrap(Small()), torch.randn(1, 12, 16, 16)
    compiling.main(["--device", "cpu", "--backend", "eager"], model)
    run = compiling.network(model, compiled=True, backend="eager")
    assert torch.allclose(run(x, 0, None, return_dict=False)[0], model(x, 0, None, False)[0], atol=1e-6)


def test_the_denoisers_timesteps_are_the_schedulers(words):
    """A model that knows the answer in closed form is sampled through the stock pipeline and gives that answer.

    With one latent in the data, the right velocity at x = (1 - s) x0 + s n is (x - x0) / s.
    """
    target = torch.linspace(-1, 1, 12 * 16).reshape(1, 12, 4, 4)

    class Known(UNet2DConditionModel):
        def forward(self, sample, timestep, *rest, return_dict=True, **named):
            sigma = timestep / networks.TRAIN_TIMESTEPS
            return ((sample - target) / sigma,)

    pipeline = export.assemble(Known(**SHAPE), networks.make_autoencoder(), words.encoder, words.tokenizer)
    pipeline.set_progress_bar_config(disable=True)
    out = pipeline(
        "red bricks",
        height=32,
        width=32,
        num_inference_steps=3,
        guidance_scale=1.0,
        output_type="latent",
        generator=torch.Generator().manual_seed(0),
    ).images
    assert (out - target).abs().max() < 0.05


# --- words and tiles -----------------------------------------------------------------------------------------------


def test_tokens_are_those_of_the_pipelines_own_encode_prompt(words):
    pipeline = export.assemble(tiny_denoiser(), networks.make_autoencoder(), words.encoder, words.tokenizer)
    assert torch.equal(words.of(["blue wood"]), pipeline.encode_prompt("blue wood", "cpu", 1, False)[0])


def test_noise_blurs_words_but_neither_positions_nor_padding(words):
    torch.manual_seed(0)
    ids = torch.from_numpy(tokens.tokenize(words.known, ["red bricks"] * 64))
    states, plain = words.blurred(ids, TINY), words.of(["red bricks"])
    empty = (states - words.empty).abs().amax((1, 2)) < 1e-3
    assert 1 <= empty.sum() <= 20, "about a tenth is without a caption"
    named = states[~empty]
    assert (named - plain)[..., text.WORD_WIDTH :].abs().max() < 1e-3
    assert named[:, 3:, : text.WORD_WIDTH].abs().max() < 1e-3, "padding carries noise"
    assert len(torch.unique(named[:, 1, 0])) == len(named), "words are the same each time"


def test_a_worker_draws_the_same_tiles_whoever_takes_them_and_waits_when_it_is_full(tmp_path, words, monkeypatch):
    monkeypatch.setattr(workers, "draw", lambda rng, size: workers.make_texture(rng, size, "snow"))
    (tmp_path / "a").mkdir()
    ring = workers.Ring(tmp_path / "a", 64, 2, new=True)
    assert [workers.work([ring], [1.0], words.known, (3, 0)) for _ in range(3)] == [True, True, False]
    here = pool.Pool(64, 3, CPU)
    here.take(ring)
    assert (here.seen, ring.taken) == (2, 2)
    wanted = workers.as_bytes(workers.make_texture(np.random.default_rng((3, 0, 64, 1)), 64, "snow"))
    assert np.array_equal(here.pixels[1].numpy(), wanted)
    assert workers.work([ring], [1.0], words.known, (3, 0))
    here.take(workers.Ring(tmp_path / "a", 64, 2))
    pixels, ids = here.draw(5)
    assert (here.seen, pixels.shape, ids.shape) == (3, (5, 3, 64, 64), (5, tokens.MAX_TOKENS))


def test_a_worker_draws_with_one_thread(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(workers.subprocess, "Popen", lambda command, **options: started.append(options["env"]))
    workers.Crew(tmp_path, TINY, tmp_path, 1)
    assert [environment["OMP_NUM_THREADS"] for environment in started] == ["1"]
    assert started[0]["PATH"]


def test_a_worker_that_ended_is_told(tmp_path):
    one = replace(TINY, workers=1, ring={64: 2})
    with workers.Crew(tmp_path, one, tmp_path / "no tokenizer", seed=1) as crew:
        crew._processes[0].wait(60)
        with pytest.raises(ChildProcessError, match="ended"):
            crew.check()


def test_real_surfaces_are_turned_where_they_may_be_and_stand_among_the_drawn(real_folder, words):
    small = real.for_training(real_folder, 128)
    assert len(small.labels) == len(small.pixels) == 2 * 6 + 2 * 2, "the large ones too, and fabric turned"
    assert small.chances.sum() == pytest.approx(1.0)
    assert not np.array_equal(small.pixels[4], small.pixels[12])
    assert np.array_equal(small.pixels[4], small.pixels[12].swapaxes(0, 1))
    here = pool.Pool(128, 2, CPU)
    here.real, here.real_share, here.seen = pool.RealPool(small, 128, words.known, CPU, 1), 0.5, 2
    here.pixels.zero_()
    pixels, _ids = here.draw(6)
    assert [bool((tile == -1).all()) for tile in pixels] == [True] * 3 + [False] * 3


def test_an_encoded_tile_is_drawn_again_rolled_by_whole_latents():
    torch.manual_seed(0)
    coder = wrap(AutoencoderTiny(**CODER)).eval().requires_grad_(False)
    tiles = pool.Pool(128, 1, CPU)
    tiles.pixels.random_(0, 256)
    tiles.seen = 1
    tiles.draw = lambda batch: (pool.to_floats(tiles.pixels).expand(batch, -1, -1, -1), tiles.tokens[:, 0])
    made = encoded.Encoded(tiles, coder, 2.0, reuse=4, kept=8)
    whole = 2.0 * coder.encoder(pool.to_floats(tiles.pixels))[0]
    latents, ids = made.draw(1)
    latents, ids = (torch.cat(part) for part in zip((latents, ids), *(made.draw(1) for _ in range(5)), strict=True))
    assert ids.shape == (6, tokens.MAX_TOKENS)
    rolls = [whole.roll((y, x), (1, 2)) for y in range(16) for x in range(16)]
    for one in latents:
        assert min(float((one - roll).abs().max()) for roll in rolls) < 0.02, "to 16 bits one of the rolls"


def test_most_tiles_are_encoded_once_for_several_batches(monkeypatch):
    made = encoded.Encoded(pool.Pool(128, 1, CPU), None, 1.0, reuse=4, kept=32)
    asked = []

    def encode(batch):
        asked.append(batch)
        return torch.zeros(batch, 12, 16, 16), torch.zeros(batch, tokens.MAX_TOKENS, dtype=torch.int16)

    monkeypatch.setattr(made, "_encode", encode)
    shapes = [made.draw(6)[0].shape for _ in range(4)]
    assert asked == [6, 2, 2, 2]
    assert set(shapes) == {(6, 12, 16, 16)}


def test_flat_surfaces_are_drawn_less_often():
    rng = np.random.default_rng(0)
    flat, rich = (np.clip(rng.normal(128, s, (8, 8, 3)), 0, 255).astype(np.uint8) for s in (2, 40))
    one, other = real.RealTiles(np.stack((flat, rich)), (real.Label("Snow", ("snow",), None),) * 2).chances
    assert other > 5 * one


def test_captions_of_real_surfaces_say_what_is_known_and_that_they_are_photographs():
    rng = np.random.default_rng(0)
    bricks = real.captions(rng, real.Label("Bricks", ("bricks",), "dark grey"), 128, 200)
    assert any(text.startswith("photo of ") for text in bricks)
    marked = np.mean(["photo" in text or "realistic" in text for text in bricks])
    assert abs(marked - real.MARKED) < 0.1
    assert any("dark gray bricks" in text for text in bricks)
    assert all("fine" in text or "tiny" in text for text in bricks), "thumbnails show whole walls"
    assert not any("tiny" in text for text in real.captions(rng, real.Label("Snow", ("snow",), None), 128, 50))
    assert all("red lava" in text for text in real.captions(rng, real.Label("x", (), None, "red lava"), 256, 20))


def test_tiles_do_not_depend_on_where_an_earlier_run_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "BLOCK", 2)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
        for first in (0, 2):
            data._make_block((tmp_path / name, 5, 64, first, 2, ()))
    (tmp_path / "parts" / "64-000002.npy").unlink()
    data.make_tiles(tmp_path / "parts", 64, 4, seed=5, processes=1)
    whole, parts = data.read_tiles(tmp_path / "whole", 64), data.read_tiles(tmp_path / "parts", 64)
    assert whole.pixels.shape == (4, 64, 64, 3)
    assert np.array_equal(whole.pixels, parts.pixels)
    assert whole.captions == parts.captions


def test_missing_tiles_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no 64 px tiles"):
        data.read_tiles(tmp_path, 64)


# --- losses --------------------------------------------------------------------------------------------------------


def test_the_loss_is_least_where_the_models_velocity_is_the_guided_one(words, monkeypatch):
    """With v for the caption and u for the empty one right, the guided u + g (v - u) has no error, in any channel."""
    empty, states = words.empty, words.of(["red bricks", "red bricks", ""])
    latents, noise = torch.randn(3, 12, 16, 16), torch.randn(3, 12, 16, 16)
    monkeypatch.setattr(torch, "randn_like", lambda _: noise)
    right, without = noise - latents, torch.randn(3, 12, 16, 16)
    without[2] = right[2]
    scale = denoiser.guidance(TINY)

    def answer(scales):
        guided = without + scales * (right - without)

        def forward(x, timesteps, states, return_dict):
            named = (states != empty).flatten(1).any(1)[:, None, None, None]
            return (torch.where(named, guided, without),)

        return forward

    assert denoiser.flow_loss(answer(scale), latents, states, empty, scale) < 1e-6
    assert denoiser.flow_loss(answer(torch.ones(12, 1, 1)), latents, states, empty, scale) > 0.1
    assert denoiser.flow_loss(lambda *_, **__: (right,), latents, states, empty, None) < 1e-6


def test_denoisers_are_compared_on_the_same_tiles_and_noise(words):
    pixels, captions = held_out.drawn("snow", 2)
    assert pixels.shape == (2, 128, 128, 3)
    assert all("snow" in caption for caption in captions)
    assert np.array_equal(pixels, held_out.drawn("snow", 2)[0])
    ids, latents = tokens.tokenize(words.known, ["red bricks", "blue wood"]), torch.randn(2, 12, 16, 16)
    same, once_more = (networks.train_lean(tiny_denoiser()) for _ in range(2))
    other = networks.train_lean(UNet2DConditionModel(**SHAPE))
    first, second, third = held_out.losses([same, once_more, other], latents, ids, words, TINY)
    assert first == second != third


def test_two_steps_of_the_teacher_follow_a_straight_path_to_its_end():
    noise, latents = torch.randn(2, 2, 12, 4, 4)
    high, low = torch.tensor((1.0, 0.75)), torch.tensor((0.75, 0.5))
    start = denoiser.mixed(latents, noise, high)
    end = distil.two_steps(lambda *_, **__: (noise - latents,), start, high, low, torch.zeros(2, 1, 1))
    assert torch.allclose(end, denoiser.mixed(latents, noise, low), atol=1e-5)


def test_blur_costs_more_spectrally_than_the_same_grain_elsewhere():
    torch.manual_seed(0)
    grain, other = torch.randn(2, 1, 3, 64, 64).clamp(-1, 1)
    assert losses.spectral_loss(torch.zeros_like(grain), grain) > 2 * losses.spectral_loss(other, grain)


def test_a_dot_in_every_block_costs_more_than_as_much_grain():
    torch.manual_seed(0)
    flat, dots = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    dots[..., 3::8, 3::8] = 0.5
    grain = dots.flatten(2)[:, :, torch.randperm(64 * 64)].unflatten(2, (64, 64))
    assert losses.pattern_loss(dots, flat) > 2 * losses.pattern_loss(grain, flat)


def test_a_dot_of_changing_sign_in_every_block_is_uneven_and_grain_is_not():
    torch.manual_seed(0)
    grain, other = 0.1 * torch.randn(2, 1, 3, 64, 64)
    dots = torch.zeros(1, 3, 64, 64)
    dots[..., 3::8, 3::8] = 0.8 * torch.randn(1, 3, 8, 8).sign()
    assert losses.unevenness_loss(other, grain) < 0.2
    assert losses.unevenness_loss(dots, grain) > 3 * losses.unevenness_loss(other, grain)


def test_a_crosshatch_costs_more_than_the_same_grain_elsewhere():
    torch.manual_seed(0)
    grain, other = 0.2 * torch.randn(2, 1, 3, 64, 64)
    lines = 0.2 * torch.randn(1, 3, 64, 1).expand(1, 3, 64, 64)
    assert losses.spectrum_loss(lines, grain) > 10 * losses.spectrum_loss(other, grain)


def test_the_first_latents_are_anchored_to_brightness_and_colour():
    model, x = networks.make_autoencoder(), torch.rand(4, 3, 64, 64) * 2 - 1
    x = torch.nn.functional.interpolate(x[..., :8, :8], scale_factor=8)
    with torch.no_grad():
        assert autoencoder.anchor_loss(model.encoder(x), x) < 0.2
    assert autoencoder.anchor_loss(torch.randn(4, 12, 8, 8), x) > 0.5


# --- stages --------------------------------------------------------------------------------------------------------


def linear_stage(folder):
    torch.manual_seed(0)
    return Stage("tiny", torch.nn.Linear(4, 4), folder, minutes=1.0, peak=1e-2, seed=3, decay=0.9)


def test_an_interrupted_stage_goes_on_with_the_same_weights_and_clock(tmp_path):
    first = linear_stage(tmp_path)
    for _ in range(5):
        first.update(first.model(torch.ones(1, 4)).square().sum())
    first.save()
    second = linear_stage(tmp_path)
    assert (second.step, second.seconds) == (5, first.seconds)
    for ours, theirs in zip(
        [*first.model.parameters(), *first.average.parameters()],
        [*second.model.parameters(), *second.average.parameters()],
        strict=True,
    ):
        assert torch.equal(ours, theirs)


def test_a_batch_that_is_no_number_is_left_out_and_many_in_a_row_end_the_stage(tmp_path):
    stage = linear_stage(tmp_path)
    before = [parameter.clone() for parameter in stage.model.parameters()]
    broken = torch.full((1, 4), float("nan"))
    for _ in range(MOST_SKIPPED - 1):
        stage.update(stage.model(broken).sum())
    assert stage.step == 0
    assert all(torch.equal(a, b) for a, b in zip(before, stage.model.parameters(), strict=True))
    stage.update(stage.model(torch.ones(1, 4)).square().sum())
    assert stage.step == 1
    for _ in range(MOST_SKIPPED - 1):
        stage.update(stage.model(broken).sum())
    with pytest.raises(FloatingPointError, match="step 1"):
        stage.update(stage.model(broken).sum())


def test_the_learning_rate_warms_up_and_ends_at_zero():
    assert learning_rate(1.0, 0, 0.0) < 0.02
    assert learning_rate(1.0, 1000, 0.5) == pytest.approx(0.5)
    assert learning_rate(1.0, 1000, 1.0) == pytest.approx(0.0)


def test_tiles_are_small_at_first_and_then_half_are_large():
    assert {denoiser.size_at(TINY, 0.5, step) for step in range(6)} == {128}
    assert [denoiser.size_at(TINY, 0.7, step) for step in range(4)] == [256, 128, 256, 128]


def test_a_denoiser_that_is_gone_on_with_learns_slower_and_all_at_once():
    again = settings.going_on(TINY)
    assert again.rates["denoiser"] == pytest.approx(TINY.again * TINY.rates["denoiser"])
    assert again.rates["distil"] == TINY.rates["distil"]
    assert (again.plain, [denoiser.size_at(again, 0.0, step) for step in range(2)]) == (0.0, [256, 128])


def test_a_student_moves_as_its_teacher_did():
    torch.manual_seed(0)
    before, teacher, student = (torch.nn.Linear(3, 2) for _ in range(3))
    wanted = student.weight.detach() + teacher.weight.detach() - before.weight.detach()
    distil.moved(student, teacher, before)
    assert torch.allclose(student.weight, wanted)


def test_the_whole_training_runs_goes_on_and_gives_a_model_that_stock_diffusers_runs(
    tmp_path, monkeypatch, real_folder
):
    made = {"make_autoencoder": lambda: AutoencoderTiny(**CODER), "make_denoiser": tiny_denoiser}
    for module in (train, decoder, autoencoder):
        for name, make in made.items():
            monkeypatch.setattr(module, name, make, raising=False)
    monkeypatch.setattr(autoencoder.measure_scale, "__defaults__", (1, 4))
    vocabulary = [*text.SPECIAL, *"abcdefghijklmnopqrstuvwxyz", "red", "bricks"]
    table = text.standardise(np.random.default_rng(0).normal(size=(len(vocabulary), text.WORD_WIDTH)))
    monkeypatch.setattr(text, "make_table", lambda captions: (vocabulary, table))
    monkeypatch.setattr(text, "extend", lambda vocabulary, table: (vocabulary, table))
    monkeypatch.setattr(train, "CAPTIONED", 2)
    plan = train.Plan(tmp_path / "cache", tmp_path / "model", 1, 0.06, CPU, TINY, real=real_folder)
    train.run(plan)
    first = DiffusionPipeline.from_pretrained(tmp_path / "model")
    first.set_progress_bar_config(disable=True)
    made = first("red bricks", height=64, width=64, num_inference_steps=networks.STEPS, guidance_scale=1.0)
    assert made.images[0].size == (64, 64)
    going_on = replace(
        plan, folder=tmp_path / "next", output=tmp_path / "better", start=tmp_path / "model", minutes=0.015
    )
    once_more = replace(settings.going_on(TINY), reuse=2)
    train.run(replace(going_on, stages=("autoencoder", "decoder", "export")))
    second = DiffusionPipeline.from_pretrained(tmp_path / "better")
    for part, same in (("unet", True), ("vae", False)):
        pairs = list(zip(getattr(first, part).parameters(), getattr(second, part).parameters(), strict=True))
        assert all(torch.equal(a, b) for a, b in pairs) == same
    for a, b in zip(first.vae.encoder.parameters(), second.vae.encoder.parameters(), strict=True):
        assert torch.equal(a, b), "the denoiser knows this encoder's latents"
    assert second.vae.config.scaling_factor == first.vae.config.scaling_factor
    assert (tmp_path / "cache" / "base" / "config.json").exists(), "for --base"
    again = replace(going_on, folder=tmp_path / "again", base=tmp_path / "cache" / "base", settings=once_more)
    train.run(replace(again, stages=("denoiser", "distil", "refine", "export")))
    third = DiffusionPipeline.from_pretrained(tmp_path / "better")
    moved = [torch.equal(a, b) for a, b in zip(third.unet.parameters(), first.unet.parameters(), strict=True)]
    assert not all(moved)
    monkeypatch.setattr(train, "Crew", None)
    train.run(replace(again, stages=("refine", "export")))  # done already, and with nobody to draw beside it


def test_a_decoder_of_another_shape_begins_with_what_fits():
    torch.manual_seed(0)
    old = AutoencoderTiny(**networks.AUTOENCODER | {"num_decoder_blocks": (3, 3, 2, 0)})
    new = decoder.fitted(old)
    assert torch.equal(new.encoder.layers[0].weight, old.encoder.layers[0].weight)
    assert torch.equal(new.decoder.layers[12].conv[0].weight, old.decoder.layers[12].conv[0].weight)


def test_each_stage_gets_its_share_of_the_minutes():
    plan = SimpleNamespace(settings=settings.settings_for("cuda"), minutes=20.0, stages=("decoder", "distil", "export"))
    minutes = [train.Plan.minutes_of(plan, stage) for stage in train.STAGES]
    assert minutes == pytest.approx([0.0, 12.0, 0.0, 8.0, 0.0, 0.0])


def test_unknown_stages_and_devices_are_refused(capsys):
    for arguments in (["--stages", "cooking"], ["--device", "oven"]):
        with pytest.raises(SystemExit):
            train.main(arguments)
    assert "cooking" in capsys.readouterr().err
    assert train.choose_device("cpu") == CPU
