# SPDX-License-Identifier: GPL-3.0-or-later
"""What a .safetensors file is: told by the names and shapes of its tensors, without reading one of them.

Imports core and the standard library only. The file's own name decides nothing here.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from ..errors import ErrorKind, UserError
from ..families import bases, latent_spaces, original
from ..families.bases import Base
from ..families.latent_spaces import Space
from . import image_encoders
from .header import Header, Tensor, gone, read_header


class Role(StrEnum):
    """What a file is for. `OTHER` is known and of no use here, `UNKNOWN` is not known."""

    CHECKPOINT = "checkpoint"  # denoiser, text encoders and VAE
    DENOISER = "denoiser"  # the denoiser without one of the others
    LORA = "lora"
    CONTROLNET = "controlnet"
    IP_ADAPTER = "ip_adapter"
    VAE = "vae"
    TEXT_ENCODER = "text_encoder"
    IMAGE_ENCODER = "image_encoder"
    EMBEDDING = "embedding"
    UPSCALER = "upscaler"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FileKind:
    """What a file was found to be.

    base: the denoiser that it is, or is made for; None where that cannot be told.
    layout: how its tensors are named: "original" or "diffusers"; of LoRAs "kohya", "peft", "diffusers", "ComfyUI" or
    "bare".
    what: a noun phrase for people: "an inpainting checkpoint of" a base. needs: what else it takes to run, "": nothing.
    precision: of most of its weights, as torch spells it ("float16"). scaled: whether its 8-bit weights have scales of
    their own. inputs: channels that a denoiser reads; 9 for inpainting. latents: channels of a VAE's latents.
    spaces: whose VAE it may be; () where that is not known.
    prediction: "epsilon" or "v_prediction" where the file says so, else "". ema: it has averaged weights alone.
    guided: a denoiser is told a guidance scale, for which it was distilled.
    methods: of a LoRA, what it consists of ("LoRA", "LoHa", "LoKr", "DoRA" ...). rank: the largest, 0 if unknown.
    reads_text: whether a LoRA changes text encoders too. union: a ControlNet for several kinds of control picture.
    reads_picture: what an IP-Adapter reads of its image encoder, see `image_encoders.reads`.
    triggers: words that its maker says call it up; else, of a LoRA, the most frequent of its training's captions.
    metadata: the short ones of what its maker wrote beside the tensors; a stranger's words.
    """

    role: Role
    base: Base | None = None
    layout: str = ""
    what: str = "no model that is known here"
    needs: str = ""
    precision: str = ""
    scaled: bool = False
    inputs: int = 0
    latents: int = 0
    spaces: tuple[Space, ...] = ()
    prediction: str = ""
    ema: bool = False
    guided: bool = False
    methods: tuple[str, ...] = ()
    rank: int = 0
    reads_text: bool = False
    union: bool = False
    reads_picture: image_encoders.Reads | None = None
    triggers: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def sentence(self) -> str:
        """What it is, for people: one or two sentences."""
        said = f"This is {self.what}."
        return f"{said} It also needs {self.needs}." if self.needs else said

    @property
    def place(self) -> str:
        """Where such a file belongs, a sentence; "" for a model, and for what has no place here."""
        return _PLACES.get(self.role, "")


_PLACES = {
    Role.LORA: "Add it under LoRAs.",
    Role.EMBEDDING: "Add it under LoRAs.",
    Role.CONTROLNET: "Choose it under Guide Pictures.",
    Role.IP_ADAPTER: "Choose it under Guide Pictures.",
    Role.VAE: "Choose it as the VAE of a model.",
    Role.UPSCALER: "Choose it as the upscaler, or under Maps.",
}
_PRECISIONS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
_QUANTIZED = (
    "quant_state",
    "absmax",
    "quant_map",
    "qweight",
    "qzeros",
    "SCB",
    "weight_packed",
    "weight_scale_inv",
    "weight_scale_2",
)
_MAX_SAID = 2000  # characters of one entry of metadata that are kept; frequencies of tags have megabytes
_MAX_TRIGGERS = 8

_known: dict[Path, tuple[tuple[int, int], FileKind]] = {}
_KEPT = 2000


def look(path: Path) -> FileKind:
    """What a .safetensors file is, read once while it stays the same. Never reads weights.

    Raises `UserError` (kind `MODEL`) for what is no whole safetensors file.
    """
    stamp = _stamp(path)
    known = _known.get(path)
    if known is not None and known[0] == stamp:
        return known[1]
    found = kind_of(read_header(path))
    if len(_known) >= _KEPT:
        _known.clear()
    _known[path] = stamp, found
    return found


def peek(path: Path) -> FileKind | None:
    """What is known of a file from an earlier look; asks only for its time and size. None where nothing is."""
    known = _known.get(path)
    try:
        return known[1] if known is not None and known[0] == _stamp(path) else None
    except UserError:
        return None


def forget() -> None:
    """Let go of all that is known."""
    _known.clear()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise gone(path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            ErrorKind.MODEL, f"{path} cannot be read: {reason}.", "Choose a .safetensors file that is there."
        ) from error
    return status.st_mtime_ns, status.st_size


def kind_of(header: Header) -> FileKind:
    """What a file with this header is."""
    said = {key: text for key, text in header.metadata.items() if len(text) <= _MAX_SAID}
    found = _find(header)
    return _with(found, header, said)


def _with(found: FileKind, header: Header, said: Mapping[str, str]) -> FileKind:
    sizes: dict[str, int] = {}
    for tensor in header.tensors.values():
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.stop - tensor.start
    most = max(sizes, key=lambda dtype: sizes[dtype], default="")
    return replace(
        found,
        precision=_PRECISIONS.get(most, ""),
        scaled=found.role is not Role.LORA and any(name.endswith(original.SCALES) for name in header.tensors),
        prediction=_prediction(header, said),
        triggers=_triggers(header.metadata),
        metadata=said,
    )


def _find(header: Header) -> FileKind:
    tensors = header.tensors
    if not tensors:
        return FileKind(Role.UNKNOWN, what="an empty file")
    if any(name.rpartition(".")[2] in _QUANTIZED for name in tensors):
        return FileKind(Role.OTHER, what="a model in 4 or 8 bits of a kind that is not read here")
    for find in (_lora, _control, _adapter, _embedding, _model, _autoencoder, _encoder, _upscaler):
        found = find(tensors, header.metadata)
        if found is not None:
            return found
    return FileKind(Role.UNKNOWN)


# --- LoRAs

_LORA = re.compile(
    r"(?P<module>.+?)\."
    r"(?:(?P<half>lora_down|lora_up|lora_mid|lora_A|lora_B|lora\.down|lora\.up|lora_linear_layer\.down"
    r"|lora_linear_layer\.up)(?:\.\w+)?\.weight"
    r"|(?P<part>hada_w[12]_[ab]|hada_t[12]|lokr_w[12](?:_[ab])?|lokr_t2|oft_blocks|oft_diag|dora_scale"
    r"|lora_magnitude_vector(?:\.\w+)?(?:\.weight)?|alpha|diff|diff_b|on_input|w_norm|b_norm|[ab][12]\.weight)"
    r"|(?P<old>processor\.(?P<name>to_\w+?)_lora\.(?:down|up)\.weight))$"
)
_METHODS = (
    ("lora_mid", "LoCon"),
    ("hada", "LoHa"),
    ("lokr", "LoKr"),
    ("oft", "OFT"),
    ("dora_scale", "DoRA"),
    ("lora_magnitude_vector", "DoRA"),
    ("diff", "full weights"),
    ("on_input", "IA3"),
    ("w_norm", "norms"),
    ("b_norm", "norms"),
    ("a1", "GLoRA"),
    ("b1", "GLoRA"),
)
_TEXT = (
    "lora_te",
    "text_encoder",
    "text_model.",
    "text_encoders.",
    "conditioner.",
    "cond_stage_model.",
    "te1_",
    "te2_",
)
_PREFIXES = re.compile(
    r"^(?:base_model_model_|lora_unet_|lora_transformer_|lora_te\d?_|lycoris_|model_diffusion_model_|diffusion_model_"
    r"|transformer_|unet_)+(?!blocks_)"
)


def _lora(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> FileKind | None:
    found = {name: match for name in tensors if (match := _LORA.match(name))}
    telling = {name: match for name, match in found.items() if match["half"] or match["old"] or _tells(match["part"])}
    if not telling or len(found) * 2 < len(tensors):
        return None
    if any(name.startswith(("lora_controlnet", "input_hint_block", "zero_convs")) for name in tensors):
        return FileKind(Role.OTHER, what="a ControlNet as a LoRA, which is not read here")
    if any(name.startswith("lllite_") for name in tensors):
        return FileKind(Role.OTHER, what="a ControlNet-LLLite, which is not read here")
    widths: dict[str, list[int]] = {}
    methods, rank, in_text = set(), 0, False
    for name, match in telling.items():
        shape = tensors[name].shape
        part = match["half"] or match["part"] or "old"
        if name.startswith(_TEXT):
            in_text = True
        module = match["module"] + ("." + match["name"] if match["name"] else "")
        module = _PREFIXES.sub("", module.replace(".", "_"))
        pair = widths.setdefault(module, [0, 0])
        down, up = _reads(part, name), _gives(part, name)
        if down and len(shape) > 1:
            pair[0] = pair[0] * shape[1] if part.startswith("lokr") and pair[0] else shape[1]
            if not part.startswith("lokr"):
                rank = max(rank, shape[0])
        if up and shape:
            pair[1] = pair[1] * shape[0] if part.startswith("lokr") and pair[1] else shape[0]
        method = next((title for start, title in _METHODS if part.startswith(start)), "LoRA")
        methods.add("LoCon" if method == "LoRA" and len(shape) == 4 and shape[-1] > 1 else method)
    base = bases.of_lora({name: (pair[0], pair[1]) for name, pair in widths.items()}, said)
    if any(name.startswith(("lora_te2_", "lora_te1_", "text_encoder_2.")) for name in tensors):
        base = base or bases.XL
    ordered = tuple(sorted(methods, key=lambda method: (method != "LoRA", method)))
    words = f"a LoRA for {base.title}" if base else "a LoRA; it does not say for which models"
    return FileKind(Role.LORA, base, _lora_layout(tensors), words, methods=ordered, rank=rank, reads_text=in_text)


def _tells(part: str | None) -> bool:
    """Whether a tensor called so is of a LoRA and of nothing else."""
    return bool(part) and not str(part).startswith(("alpha", "a1", "a2", "b1", "b2", "diff"))


def _reads(part: str, name: str) -> bool:
    """Whether the second number of a tensor's shape is what the layer reads."""
    ends = ("hada_w1_b", "lokr_w1", "lokr_w2", "lokr_w1_b", "lokr_w2_b")
    return part.startswith(("lora_down", "lora_A")) or part.endswith(".down") or ".down." in name or part in ends


def _gives(part: str, name: str) -> bool:
    """Whether the first number of a tensor's shape is what the layer gives."""
    ends = ("hada_w1_a", "lokr_w1", "lokr_w2", "lokr_w1_a", "lokr_w2_a")
    return part.startswith(("lora_up", "lora_B")) or part.endswith(".up") or ".up." in name or part in ends


def _lora_layout(tensors: Mapping[str, Tensor]) -> str:
    names = list(tensors)

    def starts(*prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in names)

    if starts("base_model.model."):
        return "peft"
    if starts("lora_unet_", "lora_te", "lora_transformer_", "lycoris_"):
        return "kohya"
    if starts("diffusion_model.", "model.diffusion_model."):
        return "ComfyUI"
    if starts("unet.", "transformer.", "text_encoder"):
        return "diffusers"
    return "bare"


# --- what guides a denoiser


def _control(tensors: Mapping[str, Tensor], _said: Mapping[str, str]) -> FileKind | None:
    shapes = _without(tensors, "control_model.")
    old = "input_hint_block.0.weight" in shapes
    if old or "controlnet_cond_embedding.conv_in.weight" in shapes:
        width = bases.text_width(shapes) or 0
        base = bases.of_u_net(width, shapes)
        union = any(name.startswith(("task_embedding", "control_add_embedding")) for name in shapes)
        words = f"a {'Union ' * union}ControlNet" + (f" for {base.title}" if base else "")
        return FileKind(Role.CONTROLNET, base, "original" if old else "diffusers", words, union=union)
    if any(
        name.startswith(("controlnet_blocks.0.", "control_layers.0.", "control_all_x_embedder.")) for name in shapes
    ):
        base = bases.of_denoiser(shapes) or bases.of_control(shapes)
        words = "a ControlNet" + (f" for {base.title}" if base else "")
        return FileKind(Role.CONTROLNET, base, "diffusers", words, union="controlnet_mode_embedder.weight" in shapes)
    return None


def _adapter(tensors: Mapping[str, Tensor], _said: Mapping[str, str]) -> FileKind | None:
    keys = [tensor for name, tensor in tensors.items() if name.endswith(("to_k_ip.weight", "to_v_ip.weight"))]
    if keys or any(name.startswith("image_proj.") for name in tensors):
        base = next((bases.of_width(key.shape[-1]) for key in keys if key.shape), None)
        title = f" for {base.title}" if base else ""
        reads = tensors.get("image_proj.proj.weight") or tensors.get("image_proj.proj_in.weight")
        width = reads.shape[-1] if reads is not None and reads.shape else 0
        encoder = "CLIP image encoder bigG" if width in (1280, 1664) and "image_proj.proj.weight" in tensors else ""
        needs = f"the {encoder or 'CLIP image encoder H'}"
        if width == 512 or any(name.startswith("image_proj.proj.0.") for name in tensors):
            return FileKind(Role.OTHER, base, what=f"an IP-Adapter for faces{title}, which is not read here")
        seen = image_encoders.reads({name: tensor.shape for name, tensor in tensors.items()})
        return FileKind(Role.IP_ADAPTER, base, "original", f"an IP-Adapter{title}", needs, reads_picture=seen)
    if any(name.endswith(("body.0.in_conv.weight", "body.0.block1.weight")) for name in tensors):
        return FileKind(Role.OTHER, what="a T2I-Adapter, which is not read here")
    return None


def _embedding(tensors: Mapping[str, Tensor], _said: Mapping[str, str]) -> FileKind | None:
    """A textual inversion: vectors for one word, a file of each text encoder's or of one's alone."""
    if len(tensors) > 4 or any(len(tensor.shape) not in (1, 2) for tensor in tensors.values()):
        return None
    widths = {tensor.shape[-1] for tensor in tensors.values() if tensor.shape}
    named = {"emb_params", "clip_l", "clip_g", "t5xxl", "string_to_param.*"} & set(tensors)
    if not named and not widths <= {768, 1024, 1280}:
        return None
    if not named and (len(tensors) > 2 or any(name.endswith((".weight", ".bias")) for name in tensors)):
        return None
    base = bases.XL if 1280 in widths else bases.of_width(max(widths, default=0))
    words = "an embedding (textual inversion)" + (f" for {base.title}" if base else "")
    return FileKind(Role.EMBEDDING, base, what=words)


# --- models and their parts

_VAE_PREFIXES = ("first_stage_model.", "vae.")
_TEXT_PREFIXES = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.", "text_encoder.")


def _model(tensors: Mapping[str, Tensor], _said: Mapping[str, str]) -> FileKind | None:
    for prefix in bases.DENOISER_PREFIXES:
        shapes = _without(tensors, prefix) if prefix else {name: tensor.shape for name, tensor in tensors.items()}
        base = bases.of_denoiser(shapes) if shapes else None
        if base is not None:
            return _denoiser(tensors, base, shapes)
    shapes = {dotted: tensors[name].shape for dotted, name in original.averaged(tensors).items()}
    base = bases.of_denoiser(shapes)
    return None if base is None else replace(_denoiser(tensors, base, shapes), ema=True)


def _denoiser(tensors: Mapping[str, Tensor], base: Base, shapes: bases.Shapes) -> FileKind:
    has_vae = any(name.startswith(_VAE_PREFIXES) for name in tensors)
    has_text = any(name.startswith(_TEXT_PREFIXES) for name in tensors)
    whole = has_vae and has_text
    first = shapes.get("input_blocks.0.0.weight") or shapes.get("conv_in.weight") or ()
    inputs = first[1] if len(first) == 4 else 0
    kind = {9: "inpainting ", 8: "instruction-editing ", 7: "upscaling ", 5: "depth-guided "}.get(inputs, "")
    layout = "diffusers" if "conv_in.weight" in shapes or "x_embedder.weight" in shapes else "original"
    if whole:
        words = f"{_article(kind or 'checkpoint')} {kind}checkpoint of {base.title}"
    elif base is bases.VIDEO:
        words = "a video model, which cannot be run here"
    else:
        words = f"{_article(kind or 'denoiser')} {kind}denoiser of {base.title} alone"
    needs = "" if whole or base is bases.VIDEO else base.needs
    if not whole and has_vae:
        needs = needs.rpartition(", and ")[0] or needs.rpartition(" and ")[0]
    role = Role.CHECKPOINT if whole else Role.DENOISER
    guided = any("guidance_in." in name or ".guidance_embedder." in name for name in shapes)
    return FileKind(role, base, layout, words, needs, inputs=inputs, guided=guided)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _autoencoder(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> FileKind | None:
    for prefix in (*_VAE_PREFIXES, ""):
        shapes = _without(tensors, prefix) if prefix else {name: tensor.shape for name, tensor in tensors.items()}
        if "decoder.conv_in.weight" in shapes and "decoder.conv_out.weight" in shapes:
            shape = shapes["decoder.conv_in.weight"]
            latents = shape[1] if len(shape) == 4 else 0
            layout = "diffusers" if any(name.startswith("decoder.up_blocks.") for name in shapes) else "original"
            if len(shape) != 4:
                return FileKind(Role.OTHER, None, layout, "the VAE of a video model")
            spaces = latent_spaces.possible(latents, any("quant_conv." in name for name in shapes), said)
            titles = " or ".join(space.title for space in spaces)
            words = f"a VAE with {latents} channels" + (f", of {titles}" if titles else "")
            return FileKind(Role.VAE, None, layout, words, latents=latents, spaces=spaces)
    if "decoder.middle.0.residual.0.gamma" in tensors:
        return FileKind(Role.VAE, None, "original", "a VAE of Wan's kind", latents=16)
    if "decoder.stages.1.op_list.0.main.conv.conv.bias" in tensors or "decoder.project_in.main.conv.weight" in tensors:
        return FileKind(Role.VAE, bases.OF_DEEP_COMPRESSION, "original", "a DC-AE autoencoder")
    for name in ("decoder.layers.0.weight", "taesd_decoder.1.weight"):
        if name in tensors and len(tensors[name].shape) == 4:
            latents = tensors[name].shape[1]
            return FileKind(Role.VAE, None, "diffusers", "a tiny VAE (TAESD's kind)", latents=latents)
    return None


def _encoder(tensors: Mapping[str, Tensor], _said: Mapping[str, str]) -> FileKind | None:
    names = set(tensors)

    def has(*parts: str) -> bool:
        return any(part in name for name in names for part in parts)

    if has("vision_model.encoder.layers.", "visual.transformer.resblocks.") and not has("language_model."):
        return FileKind(Role.IMAGE_ENCODER, what="a CLIP image encoder")
    if has("text_model.encoder.layers.0.", "transformer.resblocks.0.attn.in_proj_weight"):
        table = next((t.shape[-1] for n, t in tensors.items() if n.endswith("token_embedding.weight") and t.shape), 0)
        which = {768: " L", 1024: " H", 1280: " bigG"}.get(table, "")
        return FileKind(Role.TEXT_ENCODER, what=f"the text encoder CLIP{which} alone")
    if has("block.0.layer.0.SelfAttention.q.weight"):
        return FileKind(Role.TEXT_ENCODER, what="a T5 text encoder alone")
    if has("layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight"):
        return FileKind(Role.TEXT_ENCODER, what="a language model, as some models read prompts with")
    return None


_UPSCALERS = (
    "conv_first.weight",  # ESRGAN, SwinIR, DAT, HAT
    "model.1.sub.0.RDB1.conv1.0.weight",  # old ESRGAN
    "RRDB_trunk.0.RDB1.conv1.weight",
    "body.0.rdb1.conv1.weight",
    "conv_1.sk.weight",  # SPAN
    "conv_1.eval_conv.weight",
    "feats.0.weight",  # PLKSR
    "m_body.0.res.0.weight",  # SCUNet, DRUNet
    "upsampler.init_pos",
    "to_feat.weight",
    "to_img.init_pos",
)


def _upscaler(tensors: Mapping[str, Tensor], _said: Mapping[str, str]) -> FileKind | None:
    names = {name.removeprefix("params_ema.").removeprefix("params.").removeprefix("module.") for name in tensors}
    compact = "body.0.weight" in names and "body.1.weight" in names and len(tensors["body.0.weight"].shape) == 4
    if compact or names & set(_UPSCALERS):
        return FileKind(Role.UPSCALER, what="an upscaler, or a network for maps")
    return None


def _without(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors under a prefix, by names without it; of all where none is under it."""
    inside = {name[len(prefix) :]: tensor.shape for name, tensor in tensors.items() if name.startswith(prefix)}
    return inside or {name: tensor.shape for name, tensor in tensors.items()}


# --- what files say


def _prediction(header: Header, said: Mapping[str, str]) -> str:
    """What the file says that the denoiser predicts; "" where it says nothing."""
    if "v_pred" in header.tensors:  # as some checkpoints mark themselves for ComfyUI
        return "v_prediction"
    word = said.get("modelspec.prediction_type", said.get("modelspec.predict_key", "")).lower()
    return {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon", "eps": "epsilon"}.get(word, "")


def _triggers(metadata: Mapping[str, str]) -> tuple[str, ...]:
    for key in ("modelspec.trigger_phrase", "trigger_words", "ss_trigger_words", "activation text"):
        words = _words(re.split(r"[,;\n]", metadata.get(key, "")))
        if words:
            return words
    try:
        folders = json.loads(metadata.get("ss_tag_frequency", ""))
        counts: dict[str, int] = {}
        for tags in folders.values():
            for tag, count in tags.items():
                counts[str(tag)] = counts.get(str(tag), 0) + int(count)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ()
    return _words(sorted(counts, key=lambda tag: -counts[tag]))


def _words(words: Iterable[str]) -> tuple[str, ...]:
    kept = dict.fromkeys(" ".join(word.split())[:80] for word in words if word.strip())
    return tuple(kept)[:_MAX_TRIGGERS]
