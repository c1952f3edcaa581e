#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: StableDiffusionPipeline takes a clip_skip, as its documentation says.
# Seen:  AttributeError: CLIPTextModel has no part text_model since transformers 5, and encode_prompt looks for its last
#        norm there (pipeline_stable_diffusion.py). Without a clip_skip nothing fails.
# Versions: diffusers==0.42.1 transformers==5.23.0 torch==2.14.1. Installs into a temporary folder; ends with an error if this
# changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 transformers==5.23.0 torch==2.14.1 accelerate==1.15.0
venv/bin/python - <<'PYTHON'
import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

print("diffusers", diffusers.__version__, "transformers", transformers.__version__)
letters = sorted(ByteLevel.alphabet())
words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
tokenizer = CLIPTokenizer({word: index for index, word in enumerate(words)}, [], model_max_length=16)
config = CLIPTextConfig(
    vocab_size=514,
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=16,
    bos_token_id=512,
    eos_token_id=513,
)
pipeline = StableDiffusionPipeline(None, CLIPTextModel(config), tokenizer, None, None, None, None, requires_safety_checker=False)
with torch.no_grad():
    pipeline.encode_prompt("bricks", "cpu", 1, False)
    print("without clip_skip: encoded")
    try:
        pipeline.encode_prompt("bricks", "cpu", 1, False, clip_skip=1)
        told = "encoded"
    except AttributeError as error:
        told = f"AttributeError: {error}"
print("clip_skip=1:", told)
assert told == "AttributeError: 'CLIPTextModel' object has no attribute 'text_model'"
PYTHON
