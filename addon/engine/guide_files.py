# SPDX-License-Identifier: GPL-3.0-or-later
"""ControlNets, IP-Adapters and image encoders on the disk: found, checked, loaded. Imports core, torch and diffusers.

The same care as for models: only listed classes, only safetensors, never the hub; each weight comes from the file.
"""

import hashlib
import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError, safe_open

from ..core.errors import ErrorKind, UserError
from ..core.families.family import Family
from ..core.model_files import configs, image_encoders, kinds
from ..core.model_files import folder as model_folder
from ..core.model_files.configs import read_config
from ..core.requests.guides import Control, Guides, Style
from .devices import is_out_of_memory

log = logging.getLogger(__name__)

_CONFIG = "config.json"
_UNION = "ControlNetUnionModel"
# What configurations of ControlNets name. Which of both classes it is, the weights tell: the first Unions were
# published before diffusers had a class for them.
_CLASS_NAMES = ("ControlNetModel", _UNION, "ControlNetModel_Union")
_COPIED = (
    "time_embed.0.weight",
    "control_model.time_embed.0.weight",
)  # in files with the keys of the first ControlNets
_AGAIN = "Download it again, or choose another."


@dataclass(frozen=True)
class ControlFiles:
    """A ControlNet that was found. config: what its folder says, None of a single file. parameters: its weights."""

    path: Path
    files: tuple[Path, ...]
    fingerprint: str
    class_name: str
    config: Mapping[str, Any] | None
    parameters: int

    @property
    def is_union(self) -> bool:
        """Whether one network knows several kinds of picture, and is told which it gets."""
        return self.class_name == _UNION


@dataclass(frozen=True)
class StyleFiles:
    """An IP-Adapter that was found, with the encoder that fits it. fingerprint: of both.

    parameters: how many weights each has.
    reads_hidden: whether it reads all that the encoder sees (Plus), and not its summary alone.
    """

    path: Path
    encoder: Path
    fingerprint: str
    parameters: tuple[int, int]
    reads_hidden: bool


# --- found and checked


def find_control(control: Control, family: Family) -> ControlFiles:
    """Check the ControlNet's files; reads headers alone. Raises `UserError` (kind `MODEL`)."""
    path = configs.root(Path(control.model), _CONFIG)
    _must_exist(path)
    network = model_folder.check_network(path, "diffusers")
    config: dict[str, Any] | None = None
    if path.is_dir():
        config = read_config(path, _CONFIG)
        if config.get("_class_name") not in _CLASS_NAMES:
            said = f"{path / _CONFIG} names {config.get('_class_name')!r}, which is not on the list of safe classes."
            raise UserError(ErrorKind.MODEL, said, _AGAIN)
    class_name = _class_in(network.files)
    if class_name not in family.controls:
        if class_name in ("ControlNetModel", _UNION):
            raise UserError(ErrorKind.MODEL, f"{path.name} is a {class_name}, which this model does not take.", _AGAIN)
        raise UserError(ErrorKind.MODEL, f"{path.name} is no ControlNet for this model.{_told(path)}", _AGAIN)
    _same(control.fingerprint, network.fingerprint, "The ControlNet", path)
    return ControlFiles(path, network.files, network.fingerprint, str(class_name), config, network.parameters)


def _class_in(files: tuple[Path, ...]) -> str:
    names = {name for file in files for name in _shapes(file)}
    if "task_embedding" in names:
        return _UNION
    if "controlnet_cond_embedding.conv_in.weight" in names or any(name in names for name in _COPIED):
        return "ControlNetModel"
    return ""


def find_style(style: Style) -> StyleFiles:
    """Check an IP-Adapter's files, and find its encoder; reads headers alone. Raises `UserError` (kind `MODEL`)."""
    path = Path(style.file)
    _must_exist(path)
    if path.is_dir():
        raise UserError(ErrorKind.MODEL, f"{path} is a folder.", "Choose the .safetensors file of an IP-Adapter in it.")
    own = model_folder.check_network(path, "diffusers")
    shapes = _shapes(path)
    if not any(name.startswith("ip_adapter.") for name in shapes):
        raise UserError(ErrorKind.MODEL, f"{path.name} is no IP-Adapter.{_told(path)}", "Choose another file.")
    wanted = image_encoders.reads(shapes)
    if wanted is None:
        raise UserError(
            ErrorKind.MODEL,
            f"{path.name} is an IP-Adapter for faces, which are recognized by code that Tilewright does not have.",
            "Choose a plain one, or a Plus.",
        )
    encoder, eye = _find_encoder(path, style.encoder, wanted)
    fingerprint = hashlib.sha256(f"{own.fingerprint} {eye.fingerprint}".encode()).hexdigest()[:16]
    _same(style.fingerprint, fingerprint, "The IP-Adapter", path)
    return StyleFiles(path, encoder, fingerprint, (own.parameters, eye.parameters), wanted[0] == "hidden_size")


def _find_encoder(adapter: Path, chosen: str, wanted: image_encoders.Reads) -> tuple[Path, model_folder.Network]:
    """The encoder's folder, and what is in it: the chosen one, or the first beside the adapter that fits it."""
    name, width = wanted
    if chosen:
        place = image_encoders.first_fitting([Path(chosen)], wanted)
    else:
        place = image_encoders.beside(adapter, wanted)
    if place is not None:
        if read_config(place, _CONFIG).get("architectures") != ["CLIPVisionModelWithProjection"]:
            raise UserError(
                ErrorKind.MODEL, f"{place} is no image encoder that is on the list of safe classes.", _AGAIN
            )
        return place, model_folder.check_network(place, "transformers")
    if chosen:
        raise UserError(
            ErrorKind.MODEL,
            f"{chosen} holds no image encoder that fits {adapter.name}, whose {name} is {width}.",
            "Choose the one that was published with it.",
        )
    raise UserError(
        ErrorKind.MODEL,
        f"{adapter.name} needs its image encoder, a CLIP vision model whose {name} is {width}; it is not beside it.",
        f"Put it into a folder {image_encoders.FOLDER} beside the file, or choose its folder.",
    )


def count_weights(guides: Guides, family: Family, with_encoder: bool) -> int:
    """How many weights are in memory at once. with_encoder: whether the image encoder's count too."""
    found = [find_control(control, family) for control in guides.controls]
    count = sum({control.fingerprint: control.parameters for control in found}.values())
    if guides.style:
        own, encoder = find_style(guides.style).parameters
        count += own + encoder * with_encoder
    return count


def _told(path: Path) -> str:
    """What a file is instead, with a space before it; "" of a folder."""
    if path.is_dir():
        return ""
    kind = kinds.look(path)
    return " ".join(["", kind.sentence, *([kind.place] if kind.place else [])])


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise UserError(ErrorKind.MODEL, f"{path} is not there.", "Choose it again, or another.")


def _same(known: str, found: str, title: str, path: Path) -> None:
    if known and known != found:
        raise UserError(
            ErrorKind.MODEL,
            f"{title} {path.name} is another than the one that the recipe names.",
            "Choose it again to take it as it is, or put the old one back.",
        )


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


# --- loaded


def load_control(found: ControlFiles, unet: Any, dtype: torch.dtype) -> Any:
    """The network, in main memory, every weight of it from its files. unet: the denoiser that it is to control.

    Raises `UserError` (kind `MODEL`) where it is broken, or made for another kind of denoiser.
    """
    cls = diffusers.ControlNetUnionModel if found.is_union else diffusers.ControlNetModel
    weights = _renamed(_read(found.files, dtype), unet.config, found.path)
    config = dict(found.config) if found.config is not None else _config_like(cls, unet.config)
    config |= _told_by_shapes(weights)
    for key in ("block_out_channels", "cross_attention_dim"):
        if key in config and _plain(config[key]) != _plain(unet.config[key]):
            raise _for_another(found.path)
    if config.get("controlnet_conditioning_channel_order", "rgb") != "rgb":
        raise UserError(ErrorKind.MODEL, f"{found.path.name} reads blue first, which is not known here.", _AGAIN)
    try:
        with torch.device("meta"):
            network = cls.from_config(config)
        return _filled(network, weights, found.path)
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        if isinstance(error, UserError) or is_out_of_memory(error):
            raise
        log.exception("loading %s failed", found.path)
        raise _broken(found.path, str(error)) from error


def _renamed(weights: dict[str, torch.Tensor], denoiser: Any, path: Path) -> dict[str, torch.Tensor]:
    """The weights by diffusers' names, also where they have those of the first ControlNets."""
    if not any(name in weights for name in _COPIED):
        return weights
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    try:
        converted = convert_controlnet_checkpoint(weights, denoiser)
    except (KeyError, ValueError, IndexError) as error:  # layers that are not there
        raise _for_another(path) from error
    return {name: value for name, value in converted.items() if value is not None}


def _config_like(cls: Any, denoiser: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a ControlNet that comes as one file: that of the denoiser's own way down.

    So diffusers makes one of a denoiser (`ControlNetModel.from_unet`).
    """
    return {name: denoiser[name] for name in inspect.signature(cls.__init__).parameters if name in denoiser}


def _told_by_shapes(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings in which ControlNets for one denoiser differ; their configurations may be older than diffusers'."""
    config: dict[str, Any] = {}
    if "conv_in.weight" in weights:  # of latents alone, also where the denoiser reads a mask beside them
        config["in_channels"] = weights["conv_in.weight"].shape[1]
    prefix = "controlnet_cond_embedding."
    if f"{prefix}conv_in.weight" in weights:
        count = sum(1 for name in weights if name.startswith(f"{prefix}blocks.") and name.endswith(".weight"))
        widths = [
            weights[f"{prefix}conv_in.weight"],
            *(weights[f"{prefix}blocks.{number}.weight"] for number in range(1, count, 2)),
        ]
        config["conditioning_embedding_out_channels"] = tuple(len(weight) for weight in widths)
    if "task_embedding" in weights:
        kinds, width = weights["task_embedding"].shape
        config |= {"num_control_type": kinds, "num_trans_channel": width, "num_proj_channel": width}
        layers = {
            name.split(".")[1] for name in weights if name.startswith("transformer_layes.")
        }  # diffusers' spelling
        config["num_trans_layer"] = len(layers)
    return config


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _read(files: tuple[Path, ...], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """All tensors, one after the other in the precision that is wanted, so that there is never a second copy of all.

    Copied, as a file's tensors may begin at any byte, and products are rounded otherwise there (torch 2.14.1, AVX2).
    """
    weights: dict[str, torch.Tensor] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    weights[name] = file.get_tensor(name).to(dtype, copy=True)
        except (SafetensorError, OSError) as error:
            raise _broken(path, str(error)) from error
    return weights


def _filled(network: Any, weights: Mapping[str, torch.Tensor], path: Path) -> Any:
    """The network with these weights. Raises `UserError` where one is missing, or of another shape."""
    own = network.state_dict()
    missing = sorted(set(own) - set(weights))
    if missing:
        more = f" and {len(missing) - 1} more weights" if len(missing) > 1 else ""
        raise _broken(path, f"{type(network).__name__} expects {missing[0]}{more}, which are not there")
    for name, value in own.items():
        if value.shape != weights[name].shape:
            raise _broken(path, f"{name} has the shape {tuple(weights[name].shape)}, not {tuple(value.shape)}")
    network.load_state_dict({name: weights[name] for name in own}, assign=True)
    return network.requires_grad_(False).eval()


@dataclass(frozen=True, eq=False)
class Adapter:
    """An IP-Adapter in memory. processors: of the denoiser's attention, by their names there. projection: its
    `encoder_hid_proj`."""

    processors: Mapping[str, Any]
    projection: Any


@dataclass
class GuideCache:
    """The networks that guided the last job beside a loaded model; the next job with the same starts at once.

    networks: fingerprint -> ControlNet. adapters: fingerprint -> IP-Adapter.
    seen: what its encoder made of pictures, by the adapter's fingerprint and the picture's hash: (negative, positive).
    """

    networks: dict[str, Any] = field(default_factory=dict)
    adapters: dict[str, Adapter] = field(default_factory=dict)
    seen: dict[tuple[str, str], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def keep(self, guides: Guides) -> None:
        """Let go of all that these guides do not need."""
        fingerprints = {control.fingerprint for control in guides.controls}
        if guides.style:
            fingerprints.add(guides.style.fingerprint)
        for held in (self.networks, self.adapters):
            for name in set(held) - fingerprints:
                del held[name]
        for key in [key for key in self.seen if key[0] not in fingerprints]:
            del self.seen[key]

    @property
    def modules(self) -> list[torch.nn.Module]:
        """All that is in memory."""
        adapters = [part for held in self.adapters.values() for part in (*held.processors.values(), held.projection)]
        return [*self.networks.values(), *adapters]


def load_style(found: StyleFiles, unet: Any, dtype: torch.dtype) -> Adapter:
    """The adapter for this denoiser, in main memory. Raises `UserError` (kind `MODEL`) as `load_control`.

    diffusers' own `load_ip_adapter` makes the other processors anew, and fetches the denoiser's layers where those take
    turns.
    """
    from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0
    from diffusers.models.embeddings import MultiIPAdapterImageProjection

    weights = _read((found.path,), dtype)
    parts: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = value
    if set(parts) - {"image_proj", "ip_adapter"} or any("lora" in name for name in parts["ip_adapter"]):
        raise _broken(found.path, "it holds more than an IP-Adapter")
    cross = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    values = parts["ip_adapter"]
    # numbered by the denoiser's processors, of which every second one looks at the text
    expected = {f"{2 * number + 1}.to_{letter}_ip.weight" for number in range(len(cross)) for letter in "kv"}
    if set(values) != expected:
        raise _for_another(found.path)
    try:
        projection = unet._convert_ip_adapter_image_proj_to_diffusers(parts["image_proj"], low_cpu_mem_usage=False)
        tokens = _tokens(parts["image_proj"])
        processors = {}
        for number, name in enumerate(cross):
            key, value = (values[f"{2 * number + 1}.to_{letter}_ip.weight"] for letter in "kv")
            layer = unet.get_submodule(name.removesuffix(".processor"))
            if key.shape != (layer.inner_dim, unet.config.cross_attention_dim):
                raise _for_another(found.path)
            with torch.device("meta"):
                processor = IPAdapterAttnProcessor2_0(layer.inner_dim, unet.config.cross_attention_dim, [tokens])
            processors[name] = _filled(processor, {"to_k_ip.0.weight": key, "to_v_ip.0.weight": value}, found.path)
        return Adapter(processors, MultiIPAdapterImageProjection([projection.to(dtype)]).requires_grad_(False).eval())
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        if isinstance(error, UserError) or is_out_of_memory(error):
            raise
        log.exception("loading %s failed", found.path)
        raise _broken(found.path, str(error)) from error


def _tokens(projection: Mapping[str, torch.Tensor]) -> int:
    """How many tokens it makes of a picture."""
    if "proj.weight" in projection:
        return 4
    return projection["latents"].shape[1] if "latents" in projection else 257


def load_encoder(found: StyleFiles, dtype: torch.dtype) -> Any:
    """The image encoder, on the processor. Raises `UserError` (kind `MODEL`)."""
    from transformers import CLIPVisionModelWithProjection

    try:
        network, report = CLIPVisionModelWithProjection.from_pretrained(
            str(found.encoder),
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        if is_out_of_memory(error):
            raise
        log.exception("loading %s failed", found.encoder)
        raise _broken(found.encoder, str(error)) from error
    missing = sorted(key for key in report["missing_keys"] if "position_ids" not in key)
    if missing or report.get("mismatched_keys"):
        raise _broken(found.encoder, f"{(missing or [str(report['mismatched_keys'])])[0]} is missing")
    return network.requires_grad_(False).eval()


def _for_another(path: Path) -> UserError:
    return UserError(ErrorKind.MODEL, f"{path.name} is made for another kind of model.", "Choose one that fits yours.")


def _broken(path: Path, reason: str) -> UserError:
    reason = " ".join(reason.split()).rstrip(".")[:300]
    return UserError(ErrorKind.MODEL, f"{path} cannot be loaded: {reason}.", _AGAIN)
