#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: a textual inversion of three vectors puts three tokens into the prompt, whatever its word is.
# Seen:  where the word has capitals only the first is put there, without a warning: CLIP's tokenizer makes small letters
#        of the prompt, and maybe_convert_prompt looks for the word among the added tokens as it was written.
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
found = {}
for word in ("moss", "Moss"):
    tokenizer = CLIPTokenizer({word: index for index, word in enumerate(words)}, [], model_max_length=16)
    pipeline = StableDiffusionPipeline(None, CLIPTextModel(config), tokenizer, None, None, None, None, requires_safety_checker=False)
    pipeline.load_textual_inversion({word: torch.zeros(3, 16)})
    text = pipeline.maybe_convert_prompt(f"a {word} b", tokenizer)
    ids = tokenizer(text).input_ids
    found[word] = sum(number >= 514 for number in ids)
    print(f"{word}: {text!r}, {found[word]} of 3 vectors")
assert found == {"moss": 3, "Moss": 1}
PYTHON
