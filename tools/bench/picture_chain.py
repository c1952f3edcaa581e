# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscaling and maps, measured inside a process like the worker's. Imports core, engine, tools.starter, pillow."""

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from addon.core import image_networks as known
from addon.core.color import delta_e, to_encoded, to_linear
from addon.core.protocol import Phase, Start
from addon.core.requests.finish import STARTER_NETWORKS, Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes, Size
from addon.core.results import Draft, Result
from addon.engine import generate, image_networks, picture_job
from addon.engine.canvas import canvases
from addon.engine.devices import Decoding, Device, Kind, decode_bytes, free_main_memory
from addon.engine.image_networks import NetworkCache
from addon.engine.layers import Layers
from addon.engine.models import ModelCache
from addon.engine.resampling import shrink
from addon.engine.seamless import seamless
from addon.engine.tiles import TileLimits
from addon.engine.upscale import Means, upscale
from tests.engine.networks import kl_autoencoder
from tools.bench.chain import Watch, starter
from tools.starter.textures import FAMILIES, make_texture

CPU = Device(Kind.CPU, "cpu", free_main_memory())


def _picture(side: int, index: int = 0) -> np.ndarray:
    names = sorted(FAMILIES)
    texture = make_texture(np.random.default_rng((9, index)), side, names[index * 7 % len(names)])
    return np.rint(texture.color * 255).astype(np.uint8)


def picture_file(folder: Path, side: int) -> Path:
    """A texture on disk."""
    path = folder / "a.png"
    Image.fromarray(_picture(side)).save(path)
    return path


def _status(name: str) -> int:
    """A figure of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def peak_while(work: Callable[[], object]) -> dict[str, float]:
    """Bytes that this process holds "before" some work, and at most while it does it ("peak"); its "seconds"."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts over (proc(5))
    begun = time.monotonic()
    work()
    return {"before": before, "peak": _status("VmHWM"), "seconds": time.monotonic() - begun}


def _means(factor: int) -> Means:
    """The starter's, as the engine takes them."""
    late = known.late_upscaler_file(STARTER_NETWORKS, factor)
    first = image_networks.load(known.UPSCALER_FILE)
    return Means(first, TileLimits(), CPU.free, image_networks.load(late) if late else None)


def upscale_peak(side: int, factor: int) -> dict[str, float]:
    """Bytes that a process holds before enlarging a picture, and at most while it does, canvases in mapped files."""
    means = _means(factor)
    picture = _picture(side)
    with TemporaryDirectory() as folder, canvases(Path(folder), in_memory=0) as easel:
        # what is made once, such as the convolutions' plans, is no part of it
        upscale(picture[:64, :64], 2, means, Axes.XY, Content.COLOR, easel)
        return peak_while(lambda: upscale(picture, factor, means, Axes.XY, Content.COLOR, easel))


def set_peak(side: int, variants: int, maps: bool) -> dict[str, float]:
    """Bytes that a process with the starter holds before a set of tiles of that side, and at most while it is made."""
    cache = ModelCache()
    one = replace(starter(64, 4, 1), finish=Finish(maps=tuple(MapKind) if maps else ()))
    whole = replace(one, size=Size(side, side), variants=variants)
    with TemporaryDirectory() as folder:
        generate.make_images(cache, Start("warm", one, folder, "cpu", "full"), Watch())
        return peak_while(lambda: generate.make_images(cache, Start("bench", whole, folder, "cpu", "full"), Watch()))


@torch.inference_mode()
def decode_peak(side: int, width: int) -> dict[str, float]:
    """As `upscale_peak`, for a picture that a KL autoencoder decodes layer by layer; SDXL's has a width of 128.

    planned: what `devices` counts for it besides the weights.
    """
    vae = kl_autoencoder(width).to(memory_format=torch.channels_last)
    latents = torch.randn(1, 4, side // 8, side // 8)
    with TemporaryDirectory() as folder, canvases(Path(folder), in_memory=0) as easel:
        with seamless(vae, Axes.XY):
            by_layer = Layers(vae, Axes.XY, easel, TileLimits())
            by_layer.decode(latents[..., :8, :8])
            planned = 2.0 * decode_bytes(Decoding.STRIPS, side * side)  # 4 bytes a number
            return {**peak_while(lambda: by_layer.decode(latents)), "planned": planned}


def tiled_and_whole(side: int, runs: int) -> dict[str, list[float]]:
    """Seconds for one pass of the starter upscaler over a picture, in tiles and in one piece made periodic."""
    network = image_networks.load(known.UPSCALER_FILE)
    picture = _picture(side)[..., : network.channels[0]]
    tiler = network.tiler(TileLimits(), CPU.free)
    out = np.empty((2 * side, 2 * side, network.channels[1]), np.float32)

    def write(rows: slice, columns: slice, values: np.ndarray) -> None:
        out[rows, columns] = values

    def tiled() -> None:
        tiler.run(picture, write, Axes.XY)

    def whole() -> None:
        with seamless(network.module, Axes.XY), torch.inference_mode():
            tensor = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
            out[:] = network.module(tensor)[0].permute(1, 2, 0).numpy()

    seconds: dict[str, list[float]] = {"tiled": [], "whole": []}
    tiled(), whole()
    for run in range(runs):
        for name, work in (("tiled", tiled), ("whole", whole))[:: 1 if run % 2 == 0 else -1]:
            begun = time.monotonic()
            work()
            seconds[name].append(time.monotonic() - begun)
    return seconds | {"tile": [tiler.tile], "halo": [tiler.halo]}


def color_drift(count: int, side: int, factor: int) -> list[float]:
    """Mean CIEDE2000 between textures and their enlargements shrunk back, by the starter upscaler: one a texture."""
    means = _means(factor)
    drifts = []
    for index in range(count):
        picture = _picture(side, index)
        with TemporaryDirectory() as folder, canvases(Path(folder)) as easel:
            large = upscale(picture, factor, means, Axes.XY, Content.COLOR, easel).array
            # as it is written to the file
            large = np.rint(np.asarray(large) * 255) / 255
            back = to_encoded(shrink(to_linear(large), factor))
        drifts.append(float(delta_e(picture / 255, back).mean()))
    return drifts


def periodicity(side: int) -> dict[str, float]:
    """Of each network in the package: greatest error over greatest value when its picture is rolled by its grid."""
    errors = {}
    for file in known.FILES:
        network = image_networks.load(file)
        picture, shift = _picture(side)[..., : network.channels[0]], (5 * network.grid, 9 * network.grid)
        tiler = network.tiler(TileLimits({"cpu": side // 2}), CPU.free)
        results = []
        for source in (picture, np.roll(picture, shift, (0, 1))):
            out = np.empty((side * network.scale, side * network.scale, network.channels[1]), np.float32)

            def write(rows: slice, columns: slice, values: np.ndarray, out: np.ndarray = out) -> None:
                out[rows, columns] = values

            tiler.run(source, write, Axes.XY)
            results.append(out)
        moved = tuple(int(step * Fraction(network.scale)) for step in shift)
        errors[file.stem] = float(np.abs(np.roll(results[0], moved, (0, 1)) - results[1]).max() / results[1].max())
    return errors


class _Watch:
    """Takes the time of each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._phase, self._begun = "", time.monotonic()

    def check(self) -> None:
        pass

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        self._turn(phase.name)

    def note(self, text: str) -> None:
        pass

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        draft.publish(result)
        self._turn("")

    def _turn(self, phase: str) -> None:
        now = time.monotonic()
        if self._phase:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._begun
        self._phase, self._begun = phase, now


def material(side: int, factor: int) -> dict[str, Any]:
    """Seconds from a color's file to all maps in the store, with warm networks, phase by phase."""
    cache = NetworkCache()
    with TemporaryDirectory() as folder:
        path = picture_file(Path(folder), side)
        request = PictureRequest(str(path), Finish(factor, maps=tuple(MapKind)))
        small = PictureRequest(str(path), Finish(2, maps=tuple(MapKind)))
        if factor != 2:
            picture_job.make_result(cache, Start("warm", small, folder + "/store", device="cpu"), _Watch())
        watch = _Watch()
        picture_job.make_result(cache, Start("j", request, folder + "/store", device="cpu"), watch)
    return watch.seconds
