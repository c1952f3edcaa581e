# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes convolutional networks periodic, and restores them. Imports core, torch and diffusers' building blocks.

The law: in float32, a network inside `seamless` is a function on a torus. Rolling its input by its grid (the product
of its strides) rolls its output, greatest error over greatest value <= 1e-5. Group normalisation and attention without
positions obey it already; what breaks it are the borders of convolutions, so those are what is patched. A family whose
networks need more says so in its adapter (`families`). A network of diffusers' that no adapter lists is refused: a
transformer has no borders that could be found here, and is not periodic all the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import ModelMixin
from diffusers.models.downsampling import Downsample2D, FirDownsample2D, KDownsample2D
from diffusers.models.embeddings import PatchEmbed
from diffusers.models.upsampling import FirUpsample2D, KUpsample2D
from torch import nn
from torch.nn import functional as F

from ..core.errors import ErrorKind, UserError
from ..core.requests.texture import Axes
from .families import periodic
from .families.adapter import PLAIN, Change

# Value of `Downsample2D.padding` while its convolution does the padding: anything but 0 makes its forward skip its own.
_BY_CONVOLUTION = "wrapped by its convolution"
_HINT = "Choose another model, or set tiling to none."

# What has borders of its own that are not wrapped here. None of it occurs in the networks that adapters list.
_OWN_BORDERS: tuple[type, ...] = (
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.CircularPad2d,  # wraps both axes, also where one was chosen
    nn.ReflectionPad2d,
    nn.ReplicationPad2d,
    FirDownsample2D,
    FirUpsample2D,
    KDownsample2D,
    KUpsample2D,
)


class _WrappedForward:
    """Takes the place of one convolution's `_conv_forward`; all that does not depend on the input is worked out once.

    pads: (left, right, top, bottom) in pixels of the input.
    """

    __slots__ = ("dilation", "fill", "groups", "mode", "padding", "places", "stride", "wrapped")

    def __init__(self, conv: nn.Conv2d, pads: Sequence[int], axes: Axes, places: "Places") -> None:
        left, right, top, bottom = pads
        self.places = places
        self.wrapped = _of_axes(pads, axes)
        rest_x = (0, 0) if axes.x else (left, right)
        rest_y = (0, 0) if axes.y else (top, bottom)
        # An axis that is not wrapped keeps the plain convolution's own padding, by the plain convolution's own means.
        plain = conv.padding_mode == "zeros" and rest_x[0] == rest_x[1] and rest_y[0] == rest_y[1]
        self.padding = (rest_y[0], rest_x[0]) if plain else (0, 0)
        self.fill = None if plain else (*rest_x, *rest_y)
        self.mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        self.stride, self.dilation, self.groups = conv.stride, conv.dilation, conv.groups

    def __call__(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        # Group norms on graphics cards hand over plain layout, which the convolution would have to turn around.
        turn = weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
        input = wrap(input, *self.wrapped, channels_last=turn, places=self.places)
        if self.fill is not None:
            input = F.pad(input, self.fill, mode=self.mode)
        return F.conv2d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class _WrappedByHand:
    """Takes the place of one `_conv_forward` whose convolution has already padded its input by hand, as causal ones do.

    pads: (left, right, top, bottom) of the padded input, which is a copy that nobody else has: its borders are
    overwritten.
    """

    __slots__ = ("convolve", "dilation", "groups", "pads", "stride")

    def __init__(self, conv: nn.Conv2d | nn.Conv3d, pads: Sequence[int], axes: Axes) -> None:
        self.pads = _of_axes(pads, axes)
        self.convolve = F.conv3d if isinstance(conv, nn.Conv3d) else F.conv2d
        self.stride, self.dilation, self.groups = conv.stride, conv.dilation, conv.groups

    def __call__(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        _fill_borders(input, *self.pads)
        return self.convolve(input, weight, bias, self.stride, 0, self.dilation, self.groups)


class _WrappedPad:
    """Takes the place of the `forward` of one `nn.ConstantPad2d`, or `nn.ZeroPad2d`."""

    __slots__ = ("pads", "value", "wrapped")

    def __init__(self, module: nn.ConstantPad2d, axes: Axes) -> None:
        self.pads, self.value, self.wrapped = module.padding, module.value, _of_axes(module.padding, axes)

    def __call__(self, input: torch.Tensor) -> torch.Tensor:
        padded = F.pad(input, self.pads, value=self.value)
        _fill_borders(padded, *self.wrapped)
        return padded


class Places:
    """Where each pixel of a wrapped picture comes from: what a graphics card gathers small tensors by, in one kernel.

    There an operation costs what starting it costs (35 microseconds in Python on the H100's machine, 171 for a wrap of
    eleven); of larger tensors whole runs of bytes are copied faster than single numbers are looked up.
    """

    # 8 MiB at 16 bits. An assumption, which `bench --card` looks at (card_wrap): no card was there to find it by.
    _MOST_NUMBERS = 1 << 22

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], torch.Tensor] = {}

    def pay_for(self, tensor: torch.Tensor) -> bool:
        """Whether gathering should be faster than copying."""
        return tensor.device.type in ("cuda", "xpu") and tensor.numel() <= self._MOST_NUMBERS

    def of(self, height: int, width: int, pads: tuple[int, int, int, int], device: torch.device) -> torch.Tensor:
        """For each pixel of the wrapped picture, row by row, its number in the picture."""
        key = (height, width, pads, device)
        known = self._known.get(key)
        if known is None:
            left, right, top, bottom = pads
            with torch.inference_mode(mode=False):  # or no gradient could ever pass
                columns = torch.arange(-left, width + right, device=device) % width
                rows = torch.arange(-top, height + bottom, device=device) % height
                known = self._known[key] = (rows[:, None] * width + columns).flatten()
        return known


def _of_axes(pads: Sequence[int], axes: Axes) -> tuple[int, int, int, int]:
    """The pads (left, right, top, bottom) on wrapped axes, 0 on others."""
    left, right, top, bottom = pads
    return left * axes.x, right * axes.x, top * axes.y, bottom * axes.y


def _fill_borders(tensor: torch.Tensor, left: int, right: int, top: int, bottom: int) -> None:
    """Overwrite so many border pixels of (..., height, width) with what a torus has there; at most once around."""
    height, width = tensor.shape[-2:]
    if left:
        tensor[..., :left] = tensor[..., width - right - left : width - right]
    if right:
        tensor[..., width - right :] = tensor[..., left : left + right]
    if top:
        tensor[..., :top, :] = tensor[..., height - bottom - top : height - bottom, :]
    if bottom:
        tensor[..., height - bottom :, :] = tensor[..., top : top + bottom, :]


def wrap(
    tensor: torch.Tensor,
    left: int,
    right: int,
    top: int,
    bottom: int,
    channels_last: bool = False,
    places: Places | None = None,
) -> torch.Tensor:
    """A (batch, channels, height, width) tensor continued periodically by so many pixels (0 or more, any number).

    Copies the tensor once and keeps channels_last, or turns to it where asked for. `F.pad(mode="circular")` loses that
    layout, but not where it is handed the channels as the last axis. It calls for five copies at most (the middle, and
    four borders) without Python in between; `torch.cat`, once an axis, copies all twice.

    places: from which a small tensor on a graphics card is gathered in a single kernel; see `Places`.
    """
    height, width = tensor.shape[2:]
    last = channels_last or (tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous())
    around = max(left, right) > width or max(top, bottom) > height  # more than once: copies do not know how
    if around or (places is not None and places.pay_for(tensor)):
        taken = (places or Places()).of(height, width, (left, right, top, bottom), tensor.device)
        shape = (height + top + bottom, width + left + right)
        pixels = tensor.flatten(2)  # a view, in both layouts
        if last:
            return pixels.transpose(1, 2).index_select(1, taken).unflatten(1, shape).permute(0, 3, 1, 2)
        return pixels.index_select(2, taken).unflatten(2, shape)
    if last:
        padded = F.pad(tensor.permute(0, 2, 3, 1)[None], (0, 0, left, right, top, bottom), mode="circular")
        return padded[0].permute(0, 3, 1, 2)
    return F.pad(tensor, (left, right, top, bottom), mode="circular")


@contextmanager
def seamless(target: Any, axes: Axes) -> Iterator[None]:
    """Makes `target` periodic on `axes` while the block runs, and restores it at its end, also after an exception.

    target: a diffusers pipeline, a module, or several modules. Load LoRAs before: what is added inside is not patched.
    axes: `Axes.X` joins left and right, `Axes.Y` top and bottom. The other axis stays exactly as it was. With
        `Axes.NONE` the networks compute what they do without Tilewright, bit for bit.

    Blocks may be nested, on the same networks too: the innermost decides, `NONE` included. They must end in reverse
    order, and a network may be in the blocks of one thread at a time.

    Raises `UserError` of kind `MODEL`, and patches nothing, where a network holds a part that cannot be made periodic,
    or is one of diffusers' that no family knows.
    """
    changes = list(_changes(list(_modules(target)), axes))
    saved: list[tuple[nn.Module, str, object]] = []
    try:
        for module, name, value in changes:
            saved.append((module, name, vars(module).get(name, PLAIN)))
            _put(module, name, value)
        yield
    finally:
        for module, name, value in reversed(saved):
            _put(module, name, value)


def _put(module: nn.Module, name: str, value: object) -> None:
    if value is not PLAIN:
        vars(module)[name] = value
    else:
        vars(module).pop(name, None)


def _modules(target: Any) -> Iterator[nn.Module]:
    """Every module in `target`, each once (a `Downsample2D` may hold one convolution under two names)."""
    if isinstance(target, nn.Module):
        roots: Iterable[Any] = [target]
    else:
        components = getattr(target, "components", None)  # a pipeline's
        roots = components.values() if components is not None else target
    seen: set[int] = set()
    for root in roots:
        if not isinstance(root, nn.Module):
            continue
        for module in root.modules():
            if id(module) not in seen:
                seen.add(id(module))
                yield module


def _changes(modules: Sequence[nn.Module], axes: Axes) -> Iterator[Change]:
    """What has to be set (or, `PLAIN`, removed) on which module, whatever an outer block has already done to it."""
    of_families = [change for network in _networks(modules) for change in _network_changes(network, axes)]
    yield from of_families
    settled = {id(module) for module, _, _ in of_families}
    pads = {
        module: module._reversed_padding_repeated_twice
        for module in modules
        if isinstance(module, nn.Conv2d) and not _pads_by_hand(module)
    }
    for module in modules:
        if isinstance(module, Downsample2D) and module.use_conv and module.padding in (0, _BY_CONVOLUTION):
            # It pads by hand, right and bottom by one, and then calls a convolution without padding: that one wraps.
            for conv in module.conv.modules():  # with a LoRA there are three, of which one is 1x1 and comes after
                if isinstance(conv, nn.Conv2d) and conv.kernel_size != (1, 1):
                    pads[conv] = (0, 1, 0, 1)
            yield module, "padding", 0 if axes is Axes.NONE else _BY_CONVOLUTION
        elif isinstance(module, nn.ConstantPad2d):
            wraps = any(_of_axes(module.padding, axes))
            yield module, "forward", _WrappedPad(module, axes) if wraps else PLAIN
        elif _pads_by_hand(module):
            by_hand = module._padding[:4]
            wraps = any(_of_axes(by_hand, axes))
            yield module, "_conv_forward", _WrappedByHand(module, by_hand, axes) if wraps else PLAIN
        elif axes is not Axes.NONE and id(module) not in settled:
            _refuse_own_borders(module)
    places = Places()  # of this block
    for conv, conv_pads in pads.items():
        yield from _conv_changes(conv, conv_pads, axes, places)


def _networks(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """diffusers' networks, without those that are parts of others, as a U-Net's transformers are."""
    inside: set[int] = set()
    for module in modules:
        if isinstance(module, ModelMixin) and id(module) not in inside:
            inside.update(map(id, module.modules()))
            yield module


def _network_changes(network: nn.Module, axes: Axes) -> Iterable[Change]:
    """What a family says of a whole network of diffusers'."""
    changes = periodic(type(network).__name__)
    if changes is not None:
        return changes(network, axes)
    if axes is not Axes.NONE:
        raise _refusal(network)
    return ()


def _conv_changes(conv: nn.Conv2d, pads: Sequence[int], axes: Axes, places: Places) -> Iterator[Change]:
    current = vars(conv).get("_conv_forward", PLAIN)
    wraps = (axes.x and any(pads[:2])) or (axes.y and any(pads[2:]))
    if not wraps:
        if isinstance(current, _WrappedForward):
            yield conv, "_conv_forward", PLAIN
        return
    foreign = current is not PLAIN and not isinstance(current, _WrappedForward)
    if foreign or type(conv).forward is not nn.Conv2d.forward:
        raise _refusal(conv)
    yield conv, "_conv_forward", _WrappedForward(conv, pads, axes, places)


def _pads_by_hand(module: nn.Module) -> bool:
    """Whether it is one of diffusers' causal convolutions: it pads its input itself, before it convolves.

    `_padding` is what `F.pad` takes, the picture's axes first, then those of time.
    """
    return (
        isinstance(module, nn.Conv2d | nn.Conv3d)
        and isinstance(vars(module).get("_padding"), tuple)
        and not any(module.padding)
    )


def _refuse_own_borders(module: nn.Module) -> None:
    if (
        isinstance(module, _OWN_BORDERS)
        or (isinstance(module, nn.Conv3d) and any(module._reversed_padding_repeated_twice[:4]))
        or (isinstance(module, nn.Upsample) and not module.mode.startswith("nearest"))
        or (isinstance(module, nn.AvgPool2d | nn.MaxPool2d) and module.padding not in (0, (0, 0)))
        or (isinstance(module, PatchEmbed) and module.pos_embed is not None)
        or getattr(module, "use_tiling", False)  # diffusers decodes in tiles that stop at the picture's edges
        or _adapts_by_hand(module)
    ):
        raise _refusal(module)


def _adapts_by_hand(module: nn.Module) -> bool:
    """Whether it is one of PEFT's adapters that convolve without a module: all but plain LoRA do (DoRA, LoHa ...)."""
    base = getattr(module, "base_layer", None)
    if base is None:
        return getattr(module, "conv_fn", None) is F.conv2d
    return isinstance(base, nn.Conv2d) and not hasattr(module, "lora_A")


def _refusal(module: nn.Module) -> UserError:
    part = "tiled decoding" if getattr(module, "use_tiling", False) else type(module).__name__
    return UserError(ErrorKind.MODEL, f"This model has a part that cannot be made seamless ({part}).", _HINT)
