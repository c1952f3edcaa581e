# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's files are read while torch is imported: all that loading reads, and nothing in the way of an error."""

import json
import subprocess
import sys
from pathlib import Path

from addon.core.families.catalogue import STARTER_FOLDER
from addon.core.requests.texture import STARTER
from addon.engine import reading_ahead

ROOT = Path(__file__).resolve().parents[2]


def test_all_weights_are_read_and_nothing_else() -> None:
    weights = sum(path.stat().st_size for path in STARTER_FOLDER.rglob("*.safetensors"))
    assert reading_ahead.read(STARTER) == weights > 1_000_000


def test_what_would_not_stay_in_memory_is_not_read() -> None:
    assert reading_ahead.read(STARTER, free=lambda: 1_000_000) == 0


def test_what_cannot_be_loaded_is_left_to_loading(tmp_path: Path) -> None:
    assert reading_ahead.read(str(tmp_path)) == 0
    assert reading_ahead.read("no such model") == 0


def test_it_needs_no_torch() -> None:
    code = "import json, sys; from addon.engine import reading_ahead; print(json.dumps('torch' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False
