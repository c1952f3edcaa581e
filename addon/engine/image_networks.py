# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads upscalers and map networks through spandrel, and keeps them. Imports core, engine, torch and spandrel.

safetensors are checked before they are read. A .pth is a pickle: it goes through spandrel's unpickler, which refuses
everything but tensors, and the user hears of it. TorchScript is never loaded.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import spandrel
import torch

from ..core import image_networks
from ..core.errors import ErrorKind, UserError
from ..core.model_files import folder as model_folder
from ..core.recipe import EXACTLY
from . import pictures
from .devices import Device, Kind, empty_cache, is_out_of_memory
from .tiles import Reach, TileLimits, Tiler, measure_reach
from .watcher import cancellable

log = logging.getLogger(__name__)

# Networks: of the starter three are in use, of others an upscaler and up to one for each map. They come in the same
# order for each picture, so keeping fewer than all of them would keep none that is asked for.
_KEPT = 8
_TILES = (1024, 768, 512, 256, 128, 64)
_CPU_TILE = 512  # larger ones fall out of the processor's caches and gain nothing
# Pixels of a side, for networks that see little of a tile's surroundings. A layer of a larger tile takes more memory
# than the allocator keeps: it is asked of the system for each layer, and cleared. Starter's upscaler, one thread of an
# EPYC: 5.1 microseconds a pixel in tiles of 512, 3.7 in those of 256.
_NARROW_TILE = 256
_NARROW = 16  # halos in such a tile's side, at least
_MARGIN = 2.5  # of what the widest layer holds: its neighbours', and the convolution's workspace; an assumption


@dataclass(frozen=True)
class ImageNetwork:
    """A network in memory, ready for pictures in 0..1.

    scale: pixels of the result for one of the picture. channels: in and out. exact: whether tiles and edges that wrap
    change nothing; where not, reach.error says how much.
    """

    file: Path
    title: str
    module: Any
    scale: int
    channels: tuple[int, int]
    grid: int
    reach: Reach
    device: str
    dtype: torch.dtype
    bytes_per_pixel: float
    fingerprint: str = ""

    @property
    def exact(self) -> bool:
        return self.reach.exact

    @property
    def periodic(self) -> str:
        """How its results are where they repeat, for a recipe."""
        return EXACTLY if self.exact else f"as measured, off by {self.reach.error:.2g} of the greatest value"

    def tiler(self, limits: TileLimits, free: int) -> Tiler:
        """How to run it, in tiles that fit into `free` bytes."""
        return Tiler(
            self.module,
            Fraction(self.scale),
            self.reach.halo,
            self.grid,
            choose_tile(self.bytes_per_pixel, self.reach.halo, free, self.device),
            self.device,
            self.dtype,
            limits,
        )

    def cancellable(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `check` before each convolution, so that a cancel is seen within a tile."""
        return cancellable([self.module], (torch.nn.Conv2d, torch.nn.Linear), check)


def pickle_warning(file: Path) -> str:
    """A warning before a file is read that is not safetensors, "" for one that is."""
    if file.suffix.lower() == ".safetensors":
        return ""
    return f"{file.name} is a pickle; only its tensors are read. Prefer .safetensors files."


class NetworkCache:
    """The networks of the last jobs. Used by one thread."""

    def __init__(self) -> None:
        self._networks: OrderedDict[tuple[str, float, str, torch.dtype], ImageNetwork] = OrderedDict()
        self.limits = TileLimits()

    def __len__(self) -> int:
        return len(self._networks)

    def get(self, file: Path, device: Device, dtype: torch.dtype | None = None) -> ImageNetwork:
        """A network from its file, loaded if need be. dtype: None for what suits the device.

        Raises `UserError` (kind `MODEL`).
        """
        dtype = dtype or precision(device)
        try:
            stamp = file.stat().st_mtime
        except OSError as error:
            raise UserError(ErrorKind.MODEL, f"{file} cannot be read: {error.strerror}.") from error
        key = (str(file), stamp, device.name, dtype)
        if key not in self._networks:
            self._networks[key] = load(file, device.name, dtype)
            while len(self._networks) > _KEPT:
                self._networks.popitem(last=False)
        self._networks.move_to_end(key)
        return self._networks[key]

    def free(self) -> None:
        """Let go of all of them."""
        devices = {network.device for network in self._networks.values()}
        self._networks.clear()
        for device in devices:
            empty_cache(device)


def precision(device: Device) -> torch.dtype:
    """For upscalers: float32 where it costs nothing that matters, 16 bits on graphics cards. Maps are in float32."""
    return torch.float32 if device.kind in (Kind.CPU, Kind.MPS) else torch.float16


def load(file: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> ImageNetwork:
    """A network from its file. Raises `UserError` (kind `MODEL`): what was expected, and what was found."""
    image_networks.check_file(file)
    if warning := pickle_warning(file):
        log.warning("%s", warning)
    else:
        model_folder.check_safetensors(file)
    try:
        descriptor = spandrel.ModelLoader(device="cpu").load_from_file(file)
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        if is_out_of_memory(error):
            raise
        log.exception("loading %s failed", file)
        reason = " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
        raise UserError(
            ErrorKind.MODEL,
            f"{file.name} is not an upscaler or map network that spandrel knows: {reason}.",
            "Choose another file.",
        ) from error
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        raise UserError(ErrorKind.MODEL, f"{file.name} needs a mask beside the picture, which Tilewright doesn't have.")
    if dtype is torch.float16 and not descriptor.supports_half:
        dtype = torch.bfloat16 if descriptor.supports_bfloat16 else torch.float32
    grid = max(descriptor.size_requirements.multiple_of, 1)
    module = _Clamped(descriptor).to(device, dtype).eval().requires_grad_(False)
    if device.partition(":")[0] in ("cpu", "cuda", "xpu"):
        module = module.to(memory_format=torch.channels_last)
    scale, channels = descriptor.scale, (descriptor.input_channels, descriptor.output_channels)
    reach = measure_reach(module, channels[0], scale=Fraction(scale), grid=grid, device=device, dtype=dtype)
    log.info("%s: %s, %dx, sees %s", file.name, descriptor.architecture.name, scale, reach)
    return ImageNetwork(
        file,
        descriptor.architecture.name,
        module,
        scale,
        channels,
        grid,
        reach,
        device,
        dtype,
        _widest(module, channels[0], device, dtype),
        pictures.fingerprint(file),
    )


class _Clamped(torch.nn.Module):
    """Takes and gives 0..1, as spandrel's own call does, without its padding: the tiler gives it sizes that fit.

    spandrel's descriptor would bring its own inference mode and padding, which hide what `measure_reach` looks at.
    """

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.inner = descriptor.model
        self._call = descriptor._call_fn

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        # a copy, since RCAN (spandrel 0.4.2) multiplies what it is given by 255, in place
        return self._call(self.inner, picture.clone()).clamp(0, 1)


def choose_tile(bytes_per_pixel: float, halo: int, free: int, device: str) -> int:
    """The largest tile whose work takes at most half of the free memory; the smallest where none does."""
    largest = _TILES[0]
    if device == "cpu":
        largest = _NARROW_TILE if _NARROW * halo <= _NARROW_TILE else _CPU_TILE
    for side in _TILES:
        if side > largest:
            continue
        if (side + 2 * halo) ** 2 * bytes_per_pixel <= free / 2:
            return side
    return _TILES[-1]


@torch.inference_mode()
def _widest(module: torch.nn.Module, channels: int, device: str, dtype: torch.dtype) -> float:
    """Bytes a pixel of the picture that its hungriest layer takes and gives, with a margin: measured on a small one."""
    side, most = 64, 0

    def after(_module: Any, inputs: Any, output: Any) -> None:
        nonlocal most
        tensors = [tensor for tensor in (*inputs, output) if isinstance(tensor, torch.Tensor)]
        most = max(most, sum(tensor.numel() * tensor.element_size() for tensor in tensors))

    leaves = [part for part in module.modules() if not list(part.children())]
    handles = [part.register_forward_hook(after) for part in leaves]
    try:
        module(torch.zeros((1, channels, side, side), device=device, dtype=dtype))
    finally:
        for handle in handles:
            handle.remove()
    return most * _MARGIN / side**2
