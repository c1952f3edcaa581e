# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that a graphics card is asked for (`bench --card`), which `card_chain` measures. Standard library and core.

With `--device cpu` they are measured on the processor, as far as it has them.
"""

import statistics
import tempfile
from pathlib import Path

from addon.core.families.catalogue import STARTER_FOLDER, resolve
from addon.core.requests.texture import STARTER, Size, TextureRequest
from tools.bench import child
from tools.bench.against_bare import PREFIX, in_turn_with_bare
from tools.bench.engine import Engine
from tools.bench.figures import Figure, median_ratio, show, spread
from tools.bench.setup import Setup
from tools.machine import MachineError


def card_over_bare(setup: Setup) -> list[Figure]:
    """The worker over the bare script: the starter small and large, and a model of SDXL's size."""
    steps = resolve(STARTER).defaults.steps
    sides = (64, 128) if setup.quick else (512, 1024)
    cases = [
        (f"starter_{side}", TextureRequest("bricks", size=Size(side, side), steps=steps, guidance_scale=1.0))
        for side in sides
    ]
    parts = []
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        model = Path(folder) / "model"
        child.call(setup.python, "networks:save_large_model", model, 32 if setup.quick else 320)
        side, count = (64, 2) if setup.quick else (1024, 12)
        large = TextureRequest("bricks", size=Size(side, side), steps=count, guidance_scale=6.0, model=str(model))
        for name, wanted in (*cases, ("large", large)):
            folder_of = STARTER_FOLDER if wanted.model == STARTER else model
            mine, others = in_turn_with_bare(setup, wanted, folder_of, 3 if name == "large" else 7)
            note = f"worker {spread(mine)} s, bare {spread(others)} s; {wanted.size}, {wanted.steps} steps"
            parts.append(Figure(f"card_over_bare.{name}", median_ratio(mine, others), "ratio", 1.03, note))
    return [Figure("card_over_bare", _worst(parts), "ratio", 1.03, "the worst of these"), *parts]


def card_seamless_over_plain(setup: Setup) -> list[Figure]:
    """A step of U-Nets of Stable Diffusion 1.5's and SDXL's size, wrapped over plain, at 16 bits on a card."""
    width, sides = (64, [64]) if setup.quick else (320, [512, 1024, 2048])
    parts = []
    for name, large in (("small", False), ("large", True)):
        told = child.call(
            setup.python, "card_chain:step_seconds", setup.device, large, width, sides, setup.runs(9), seconds=300
        )
        for side, seconds in told.items():
            mine, others = seconds["seamless"], seconds["plain"]
            note = f"seamless {spread(mine)} s, plain {spread(others)} s"
            title = f"card_seamless_over_plain.{name}_{side}"
            parts.append(Figure(title, median_ratio(mine, others), "ratio", 1.02, note))
    return [Figure("card_seamless_over_plain", _worst(parts), "ratio", 1.02, "the worst of these"), *parts]


def card_wrap(setup: Setup) -> list[Figure]:
    """A wrap as the engine does it over the faster of its two ways, for tensors as U-Nets have them at 512 to 2048."""
    sides = (16,) if setup.quick else (16, 32, 64, 128, 256)
    shapes = [[2, channels, side, side] for side in sides for channels in (320, 1280)]
    parts = []
    told = child.call(setup.python, "card_chain:wraps", setup.device, shapes, setup.runs(9), seconds=300)
    for shape, found in zip(shapes, told, strict=True):
        copies, gathered = (statistics.median(found[way]) for way in ("copies", "gathered"))
        mine = gathered if found["gathers"] else copies
        way = "gathered" if found["gathers"] else "copied"
        note = f"{way}; copies {1e6 * copies:.1f} us, gathered {1e6 * gathered:.1f} us"
        title = "card_wrap." + "x".join(map(str, shape))
        parts.append(Figure(title, mine / min(copies, gathered), "ratio", None, note))
    return [Figure("card_wrap", _worst(parts), "ratio", 1.1, "the worst of these"), *parts]


def card_levels(setup: Setup) -> list[Figure]:
    """How far a picture is from that of the same recipe on the processor."""
    side = 64 if setup.quick else 512
    request = TextureRequest("mossy red brick wall", size=Size(side, side), steps=4, guidance_scale=1.0, seed=7)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        made = []
        for device in (setup.device, "cpu"):
            with Engine(setup.python, Path(folder), device) as engine:
                made.append(engine.make(request)[1])
        levels = child.call(setup.python, "card_chain:mean_levels_apart", *made)
    return [Figure("card_levels", levels, "levels", 1, f"mean difference; starter, {request.size}")]


def card_decode(setup: Setup) -> list[Figure]:
    """Decoding layer by layer over whole, and the memory of each way over what is planned for it."""
    width, side = (32, 128) if setup.quick else (128, 1024)
    told = child.call(setup.python, "card_chain:decodings", setup.device, width, side, setup.runs(3))
    whole = told["whole"]["seconds"]
    parts = []
    for way, found in told.items():
        note = f"{show(found['seconds'])} s; {found['peak'] / 2**20:.0f} MiB, {found['planned'] / 2**20:.0f} planned"
        parts.append(Figure(f"card_decode.{way}_over_whole", found["seconds"] / whole, "ratio", None, note))
        if found["peak"]:
            parts.append(Figure(f"card_decode.{way}_over_plan", found["peak"] / found["planned"], "ratio", 1.1))
    note = f"sheets of the KL autoencoder on the card, {side}x{side}"
    return [Figure("card_decode", told["sheets"]["seconds"] / whole, "ratio", 3, note), *parts]


def card_modes(setup: Setup) -> list[Figure]:
    """The most that a leaner memory mode holds over the richer one before it, with a model of Stable Diffusion 1.5."""
    if not child.call(setup.python, "card_chain:about", setup.device)["is_card"]:
        raise MachineError("There is no graphics card.")
    side = 256 if setup.quick else 1024
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        model = Path(folder) / "model"
        child.call(setup.python, "networks:save_model", model, 32 if setup.quick else 320)
        peaks = child.call(setup.python, "card_chain:modes", setup.device, model, side)
    ratios = [leaner / richer for richer, leaner in zip(list(peaks.values()), list(peaks.values())[1:], strict=False)]
    note = ", ".join(f"{mode} {peak / 2**30:.2f} GiB" for mode, peak in peaks.items()) + f"; {side}x{side}"
    return [Figure("card_modes", max(ratios), "ratio", 1, note)]


def upscale_4096_s(setup: Setup) -> list[Figure]:
    """From a color of 512 to one of 4096."""
    side, factor = (64, 4) if setup.quick else (512, 8)
    told = child.call(setup.python, "card_chain:upscaled", setup.device, side, factor)
    parts = [Figure(f"upscale_4096_s.{name}", told[name], "s") for name in ("tiles", "colors", "png")]
    return [Figure("upscale_4096_s", told["all"], "s", None, f"{side} -> {side * factor}; network warm"), *parts]


def _worst(parts: list[Figure]) -> float:
    return max(part.value for part in parts if part.value is not None)
