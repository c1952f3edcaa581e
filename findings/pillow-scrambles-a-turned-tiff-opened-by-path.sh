#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: a TIFF has the same pixels whether Pillow opens it by its path or from an open file.
# Seen:  of an uncompressed 8-bit grey or RGBA TIFF whose orientation is 5 to 8, the size is swapped and the pixels are
# scrambled when it is opened by its path (it is memory-mapped with the swapped size, then turned once more); from an
# open file it is right.
# Versions: pillow==13.0.0 numpy==2.4.6, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
stored = np.arange(24, dtype=np.uint8).reshape(4, 6)  # 6 wide, 4 high
right = np.rot90(stored, -1)  # what orientation 6 asks for
seen = {}
for mode in ("L", "RGB", "RGBA"):
    Image.fromarray(stored).convert(mode).save("a.tif", tiffinfo={274: 6})
    with open("a.tif", "rb") as file:
        pictures = {"path": Image.open("a.tif"), "file": Image.open(file)}
        for way, picture in pictures.items():
            pixels = np.asarray(picture)
            pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
            seen[mode, way] = pixels.shape == right.shape and bool((pixels == right).all())
            print(f"{mode:4} opened by {way}: shape {pixels.shape}, right: {seen[mode, way]}")
assert [key for key, is_right in seen.items() if not is_right] == [("L", "path"), ("RGBA", "path")]
PYTHON
