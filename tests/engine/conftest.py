# SPDX-License-Identifier: GPL-3.0-or-later
"""Model folders with random weights, saved by diffusers itself once for all tests."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import diffusers
import pytest
import torch
import transformers

from tests.engine import networks

diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small are slower on more threads, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def sd_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion with the KL autoencoder; as small as it gets. Do not change it: take `copy_of`."""
    folder = tmp_path_factory.mktemp("models") / "small SD"
    networks.sd_pipeline(networks.small_unet(), networks.kl_autoencoder()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small SDXL"
    networks.sdxl_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Makes a copy of a model's folder that a test may break."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / "model"))

    return copy
