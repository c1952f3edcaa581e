# SPDX-License-Identifier: GPL-3.0-or-later
"""A transformer's pictures, one for each way to make them repeat. Imports the engine; runs in its environment.

    tools/dev.py tilings MODEL OUT --prompt "mossy red brick wall"

plain: as the model is, not made to repeat. snapped: Tilewright's way, each frequency of the positions the nearest that
comes round. rolled: the frequencies as they are, the picture rolled by a random way before each step. recentred: the
frequencies as they are, each block of tokens sees the others by the shorter way around (several times slower).

No trained transformer was at hand when Tilewright was written: this is for whoever has the weights.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import nn

from addon.core import seams
from addon.core.errors import ErrorKind, UserError
from addon.core.families import catalogue
from addon.core.protocol import Phase, Start
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.core.results import Draft, Result
from addon.engine import generate
from addon.engine import seamless as seamless_module
from addon.engine.beginning import Sampling
from addon.engine.families.adapter import convolutions_only
from addon.engine.families.rotary import PERIODIC
from addon.engine.models import LoadedModel, ModelCache

# Networks whose channels turn in neighbouring pairs, and where the picture stands beside its text.
_PICTURE_LAST = {
    "ChromaTransformer2DModel": True,
    "Flux2Transformer2DModel": True,
    "FluxTransformer2DModel": True,
    "QwenImageTransformer2DModel": True,
    "ZImageTransformer2DModel": False,
}
_BLOCK = 16  # tokens of a side that see the others alike


class _Watch:
    """Keeps the one result; says how far it is."""

    result: Result | None = None

    def check(self) -> None: ...

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        print(f"\r{phase.value} {step}/{steps}   ", end="", file=sys.stderr)

    def note(self, text: str) -> None:
        print(f"\n{text}", file=sys.stderr)

    def preview(self, image: int, step: int, path: Path) -> None: ...

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        self.result = draft.publish(result)


def rolled(loaded: LoadedModel, _network: nn.Module) -> ExitStack:
    """The sampler's latents lie elsewhere in each step, and at their end where they were."""
    stack, gone = ExitStack(), [0, 0]
    ways = torch.Generator().manual_seed(0)
    put_back, sample = Sampling.put_back, generate.sample

    def moved(sampling: Sampling, held: torch.Tensor, step: int) -> torch.Tensor:
        latents = loaded.adapter.unpack(loaded.pipeline, put_back(sampling, held, step), sampling.size)
        way = [int(torch.randint(length, (1,), generator=ways)) for length in latents.shape[-2:]]
        gone[:] = [before + step for before, step in zip(gone, way, strict=True)]
        return loaded.adapter.pack(loaded.pipeline, latents.roll(way, (-2, -1)))

    def restored(*arguments: Any, **named: Any) -> torch.Tensor:
        latents = sample(*arguments, **named)
        # A pipeline may end with finer latents than it samples.
        scale = latents.shape[-1] * loaded.adapter.pixels(loaded.pipeline) // arguments[1].size.width
        return latents.roll([-way * scale for way in gone], (-2, -1))

    stack.enter_context(mock.patch.object(Sampling, "put_back", moved))
    stack.enter_context(mock.patch.object(generate, "sample", restored))
    return stack


@dataclass
class _Picture:
    """The picture that a network is at: tokens, and the frequencies of its channels along both axes."""

    rows: int
    columns: int
    frequencies: tuple[torch.Tensor, torch.Tensor]


@contextmanager
def recentred(network: nn.Module, block: int = _BLOCK) -> Iterator[None]:
    """Attention in which each block of the picture's tokens sees the others by the shorter way around.

    network: one of `_PICTURE_LAST`, outside of `seamless`. Its own positions stay; keys that are nearer the other way
    are turned once around.
    """
    ((owner, name, periodic),) = PERIODIC[type(network).__name__](network, Axes.XY)
    is_last = _PICTURE_LAST[type(network).__name__]
    at: list[_Picture] = []
    plain_attention = nn.functional.scaled_dot_product_attention

    def table(*arguments: Any, **named: Any) -> Any:
        made = periodic.plain(*arguments, **named)
        tokens, pictures = periodic.places.find(periodic.places.key(owner, *arguments, **named))
        if pictures:
            start, rows, columns = pictures[0]
            phases = periodic.form.read(made, tokens)[start : start + rows * columns].to(torch.complex128)
            grid = phases.unflatten(0, (rows, columns))
            apart = 1 if phases.shape[-1] * 2 == channels() else 2  # each angle may stand there twice
            steps = [(line[1] / line[0]).angle()[::apart] for line in (grid[:, 0], grid[0])]
            at[:] = [_Picture(rows, columns, (steps[0], steps[1]))]
        return made

    def channels() -> int:
        config = network.config
        return int(getattr(config, "attention_head_dim", 0) or config.dim // config.n_heads)

    def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **named: Any) -> torch.Tensor:
        out = plain_attention(query=query, key=key, value=value, **named)
        if not at or query.shape[-2] < at[0].rows * at[0].columns:
            return out  # of text alone
        picture, mask = at[0], named.pop("attn_mask", None)
        start = query.shape[-2] - picture.rows * picture.columns if is_last else 0
        for places, turned in _by_blocks(picture, key, start, block):
            part = mask[..., places, :] if mask is not None and mask.shape[-2] > 1 else mask
            out[..., places, :] = plain_attention(
                query=query[..., places, :], key=turned, value=value, attn_mask=part, **named
            )
        return out

    own = vars(owner).get(name)
    vars(owner)[name] = table
    # outside of the network, attention is the text encoders' and the autoencoder's
    hook = network.register_forward_hook(lambda *_told: at.clear())
    try:
        with mock.patch.object(nn.functional, "scaled_dot_product_attention", attention):
            yield
    finally:
        hook.remove()
        if own is None:
            del vars(owner)[name]
        else:
            vars(owner)[name] = own


def _by_blocks(
    picture: _Picture, key: torch.Tensor, start: int, block: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The places of each block's tokens in the sequence, and all keys as that block sees them."""
    rows, columns = picture.rows, picture.columns
    tokens = slice(start, start + rows * columns)
    pairs = torch.view_as_complex(key[..., tokens, :].float().unflatten(-1, (-1, 2)).contiguous())
    number = torch.arange(rows * columns)
    row, column = number // columns, number % columns
    for top in range(0, rows, block):
        for left in range(0, columns, block):
            middle = (top + min(top + block, rows) - 1) / 2, (left + min(left + block, columns) - 1) / 2
            angle = torch.zeros(())
            for place, length, at, frequency in zip(
                (row, column), (rows, columns), middle, picture.frequencies, strict=True
            ):
                around = ((at - place) / length + 0.5).floor()  # how often a key goes around to be nearest
                angle = angle + around[:, None] * length * frequency.cpu()
            turn = torch.polar(torch.ones_like(angle), angle).to(pairs)
            turned = key.clone()
            turned[..., tokens, :] = torch.view_as_real(pairs * turn).flatten(-2).to(key.dtype)
            inside = (row // block == top // block) & (column // block == left // block)
            yield start + number[inside], turned


# How each picture is made: the axes, whether the table is snapped, and what else is done meanwhile.
_WAYS: dict[str, tuple[Axes, bool, Callable[[LoadedModel, nn.Module], Any]]] = {
    "plain": (Axes.NONE, True, lambda loaded, network: nullcontext()),
    "snapped": (Axes.XY, True, lambda loaded, network: nullcontext()),
    "rolled": (Axes.XY, False, rolled),
    "recentred": (Axes.XY, False, lambda loaded, network: recentred(network)),
}


def compare(request: TextureRequest, out: Path, device: str = "auto") -> dict[str, float]:
    """Write a picture for each way, and the same laid out twice by twice; their seam scores. Raises `UserError`."""
    out.mkdir(parents=True, exist_ok=True)
    cache, periodic = ModelCache(), seamless_module.periodic
    scores = {}
    for name, (axes, snapped, meanwhile) in _WAYS.items():
        asked = replace(request, axes=axes)
        loaded = cache.get(asked, device, "auto")
        network = loaded.pipeline.components[loaded.info.family.denoiser]
        kind = type(network).__name__
        if kind not in PERIODIC:
            raise UserError(ErrorKind.MODEL, f"{loaded.info.title} has no rotary positions.", "Choose another model.")
        if name == "recentred" and kind not in _PICTURE_LAST:
            print(f"{name}: not for a {kind}", file=sys.stderr)
            continue

        def as_it_is(network: str, kind: str = kind) -> Any:
            return convolutions_only if network == kind else periodic(network)

        watch = _Watch()
        with ExitStack() as stack:
            if not snapped:
                stack.enter_context(mock.patch.object(seamless_module, "periodic", as_it_is))
            stack.enter_context(meanwhile(loaded, network))
            generate.make_images(cache, Start("tilings", asked, str(out / "results"), device), watch)
        assert watch.result is not None
        pixels = np.asarray(Image.open(watch.result.path()))
        Image.fromarray(pixels).save(out / f"{name}.png")
        Image.fromarray(np.tile(pixels, (2, 2, 1))).save(out / f"{name}-2x2.png")
        scores[name] = seams.measure(pixels, Axes.XY).value
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/dev.py tilings", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model", help="a folder in diffusers format")
    parser.add_argument("out", type=Path, help="a folder for the pictures")
    parser.add_argument("--prompt", default="mossy red brick wall, flat, even light, texture")
    parser.add_argument("--size", default="", help="such as 1024 or 1024x512; otherwise the model's own")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    try:
        model = str(Path(given.model).absolute())
        defaults = catalogue.resolve(model).defaults
        request = TextureRequest(
            given.prompt,
            size=Size.parse(given.size or str(defaults.size)),
            steps=given.steps or defaults.steps,
            guidance_scale=defaults.guidance_scale if given.guidance is None else given.guidance,
            seed=given.seed,
            model=model,
        )
        scores = compare(request, given.out, given.device)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    for name, score in scores.items():
        print(f"{name:10} seam score {score:.2f}, {given.out / (name + '-2x2.png')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
