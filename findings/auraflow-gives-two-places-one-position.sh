#!/usr/bin/env bash
# diffusers 0.42.1's AuraFlow takes pictures that are wider than its table of positions: the columns beyond the table
# are read from the rows above and below, so two places of the picture have one position. A picture that is too large
# both ways raises IndexError, as it should. Needs the network. Fails if it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet diffusers==0.42.1 torch transformers
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null | tee "$folder/out.txt"
import torch
from diffusers.models.transformers.auraflow_transformer_2d import AuraFlowPatchEmbed

embed = AuraFlowPatchEmbed(height=16, width=16, patch_size=2, in_channels=4, embed_dim=8, pos_embed_max_size=64)
places = embed.pe_selection_index_based_on_dim(12, 32)  # 6 by 16 patches, from a table of 8 by 8
print("of", len(places), "places", len(set(places.tolist())), "have a position of their own")
try:
    embed(torch.randn(1, 4, 32, 32))
except IndexError as error:
    print("refused:", error)
PYTHON
grep -q "^of 96 places 56 have a position of their own" "$folder/out.txt"
grep -q "^refused:" "$folder/out.txt"
