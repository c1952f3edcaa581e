#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: what safetensors saves without a complaint it can load again, whatever the tensors are called.
# Seen:  a tensor that is called __metadata__ is saved, and no part of that file can be loaded any more.
# Versions: safetensors==0.8.0 numpy==2.4.6, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

print("safetensors", safetensors.__version__)
save_file({"__metadata__": np.zeros(1), "other": np.ones(2)}, "a.safetensors")
print("saved without an error")
try:
    told = str(sorted(load_file("a.safetensors")))
except SafetensorError as error:
    told = f"SafetensorError: {error}"
print("loading:", told)
assert told.startswith("SafetensorError") and "invalid" in told
PYTHON
