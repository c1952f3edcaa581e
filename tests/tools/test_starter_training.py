# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter model's making, on networks and data small enough for seconds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from tools.starter import autoencoder, data, denoiser, export, losses, networks, text, train
from tools.starter.schedule import Stage, learning_rate
from tools.starter.textures import FAMILIES
from tools.starter.torus import wrap

TINY = dict(networks.DENOISER, block_out_channels=(16, 32, 32), norm_num_groups=4, attention_head_dim=2)


def tiny_denoiser():
    torch.manual_seed(0)
    return UNet2DConditionModel(**TINY)


@pytest.fixture
def words():
    vocabulary = [*text.SPECIAL, "red", "blue", "bricks", "wood"]
    table = np.zeros((len(vocabulary), text.WORD_WIDTH), np.float32)
    table[5:] = text.standardise(np.random.default_rng(0).normal(size=(4, text.WORD_WIDTH)))
    return denoiser.Words(text.make_encoder(table), text.make_tokenizer(vocabulary))


@pytest.mark.parametrize("make", [networks.make_autoencoder, tiny_denoiser])
def test_a_wrapped_network_is_a_function_on_a_torus(make):
    torch.manual_seed(0)
    model = wrap(make()).eval()
    if isinstance(model, UNet2DConditionModel):
        states = torch.randn(1, 5, text.WIDTH)
        run, x, grid = lambda x: model(x, 500, states).sample, torch.randn(1, 8, 16, 24), 4
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


def test_the_denoisers_timesteps_are_the_schedulers(words):
    """A model that knows the answer in closed form is sampled through the stock pipeline and gives that answer.

    With one latent in the data, the right velocity at x = (1 - s) x0 + s n is (x - x0) / s.
    """
    target = torch.linspace(-1, 1, 8 * 16).reshape(1, 8, 4, 4)

    class Known(UNet2DConditionModel):
        def forward(self, sample, timestep, *rest, return_dict=True, **named):
            sigma = timestep / networks.TRAIN_TIMESTEPS
            return ((sample - target) / sigma,)

    pipeline = export.assemble(Known(**TINY), networks.make_autoencoder(), words.encoder, words.tokenizer)
    pipeline.set_progress_bar_config(disable=True)
    out = pipeline(
        "red bricks",
        height=32,
        width=32,
        num_inference_steps=10,
        guidance_scale=1.0,
        output_type="latent",
        generator=torch.Generator().manual_seed(0),
    ).images
    assert (out - target).abs().max() < 0.05


def test_tokens_are_those_of_the_pipelines_own_encode_prompt(words):
    pipeline = export.assemble(tiny_denoiser(), networks.make_autoencoder(), words.encoder, words.tokenizer)
    ours = words.encoder(torch.from_numpy(denoiser.tokenize(words.tokenizer, ["blue wood"])))[0]
    assert torch.equal(ours, pipeline.encode_prompt("blue wood", "cpu", 1, False)[0])


def toy_material(words):
    """Four tiles of noise, each with two captions."""
    rng = np.random.default_rng(0)
    captions = [["red bricks", "blue bricks"], ["blue wood", "red wood"]] * 2

    def tiles(size):
        latents = rng.normal(size=(4, 8, size // 8, size // 8)).astype(np.float16)
        chances = denoiser.chances(["bricks", "bricks", "wood", "wood"])
        return denoiser.Encoded(latents, denoiser.encode_captions(words.tokenizer, captions), chances)

    return denoiser.Material(tiles, 1.0, words)


def test_families_that_come_last_are_drawn_twice_as_often():
    assert set(denoiser.LATE) <= set(FAMILIES)
    late = denoiser.LATE[0]
    assert denoiser.chances(["bricks", late, late]) == pytest.approx([0.2, 0.4, 0.4])


def test_noise_blurs_words_but_neither_positions_nor_padding(words):
    material = toy_material(words)
    torch.manual_seed(0)
    _, states = material.draw(material.tiles(128), 64, np.random.default_rng(0))
    plain = words.encoder(torch.from_numpy(denoiser.tokenize(words.tokenizer, ["red bricks"])))[0]
    empty = (states - material.empty()).abs().amax((1, 2)) < 1e-3
    assert 1 <= empty.sum() <= 20, "about a tenth is without a caption"
    named = states[~empty]
    assert (named - plain)[..., text.WORD_WIDTH :].abs().max() < 1e-3
    assert named[:, 3:, : text.WORD_WIDTH].abs().max() < 1e-3, "padding carries noise"
    assert len(torch.unique(named[:, 1, 0])) == len(named), "words are the same each time"


def test_the_loss_is_least_where_the_models_velocity_is_the_guided_one(words, monkeypatch):
    """With v for the caption and u for the empty one right, the guided u + g (v - u) has no error, in any channel."""
    empty = toy_material(words).empty()
    states = words.encoder(torch.from_numpy(denoiser.tokenize(words.tokenizer, ["red bricks"] * 2 + [""])))[0]
    latents, noise = torch.randn(3, 8, 16, 16), torch.randn(3, 8, 16, 16)
    monkeypatch.setattr(torch, "randn_like", lambda _: noise)
    right, without = noise - latents, torch.randn(3, 8, 16, 16)
    without[2] = right[2]

    class Answer(torch.nn.Module):
        def __init__(self, scales):
            super().__init__()
            self.guided = without + torch.tensor(scales)[:, None, None] * (right - without)

        def forward(self, mixed, timesteps, states):
            named = (states != empty).flatten(1).any(1)[:, None, None, None]
            return SimpleNamespace(sample=torch.where(named, self.guided, without))

    assert denoiser.flow_loss(Answer(denoiser.GUIDANCE), latents, states, empty) < 1e-6
    assert denoiser.flow_loss(Answer([1.0] * 8), latents, states, empty) > 0.1


def test_the_denoiser_trains_can_be_loaded_again_and_gone_on_from(words, tmp_path, monkeypatch):
    monkeypatch.setattr(denoiser, "PHASES", ((128, 2, 1.0),))
    monkeypatch.setattr(denoiser, "make_denoiser", tiny_denoiser)
    seen = []
    material = toy_material(words)
    denoiser.train(tmp_path, 0.02, 1, material, seen.append, preview_minutes=0.0, make_model=tiny_denoiser)
    first = denoiser.load(tmp_path)
    assert seen

    def go_on():
        model = tiny_denoiser()
        model.load_state_dict(first.state_dict())
        return model

    denoiser.train(tmp_path / "next", 0.02, 1, material, seen.append, make_model=go_on)
    second = denoiser.load(tmp_path / "next")
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_an_interrupted_stage_goes_on_with_the_same_weights_and_clock(tmp_path):
    def stage():
        torch.manual_seed(0)
        return Stage("tiny", torch.nn.Linear(4, 4), tmp_path, minutes=1.0, peak=1e-2, seed=3, decay=0.9)

    first = stage()
    for _ in range(5):
        first.update(first.model(torch.ones(1, 4)).square().sum())
    first.save()
    second = stage()
    assert (second.step, second.seconds) == (5, first.seconds)
    for ours, theirs in zip(
        [*first.model.parameters(), *first.average.parameters()],
        [*second.model.parameters(), *second.average.parameters()],
        strict=True,
    ):
        assert torch.equal(ours, theirs)


def test_a_loss_that_is_not_finite_stops_the_stage(tmp_path):
    stage = Stage("tiny", torch.nn.Linear(1, 1), tmp_path, minutes=1.0, peak=1e-2, seed=3, decay=0.9)
    with pytest.raises(FloatingPointError, match="step 0"):
        stage.update(torch.tensor(float("nan"), requires_grad=True))


def test_the_learning_rate_warms_up_and_ends_at_zero():
    assert learning_rate(1.0, 0, 0.0) < 0.02
    assert learning_rate(1.0, 1000, 0.5) == pytest.approx(0.5)
    assert learning_rate(1.0, 1000, 1.0) == pytest.approx(0.0)


def test_blur_costs_more_spectrally_than_the_same_grain_elsewhere():
    torch.manual_seed(0)
    grain, other = torch.randn(2, 1, 3, 64, 64).clamp(-1, 1)
    assert losses.spectral_loss(torch.zeros_like(grain), grain) > 2 * losses.spectral_loss(other, grain)


def test_tiles_do_not_depend_on_where_an_earlier_run_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "BLOCK", 2)
    data.make_tiles(tmp_path / "whole", 64, 4, seed=5, processes=1)
    data.make_tiles(tmp_path / "parts", 64, 4, seed=5, processes=1)
    (tmp_path / "parts" / "64-000002.npy").unlink()
    data.make_tiles(tmp_path / "parts", 64, 4, seed=5, processes=1)
    whole, parts = data.read_tiles(tmp_path / "whole", 64), data.read_tiles(tmp_path / "parts", 64)
    assert whole.pixels.shape == (4, 64, 64, 3)
    assert np.array_equal(whole.pixels, parts.pixels)
    assert whole.captions == parts.captions


def test_missing_tiles_are_named():
    with pytest.raises(FileNotFoundError, match="data stage"):
        data.read_tiles(autoencoder.cache.REPOSITORY / "nowhere", 64)


def test_unknown_stages_and_sizes_are_refused(capsys):
    for arguments in (["--minutes", "cooking=3"], ["--tiles", "65=3"], ["--stages", "cooking"]):
        with pytest.raises(SystemExit):
            train.main(arguments)
    assert "cooking" in capsys.readouterr().err
