# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles the denoiser, and fills the compiler's cache beside the autoencoder's training.

`python -m tools.starter.compiling` does the latter, in a process of its own. May import torch and diffusers.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence

import torch
from torch import nn

from .denoiser import Network, mixed, velocity
from .networks import LATENT_CHANNELS, PIXELS_PER_LATENT, make_denoiser, train_lean
from .settings import settings_for
from .text import MAX_TOKENS, WIDTH
from .workers import REPOSITORY


def network(model: nn.Module, compiled: bool, backend: str = "inductor") -> Network:
    """The same network, compiled for fixed shapes where that is wanted."""
    return torch.compile(model, dynamic=False, backend=backend) if compiled else model


def exercise(run: Network, size: int, batch: int, device: torch.device) -> None:
    """One pass with gradients and one without, with strides as in training: others would be compiled anew."""
    side = size // PIXELS_PER_LATENT
    z = torch.randn(batch, LATENT_CHANNELS, side, side, device=device)
    states = torch.randn(batch, MAX_TOKENS, WIDTH, device=device)
    sigmas = torch.rand(batch, device=device)
    x = mixed(z, torch.randn_like(z), sigmas)
    velocity(run, x, sigmas, states).square().mean().backward()
    with torch.no_grad():
        velocity(run, x, sigmas, states)


def begin(device: torch.device) -> subprocess.Popen[bytes]:
    """Start filling the cache; wait for it before the network is first used."""
    return subprocess.Popen([sys.executable, "-m", "tools.starter.compiling", "--device", str(device)], cwd=REPOSITORY)


def main(arguments: Sequence[str] | None = None, model: nn.Module | None = None) -> None:
    """Compile for every size of tile. model: another than the starter's, for tests."""
    parser = argparse.ArgumentParser(prog="python -m tools.starter.compiling", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--backend", default="inductor", help="torch.compile's")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    run = network((model or train_lean(make_denoiser())).to(device), compiled=True, backend=options.backend)
    for size, batch in settings_for(device.type).batch.items():
        exercise(run, size, batch, device)


if __name__ == "__main__":
    main()
