# SPDX-License-Identifier: GPL-3.0-or-later
"""What a LoRA's file adds to which layer, in every format that there is. Imports core, engine, torch and safetensors.

The formats differ in how they name layers, and in how they split what is added into factors. A layer is looked up in
the model's own list of them, by each of the names that it goes by; so nothing is guessed from the look of a key, and
what fits no layer is counted.
"""

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import align_module_device
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from ..core.errors import ErrorKind, UserError
from ..core.model_files import kinds
from ..core.model_files.configs import read_config
from ..core.model_files.header import read_header

log = logging.getLogger(__name__)

_ANOTHER = "Choose a LoRA that was made for this model."
# Before a layer's name, and the pipeline's part that they mean; "" is the denoiser.
_PREFIXES = {
    "lora_unet_": "",
    "lora_transformer_": "",
    "lycoris_": "",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": "text_encoder_3",
    "base_model.model.": "",
    "model.diffusion_model.": "",
    "diffusion_model.": "",
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "clip_l.": "text_encoder",
    "clip_g.": "text_encoder_2",
}
# What a key ends in, and what that is here.
_DOWN, _UP, _MID, _MAGNITUDE, _ALPHA = "down", "up", "mid", "magnitude", "alpha"
_ROLES = {
    ".lora_down.weight": _DOWN,
    ".lora_up.weight": _UP,
    ".lora_mid.weight": _MID,
    ".lora_A.weight": _DOWN,
    ".lora_B.weight": _UP,
    ".lora_A.default.weight": _DOWN,
    ".lora_B.default.weight": _UP,
    ".lora_linear_layer.down.weight": _DOWN,
    ".lora_linear_layer.up.weight": _UP,
    ".lora.down.weight": _DOWN,
    ".lora.up.weight": _UP,
    "_lora.down.weight": _DOWN,
    "_lora.up.weight": _UP,
    "_lora.alpha": _ALPHA,
    ".alpha": _ALPHA,
    ".dora_scale": _MAGNITUDE,
    ".lora_magnitude_vector.default.weight": _MAGNITUDE,
    ".lora_magnitude_vector.weight": _MAGNITUDE,
    ".lora_magnitude_vector": _MAGNITUDE,
    ".diff": "diff",
    ".diff_b": "diff_b",
    **{f".hada_{name}": f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{f".lokr_{name}": f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")},
}
# The last layer of an attention, as some call it, and as it is called in diffusers.
_OUT = {".to_out": ".to_out.0", "_to_out": "_to_out_0", ".out": ".to_out.0", "_out": "_to_out_0"}
_LONGEST_FIRST = sorted(_ROLES, key=len, reverse=True)
# What is not read, by a part of its name, and what people call it.
_UNREAD = {
    "oft_": "OFT",
    "boft": "BOFT",
    ".a1.weight": "GLoRA",
    ".on_input": "IA3",
    ".w_norm": "changes to norms",
    ".lora_B.bias": "biases of its own",
    ".bias_": "sparse biases",
    "lora_controlnet": "a ControlNet",
}


class Delta:
    """What a file adds to what one layer gives: `product(layer, x)` times `scale`, at a weight of 1.

    alpha, rank: `scale` is alpha / rank. factors: its matrices, by name.
    """

    def __init__(self, factors: Mapping[str, torch.Tensor], alpha: float, rank: float) -> None:
        self.factors, self.alpha, self.rank = dict(factors), alpha, rank

    def weight(self) -> torch.Tensor:
        """The whole difference of the layer's weights, without the scale; its shape may need `reshape`."""
        raise NotImplementedError

    def product(self, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """The difference of the weights applied to the layer's input."""
        return _apply(layer, self.weight(), x)

    def prepare(self, layer: nn.Module) -> None:
        """Bring the matrices into the shape that the layer takes. Raises `_Misfit` where they have another."""
        found = self.placed("meta", torch.float32).weight().shape  # nothing is computed there
        if found[0] != _shape(layer)[0] or found.numel() != math.prod(_shape(layer)):
            raise _Misfit

    def placed(self, device: str, dtype: torch.dtype) -> "Delta":
        """The same on a device, in a precision."""
        factors = {name: factor.to(device, dtype) for name, factor in self.factors.items()}
        return type(self)(factors, self.alpha, self.rank)


class LowRank(Delta):
    """LoRA, LoCon: down (r, in[, k, k]), then up (out, r[, 1, 1]); some have mid (r, r, k, k) between the two."""

    def weight(self) -> torch.Tensor:
        down, up = self.factors[_DOWN], self.factors[_UP]
        return up.flatten(1) @ down.flatten(1)

    def product(self, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        down, up = self.factors[_DOWN], self.factors[_UP]
        between = _apply(layer, down, x)
        return F.conv2d(between, up) if isinstance(layer, nn.Conv2d) else F.linear(between, up)

    def prepare(self, layer: nn.Module) -> None:
        down, up, mid = self.factors[_DOWN], self.factors[_UP], self.factors.pop(_MID, None)
        if mid is not None:
            down = torch.einsum("ijkl,jn->inkl", mid, down.flatten(1))
        rank, (outputs, *inputs) = len(down), _shape(layer)
        tail = (1, 1) if isinstance(layer, nn.Conv2d) else ()
        if down.numel() != rank * math.prod(inputs) or up.numel() != outputs * rank:
            raise _Misfit
        self.factors = {_DOWN: down.reshape(rank, *inputs), _UP: up.reshape(outputs, rank, *tail)}


class Hadamard(Delta):
    """LoHa: the product, number by number, of two matrices of low rank."""

    def weight(self) -> torch.Tensor:
        return self._half("hada_w1", "hada_t1") * self._half("hada_w2", "hada_t2")

    def _half(self, name: str, core: str) -> torch.Tensor:
        left, right = self.factors[f"{name}_a"], self.factors[f"{name}_b"]
        if core in self.factors:
            return torch.einsum("ijkl,jr,ip->prkl", self.factors[core], right, left)
        return left @ right


class Kronecker(Delta):
    """LoKr: the Kronecker product of two matrices, each whole or of low rank."""

    def weight(self) -> torch.Tensor:
        first, second = self._pair()
        return torch.kron(first.reshape(*first.shape, *([1] * (second.ndim - 2))), second.contiguous())

    def product(self, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, nn.Conv2d):
            return super().product(layer, x)
        first, second = self._pair()  # without the large product: (A kron B) x is B X A'
        folded = F.linear(x.unflatten(-1, (first.shape[1], second.shape[1])), second)
        return torch.einsum("...bc,ab->...ac", folded, first).flatten(-2)

    def prepare(self, layer: nn.Module) -> None:
        super().prepare(layer)
        first, second = self._pair()
        second = second.reshape(len(second), -1, *_shape(layer)[2:])  # (c, d[, k, k]), however it was stored
        self.factors = {"lokr_w1": first, "lokr_w2": second}

    def _pair(self) -> tuple[torch.Tensor, torch.Tensor]:
        pair = []
        for name in ("lokr_w1", "lokr_w2"):
            if name in self.factors:
                pair.append(self.factors[name])
                continue
            left, right = self.factors[f"{name}_a"], self.factors[f"{name}_b"]
            core = self.factors.get("lokr_t2") if name == "lokr_w2" else None
            pair.append(left @ right if core is None else torch.einsum("ijkl,jr,ip->prkl", core, right, left))
        return pair[0], pair[1]


class Difference(Delta):
    """The difference of the weights as it is."""

    def weight(self) -> torch.Tensor:
        return self.factors["diff"]


def _apply(layer: nn.Module, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What the layer would give with this weight, and without a bias.

    A convolution is asked itself: so it pads as it does, also where `seamless` has it wrap.
    """
    if isinstance(layer, nn.Conv2d):
        wrapped: torch.Tensor = layer._conv_forward(x, weight.reshape(-1, *_shape(layer)[1:]), None)
        return wrapped
    return F.linear(x, weight.reshape(-1, *_shape(layer)[1:]))


def _shape(layer: nn.Module) -> tuple[int, ...]:
    """Of the layer's weight: (out, in), or (out, in, k, k). Not the weight's own, which may be packed in 4 bits."""
    if isinstance(layer, nn.Conv2d):
        return layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size
    assert isinstance(layer, nn.Linear)
    return layer.out_features, layer.in_features


class _Misfit(Exception):
    """A layer of this name has another shape: the file was made for another model."""


@dataclass(frozen=True)
class Part:
    """What a file does to one layer; all tensors on one device, in the precision of the network.

    gain: for DoRA, what the layer multiplies by once it has the difference: its outputs (out, 1, 1) or (out,), or its
    inputs; None: nothing. bias: what is added to the layer's own, (out,) or (out, 1, 1); None: nothing.
    own_bias: the layer's own, of the same shape, where `gain` needs to know it.
    """

    delta: Delta | None
    gain: torch.Tensor | None = None
    gain_on_inputs: bool = False
    bias: torch.Tensor | None = None
    own_bias: torch.Tensor | None = None

    def added(self, layer: nn.Module, x: torch.Tensor, plain: torch.Tensor, weight: float) -> torch.Tensor:
        """What comes to the layer's output. plain: what the layer gives by itself. weight: not 0."""
        more: torch.Tensor | None = None
        if self.delta is not None:
            more = self._changed(layer, x, plain, weight, self.delta)
        if self.bias is not None:
            more = self.bias * weight if more is None else more + self.bias * weight
        assert more is not None  # one of the two is there
        return more

    def _changed(
        self, layer: nn.Module, x: torch.Tensor, plain: torch.Tensor, weight: float, delta: Delta
    ) -> torch.Tensor:
        if self.gain is None:
            return delta.product(layer, x) * (weight * delta.alpha / delta.rank)
        scale = delta.alpha / delta.rank
        if self.gain_on_inputs:
            x = x * self.gain
            # not by calling it, which would come back here
            return (layer.forward(x) + delta.product(layer, x) * scale - plain) * weight
        unbiased = plain if self.own_bias is None else plain - self.own_bias
        return ((self.gain - 1) * unbiased + self.gain * delta.product(layer, x) * scale) * weight

    def placed(self, device: str, dtype: torch.dtype) -> "Part":
        """The same on a device, in a precision."""
        tensors = (self.gain, self.bias, self.own_bias)
        gain, bias, own_bias = (None if tensor is None else tensor.to(device, dtype) for tensor in tensors)
        return Part(self.delta and self.delta.placed(device, dtype), gain, self.gain_on_inputs, bias, own_bias)


@dataclass(frozen=True)
class LoraFile:
    """What a file does to a model. parts: component of the pipeline -> name of a layer in it -> what is done to it.

    unused: names in the file that fit no layer of this model.
    """

    parts: Mapping[str, Mapping[str, Part]]
    unused: tuple[str, ...]

    @property
    def layers(self) -> int:
        """How many layers it adapts."""
        return sum(map(len, self.parts.values()))


Aliases = Callable[[nn.Module], Iterable[tuple[str, str]]]


class Names:
    """Finds the layers of a pipeline by any of the names that files have for them.

    networks: component -> network, the denoiser first. aliases: network -> pairs of another name for a part of it, and
    the part's own.
    """

    def __init__(self, networks: Mapping[str, nn.Module], aliases: Aliases) -> None:
        self.networks = networks
        self._first = next(iter(networks))
        self._tables = {component: _table(network, aliases) for component, network in networks.items()}

    def find(self, path: str) -> tuple[str, str] | None:
        """Component and layer of the name that stands before a key's end; None where there is no such layer."""
        path = path.replace(".processor.", ".")  # diffusers' first way
        components: Iterable[str] = self.networks
        for prefix, component in _PREFIXES.items():
            if path.startswith(prefix):
                path = path.removeprefix(prefix)
                components = [component or self._first] if not prefix.startswith("base") else components
                break
        for component in components:
            if path.startswith(f"{component}."):
                components, path = [component], path.removeprefix(f"{component}.")
                break
        spelt = [path, *(path.removesuffix(end) + other for end, other in _OUT.items() if path.endswith(end))]
        for component in components:
            table = self._tables.get(component, {})
            name = next((table[known] for known in spelt if known in table), None)
            if name is not None:
                return component, name
        return None


def _table(network: nn.Module, aliases: Aliases) -> dict[str, str]:
    """Every name that a layer goes by -> its own: with dots or with underscores, as trainers write them."""
    others: dict[str, list[str]] = {}
    for other, own in aliases(network):
        others.setdefault(own, []).append(other)
    table: dict[str, str] = {}
    for name, module in network.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        # CLIP's layers lost their first word in transformers 5
        for known in (name, f"text_model.{name}", name.removeprefix("text_model."), *others.get(name, ())):
            for spelt in (known, known.replace(".", "_")):
                table.setdefault(spelt, name)
    return table


def read(path: Path, names: Names, convert: Callable[[dict[str, torch.Tensor]], Any] | None = None) -> LoraFile:
    """Read a LoRA's file for the model with these layers. Raises `UserError` (kind `MODEL`).

    convert: diffusers' own way to other names, where its pipeline has one; for what is not found by name, such as the
    query, key and value that some trainers keep as one.
    """
    try:
        tensors = load_file(path)
        found = _split(path, tensors)
        parts, unused = _build(found, names, _metadata(path))
        if unused and convert is not None:
            other = _converted(tensors, convert)
            more, left = _build(_split(path, other), names, {}) if other else (parts, unused)
            if sum(map(len, more.values())) > sum(map(len, parts.values())):
                parts, unused = more, left
    except UserError:
        raise
    except _Misfit as misfit:
        raise _another(path, str(misfit)) from misfit
    except Exception as error:  # whatever the library makes of a file's contents is the file's fault
        raise UserError(
            ErrorKind.MODEL, f"{path.name} cannot be read as a LoRA: {error}.", "Choose another."
        ) from error
    if not parts:
        count = len(unused)
        raise _another(
            path, f"none of its {count} layers is in this model" if count > 1 else "it has no layer of this model"
        )
    return LoraFile(parts, tuple(unused))


def _another(path: Path, reason: str) -> UserError:
    """That a LoRA is for another model, named where that can be told."""
    base = kinds.look(path).base
    made_for = f"a LoRA for {base.title}" if base else "a LoRA for another model"
    return UserError(ErrorKind.MODEL, f"{path.name} is {made_for}, and does not fit this one: {reason}.", _ANOTHER)


def _split(path: Path, tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Layer, as the file calls it -> what the file has for it, by role. Raises `UserError` for what is not read."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        for part, method in _UNREAD.items():
            if part in key:
                raise UserError(
                    ErrorKind.MODEL,
                    f"{path.name} holds {method}, which Tilewright can't apply.",
                    "Choose a LoRA without.",
                )
        end = next((end for end in _LONGEST_FIRST if key.endswith(end)), "")
        name = key.removesuffix(end)
        role = _ROLES.get(end, "")
        if role == _MAGNITUDE and end != ".dora_scale":
            tensor = tensor.reshape(-1, 1)  # peft's is always of the outputs
        found.setdefault(name, {})[role] = tensor
    return found


def _build(
    found: Mapping[str, Mapping[str, torch.Tensor]], names: Names, said: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Part]], list[str]]:
    """The parts by component and layer, and the names that fit no layer. Raises `_Misfit`."""
    parts: dict[str, dict[str, Part]] = {}
    unused = []
    for name, roles in _taken_apart(found, names):
        place = names.find(name) if set(roles) - {_ALPHA, ""} else None
        if place is None:
            unused.append(name)
            continue
        component, own = place
        layer = names.networks[component].get_submodule(own)
        try:
            delta = _delta(roles, layer, said, place)
            part = _part(delta, roles, layer)
        except (_Misfit, RuntimeError, KeyError, IndexError) as error:  # or matrices that do not go together
            raise _Misfit(f"its layer {own} has another shape") from error
        parts.setdefault(component, {})[own] = part
    return parts, unused


def _taken_apart(
    found: Mapping[str, Mapping[str, torch.Tensor]], names: Names
) -> Iterator[tuple[str, Mapping[str, torch.Tensor]]]:
    """The same, with query, key and value as layers of their own where the model has them so, and the file has one."""
    for name, roles in found.items():
        apart = [name.removesuffix("qkv") + end for end in ("to_q", "to_k", "to_v")]
        places = [place for one in apart if (place := names.find(one)) is not None]
        if not name.endswith("qkv") or len(places) < 3 or not {_UP, _DOWN} <= set(roles) <= {_UP, _DOWN, _ALPHA}:
            yield name, roles
            continue
        widths = [_shape(names.networks[component].get_submodule(own))[0] for component, own in places]
        if sum(widths) != len(roles[_UP]):
            raise _Misfit(f"its layer {name} has another shape")
        for one, up in zip(apart, roles[_UP].split(widths), strict=True):
            yield one, {**roles, _UP: up}


def _delta(
    roles: Mapping[str, torch.Tensor], layer: nn.Module, said: Mapping[str, Any], place: tuple[str, str]
) -> Delta | None:
    """The difference of the weights; None where the file has one of the bias alone. Raises `_Misfit`."""
    factors = {role: tensor for role, tensor in roles.items() if role not in (_ALPHA, _MAGNITUDE, "diff_b", "")}
    if not factors:
        return None
    cls: type[Delta]
    rank: float
    if _DOWN in factors:
        cls, rank = LowRank, len(factors[_DOWN])
    elif "hada_w1_b" in factors:
        cls, rank = Hadamard, len(factors["hada_w1_b"])
    elif "diff" in factors:
        cls, rank = Difference, 0
    else:
        cls = Kronecker
        low = [factors[side] for side in ("lokr_w1_b", "lokr_w2_b") if side in factors]
        rank = len(low[-1]) if low else 0
    if rank == 0:  # of whole matrices there is none, and trainers leave alpha aside
        alpha, rank = 1.0, 1
    elif _ALPHA in roles:
        alpha = float(roles[_ALPHA])
    else:
        alpha, rank = _alpha_said(said, *place, rank)
    delta = cls(factors, alpha, rank)
    delta.prepare(layer)
    return delta


def _part(delta: Delta | None, roles: Mapping[str, torch.Tensor], layer: nn.Module) -> Part:
    is_conv, bias = isinstance(layer, nn.Conv2d), roles.get("diff_b")
    tail = (1, 1) if is_conv else ()
    outputs, *inputs = _shape(layer)
    if bias is not None:
        bias = bias.reshape(outputs, *tail)
    if delta is None or _MAGNITUDE not in roles:
        return Part(delta, bias=bias)
    magnitude = roles[_MAGNITUDE].float()
    of_outputs = magnitude.shape[0] == outputs
    with align_module_device(layer):  # where its weights wait elsewhere
        own = layer.weight.detach().float()
        own_bias = None if layer.bias is None else layer.bias.detach().reshape(outputs, *tail).cpu()
    matrices = {role: factor.to(own.device, torch.float32) for role, factor in delta.factors.items()}
    changed = own + type(delta)(matrices, 1.0, 1.0).weight().reshape(own.shape) * (delta.alpha / delta.rank)
    if of_outputs:
        norm = changed.flatten(1).norm(dim=1)
    else:
        norm = changed.transpose(0, 1).flatten(1).norm(dim=1)
    gain = magnitude.reshape(outputs if of_outputs else inputs[0]) / norm.cpu()
    return Part(delta, gain.reshape(-1, *tail), not of_outputs, bias, own_bias)


def _metadata(path: Path) -> dict[str, Any]:
    """peft's settings, as diffusers writes them into a file, or peft beside it; {} where there are none."""
    beside = path.with_name("adapter_config.json")
    try:
        said = read_header(path).metadata.get("lora_adapter_metadata", "")
        if said:
            data = json.loads(said)
        elif path.stem == "adapter_model" and beside.is_file():
            data = read_config(path.parent, beside.name)
        else:
            return {}
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _alpha_said(said: Mapping[str, Any], component: str, name: str, rank: float) -> tuple[float, float]:
    """Alpha and rank of a layer whose file has no alpha of its own for it: as peft's settings say, else one another."""

    def setting(key: str) -> Any:
        return said.get(f"{component}.{key}", said.get(key))

    alpha, patterns = setting("lora_alpha"), setting("alpha_pattern")
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        if name == str(pattern).lstrip("^") or name.endswith(f".{pattern}"):
            alpha = value
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        return float(rank), float(rank)
    return float(alpha), math.sqrt(rank) if setting("use_rslora") is True else float(rank)


def _converted(
    tensors: Mapping[str, torch.Tensor], convert: Callable[[dict[str, torch.Tensor]], Any]
) -> dict[str, torch.Tensor]:
    try:
        given = convert(dict(tensors))
    except Exception:  # it raises whatever its code runs into, on names that it does not know
        log.info("diffusers cannot convert it either", exc_info=True)
        return {}
    state = given[0] if isinstance(given, tuple) else given
    return state if isinstance(state, dict) else {}
