# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped starter model: stock diffusers loads and runs it, and colour follows the words."""

import colorsys
import subprocess
import sys
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from addon.core.families.catalogue import resolve
from addon.core.requests.texture import STARTER

MODEL = Path(__file__).resolve().parents[2] / "addon" / "models" / "starter"
LIMIT = 50_000_000

PLAIN = """
import sys
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained(sys.argv[1])
image = pipe("red bricks").images[0]
print(image.size, image.getextrema(), [name for name in sys.modules if name.split(".")[0] in ("addon", "tools")])
"""


@pytest.fixture(scope="module")
def pipeline():
    loaded = diffusers.DiffusionPipeline.from_pretrained(MODEL, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


DEFAULTS = resolve(STARTER).defaults


def pictures(pipeline, prompt, seeds, height=128, width=128, negative="", guidance=None):
    images = pipeline(
        [prompt] * len(seeds),
        negative_prompt=[negative] * len(seeds),
        height=height,
        width=width,
        num_inference_steps=DEFAULTS.steps,
        guidance_scale=DEFAULTS.guidance_for(negative) if guidance is None else guidance,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
    ).images
    return [np.asarray(image) for image in images]


def hue_degrees(pixels):
    """Hue of the mean colour."""
    return 360.0 * colorsys.rgb_to_hsv(*(pixels.reshape(-1, 3).mean(0) / 255.0))[0]


@pytest.mark.timeout(600)
def test_stock_diffusers_loads_and_runs_it_without_arguments_or_code_of_ours(tmp_path):
    # Defaults are 50 steps at 512 px: slow, and that it works as it is, is the point.
    done = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, str(MODEL)], cwd=tmp_path, capture_output=True, text=True, timeout=590
    )
    assert done.returncode == 0, done.stderr[-2000:]
    size, rest = done.stdout.strip().split(") (", 1)
    assert size == "(512, 512"
    assert rest.endswith("[]"), "code of ours was loaded"
    assert "(0, 0)" not in rest, "a black picture"


def test_the_folder_holds_safetensors_configs_and_notices_only_and_is_small():
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md", ".txt"}
    assert sum(path.stat().st_size for path in files) < LIMIT
    assert {"README.md", "model_index.json"} <= {path.name for path in files}


@pytest.mark.parametrize(
    ("prompt", "low", "high"), [("red bricks", -25, 35), ("blue bricks", 190, 260), ("green grass", 70, 160)]
)
def test_the_mean_hue_is_that_of_the_colour_word(pipeline, prompt, low, high):
    for pixels in pictures(pipeline, prompt, seeds=(0, 1, 2)):
        hue = hue_degrees(pixels)
        assert low <= hue <= high or low <= hue - 360.0 <= high, f"{prompt}: hue {hue:.0f}"


def redness(pixels):
    """By how many levels red outweighs the other channels, on average over the pictures."""
    red, green, blue = np.mean(pixels, axis=(0, 1, 2))
    return red - (green + blue) / 2


def test_a_negative_prompt_takes_away_what_it_names(pipeline):
    plain, less = (redness(pictures(pipeline, "bricks", (0, 1, 2), negative=words)) for words in ("", "red"))
    assert less < plain - 5


def test_more_guidance_follows_the_words_more(pipeline):
    weak, strong = (redness(pictures(pipeline, "red wood", (0, 1, 2), guidance=scale)) for scale in (1.0, 2.5))
    assert strong > weak + 2


@pytest.mark.parametrize("prompt", ["", "qwrtz plim 1234", "☃ 木の板"])
def test_nonsense_gives_a_texture_and_neither_noise_nor_a_flat_colour(pipeline, prompt):
    for pixels in pictures(pipeline, prompt, (0, 1, 2)):
        grey = pixels.mean(2)
        assert grey.std() > 3
        # Neighbours in white noise are unrelated; in a texture they are alike.
        assert np.corrcoef(grey.ravel(), np.roll(grey, 1, 1).ravel())[0, 1] > 0.5


def test_seeds_differ(pipeline):
    made = pictures(pipeline, "cobblestone", range(4))
    for i in range(4):
        for j in range(i):
            assert np.abs(made[i].astype(int) - made[j]).mean() > 8


def test_black_is_darker_than_white(pipeline):
    black, white = (np.mean(pictures(pipeline, f"{word} marble", seeds=(0, 1))) for word in ("black", "white"))
    assert white - black > 80


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 384), (320, 256)])
def test_sizes_on_the_grid_work(pipeline, height, width):
    (pixels,) = pictures(pipeline, "gravel", seeds=(0,), height=height, width=width)
    assert pixels.shape == (height, width, 3)
    assert pixels.std() > 5


def test_odd_words_are_cut_into_known_pieces(pipeline):
    tokens = pipeline.tokenizer.tokenize("Unbelievably mossy cobblestones, étude no. 12; zzyzx-ish!")
    assert "[UNK]" not in tokens
    assert {"mossy", "cobblestones"} <= set(tokens)


def test_words_come_out_of_the_text_encoder_as_they_are_in_its_table(pipeline):
    """The LayerNorm leaves the table's rows alone, so an unseen word stays where its meaning put it."""
    states = pipeline.encode_prompt("mossy", "cpu", 1, False)[0]
    row = pipeline.tokenizer.convert_tokens_to_ids("mossy")
    word = pipeline.text_encoder.embeddings.word_embeddings.weight[row, :240]
    assert torch.allclose(states[0, 1, :240], word, atol=5e-3)
