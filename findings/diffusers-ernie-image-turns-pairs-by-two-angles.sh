#!/usr/bin/env bash
# diffusers 0.42.1: a rotary position turns a pair of channels by one angle, so that the product of a query and a key
# depends on how far apart they are. ERNIE-Image's table holds each angle twice side by side, while its attention pairs
# channel d with d + half: the two are turned by different angles, and the product depends on the place as well.
# Perhaps the model was trained so; then it knows absolute places. Needs the network. Fails if it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet diffusers==0.42.1 transformers==5.23.0 torch==2.14.1
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null | tee out.txt
import torch
from torch.nn import functional as F
from diffusers.models.transformers.transformer_ernie_image import ErnieImageAttention, ErnieImageEmbedND3

attention = ErnieImageAttention(24, heads=1, dim_head=24, bias=False, out_bias=False)
tokens, products, plain = torch.randn(1, 2, 24), [], F.scaled_dot_product_attention


def look(query, key, value, **named):
    products.append((query @ key.transpose(-1, -2))[0, 0, 0, 1].item())
    return plain(query=query, key=key, value=value, **named)


F.scaled_dot_product_attention = look
with torch.no_grad():
    for place in (0.0, 5.0):  # the same two tokens, two columns apart, here and five columns on
        ids = torch.tensor([[[0.0, 0.0, place], [0.0, 0.0, place + 2.0]]])
        attention(tokens, image_rotary_emb=ErnieImageEmbedND3(24, 256, (4, 8, 12))(ids))
print("depends on the place" if abs(products[0] - products[1]) > 0.01 else "on the distance alone", products)
PYTHON
grep -q "depends on the place" out.txt
