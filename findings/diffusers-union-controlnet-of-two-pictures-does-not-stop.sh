#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: past `control_guidance_end` diffusers' ControlNetUnionModel says nothing, for its pipeline hands it a scale of 0.
# Seen:  with one picture that is so. With two or more only what is seen of the pictures is scaled, and not what comes
# out: the denoiser goes on to be steered, by a ControlNet that sees nothing, as strongly as before.
# Versions: diffusers 0.42.1, torch 2.14.1. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 torch==2.14.1
venv/bin/python - <<'PYTHON' 2>/dev/null
import torch
from diffusers import ControlNetUnionModel

torch.manual_seed(0)
network = ControlNetUnionModel(
    block_out_channels=(16, 16),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
    cross_attention_dim=8,
    attention_head_dim=4,
    norm_num_groups=4,
    conditioning_embedding_out_channels=(4, 4),
    addition_time_embed_dim=8,
    num_trans_channel=16,
    num_proj_channel=16,
).eval()
with torch.no_grad():
    for parameter in network.parameters():  # many begin at zero
        parameter.add_(0.1 * torch.randn(parameter.shape))
    said = []
    for kinds in ([1], [1, 4]):
        chosen = torch.zeros(1, 6)
        chosen[:, kinds] = 1
        down, middle = network(
            torch.randn(1, 4, 8, 8),
            400,
            encoder_hidden_states=torch.randn(1, 3, 8),
            controlnet_cond=[torch.rand(1, 3, 16, 16) for _ in kinds],
            control_type=chosen,
            control_type_idx=kinds,
            conditioning_scale=[0.0] * len(kinds),
            return_dict=False,
        )
        said.append(max(float(part.abs().max()) for part in (*down, middle)))
        print(f"{len(kinds)} pictures, each with a scale of 0: at most {said[-1]:.3g}")
assert said[0] == 0 and said[1] > 0
PYTHON
