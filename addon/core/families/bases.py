# SPDX-License-Identifier: GPL-3.0-or-later
"""Bases: what a denoiser is, so that LoRAs, ControlNets and the like fit it, or not. Imports the standard library only.

A family may run several bases (its pipeline fits them all), and there are bases that no family runs: a file of theirs
is then at least called by its name. Told by names and shapes of tensors, never by the file's own name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Base:
    """A denoiser that files are made for.

    id: never changes. title: for people. widths: of the text that its cross-attention reads, where it has one.
    needs: what else a file with the denoiser alone takes to run, for people.
    latents: channels of its VAE's latents, 0 where nobody asks for them here.
    """

    id: str
    title: str
    needs: str = ""
    widths: tuple[int, ...] = ()
    latents: int = 0

    def __str__(self) -> str:
        return self.title


_CLIP_AND_VAE = "a CLIP text encoder and a VAE"
SD1 = Base("sd1", "Stable Diffusion 1.x", _CLIP_AND_VAE, (768,), 4)
SD2 = Base("sd2", "Stable Diffusion 2.x", _CLIP_AND_VAE, (1024,), 4)
XL = Base("sd-xl", "SDXL", "two CLIP text encoders and a VAE", (2048,), 4)
XL_REFINER = Base("sd-xl-refiner", "the SDXL refiner", _CLIP_AND_VAE, (1280,))
SD3 = Base("sd3", "Stable Diffusion 3", "the text encoders CLIP-L, CLIP-G and T5-XXL, and a VAE")
FLUX1 = Base("flux1", "FLUX.1", "the text encoders CLIP-L and T5-XXL, and its VAE")
FLUX2_DEV = Base("flux2-dev", "FLUX.2 dev", "the text encoder Mistral Small, and FLUX.2's VAE")
KLEIN_4B = Base("flux2-klein-4b", "FLUX.2 klein 4B", "the text encoder Qwen3 4B, and FLUX.2's VAE")
KLEIN_9B = Base("flux2-klein-9b", "FLUX.2 klein 9B", "the text encoder Qwen3 8B, and FLUX.2's VAE")
FLUX3 = Base("flux3", "FLUX.3", "its text encoder and VAE")
CHROMA = Base("chroma", "Chroma", "the text encoder T5-XXL, and FLUX.1's VAE")
ZIMAGE = Base("z-image", "Z-Image", "the text encoder Qwen3 4B, and FLUX.1's VAE")
QWEN = Base("qwen-image", "Qwen-Image", "the text encoder Qwen2.5-VL 7B, and its VAE")
QWEN_21 = Base("qwen-image-2.1", "Qwen-Image 2.1", "its text encoder and VAE")
SANA = Base("sana", "Sana", "the text encoder Gemma 2 2B, and its DC-AE autoencoder")
OF_DEEP_COMPRESSION = SANA  # whose autoencoder DC-AE is
PIXART = Base("pixart", "PixArt", "the text encoder T5-XXL, and a VAE")
AURA = Base("auraflow", "AuraFlow", "its text encoder, and SDXL's VAE")
LUMINA2 = Base("lumina2", "Lumina 2", "the text encoder Gemma 2 2B, and FLUX.1's VAE")
ERNIE = Base("ernie-image", "ERNIE-Image", "its text encoder and VAE")
HIDREAM = Base("hidream", "HiDream", "its text encoders, and FLUX.1's VAE")
KREA2 = Base("krea2", "Krea 2", "its text encoder and VAE")
CASCADE = Base("cascade", "Stable Cascade", "its other stages")
VIDEO = Base("video", "a video model", "other parts")
_U_NETS = (SD1, SD2, XL, XL_REFINER)

# Prefixes under which files keep a denoiser, longest first.
DENOISER_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "unet.", "net.", "")
# Tensors that a denoiser of a base has and no other: the first row that is there decides. In the names of its authors,
# or of diffusers (0.42), whichever a file uses.
_HAS: tuple[tuple[str, Base], ...] = (
    ("early_stream_modulations.image.lin.weight", FLUX3),
    ("distilled_guidance_layer.in_proj.bias", CHROMA),
    ("txt_in.text_norm.weight", QWEN_21),
    ("txtfusion.projector.weight", KREA2),
    ("all_x_embedder.2-1.weight", ZIMAGE),
    ("layers.0.adaLN_modulation.0.weight", ZIMAGE),
    ("cap_embedder.0.weight", LUMINA2),
    ("time_caption_embed.caption_embedder.0.weight", LUMINA2),
    ("transformer_blocks.0.img_mod.1.weight", QWEN),
    ("joint_blocks.0.context_block.adaLN_modulation.1.bias", SD3),
    ("double_layers.0.attn.w1q.weight", AURA),
    ("joint_transformer_blocks.0.attn.add_q_proj.weight", AURA),
    ("double_stream_blocks.0.block.adaLN_modulation.1.bias", HIDREAM),
    ("blocks.0.mlp.depth_conv.conv.weight", SANA),
    ("transformer_blocks.0.ff.conv_depth.weight", SANA),
    ("blocks.0.cross_attn.kv_linear.weight", PIXART),
    ("adaln_single.emb.timestep_embedder.linear_1.weight", PIXART),
    ("clip_txt_mapper.weight", CASCADE),
    ("down_blocks.1.0.channelwise.0.weight", CASCADE),
    ("head.modulation", VIDEO),  # Wan
    ("txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias", VIDEO),  # Hunyuan
    ("patchify_proj.weight", VIDEO),  # LTX
    ("patch_embedding.weight", VIDEO),
    ("blocks.0.attn.qkv_x.weight", VIDEO),  # Mochi
    ("down_blocks.0.motion_modules.0.temporal_transformer.norm.weight", VIDEO),  # AnimateDiff
    # after those whose blocks are called like FLUX.1's
    ("double_blocks.0.img_attn.norm.key_norm.scale", FLUX1),
)
_FLUX2_SIZES = {3072: KLEIN_4B, 4096: KLEIN_9B, 6144: FLUX2_DEV}

# diffusers' classes for denoisers, as configurations name them -> the base where one class is one base.
_CLASSES = {
    "SD3Transformer2DModel": SD3,
    "FluxTransformer2DModel": FLUX1,
    "ChromaTransformer2DModel": CHROMA,
    "ZImageTransformer2DModel": ZIMAGE,
    "QwenImageTransformer2DModel": QWEN,
    "SanaTransformer2DModel": SANA,
    "PixArtTransformer2DModel": PIXART,
    "AuraFlowTransformer2DModel": AURA,
    "Lumina2Transformer2DModel": LUMINA2,
    "ErnieImageTransformer2DModel": ERNIE,
    "HiDreamImageTransformer2DModel": HIDREAM,
}


def of_denoiser(shapes: Shapes) -> Base | None:
    """The base of a denoiser with these tensors, by names without a prefix; None where it is none that is known."""
    if (width := text_width(shapes)) is not None:
        return of_u_net(width, shapes)
    for name in ("single_stream_modulation.lin.weight", "single_stream_modulation.linear.weight"):
        if name in shapes:
            return _FLUX2_SIZES.get(shapes[name][-1], FLUX2_DEV)
    found = next((base for name, base in _HAS if name in shapes), None)
    if found is None and "transformer_blocks.0.attn.add_q_proj.weight" in shapes:
        single = "single_transformer_blocks.0.proj_mlp.weight" in shapes
        return FLUX1 if single else SD3 if "pos_embed.proj.weight" in shapes else None
    return found


def text_width(shapes: Shapes) -> int | None:
    """The width of the text that a U-Net reads, 0 where it reads none; None where this is no U-Net of diffusion."""
    if "time_embed.0.weight" not in shapes and "time_embedding.linear_1.weight" not in shapes:
        return None
    if "input_blocks.0.0.weight" not in shapes and "conv_in.weight" not in shapes:
        return None
    keys = (shape[-1] for name, shape in shapes.items() if name.endswith(".attn2.to_k.weight") and shape)
    return next(keys, 0)


def of_u_net(width: int, shapes: Shapes) -> Base | None:
    """The base of a U-Net, or of a ControlNet, that reads text of this width."""
    by_width = of_width(width)
    if by_width is not None:
        return by_width
    # Narrow ones of the same making, as tests have them, are told by how they are built.
    if "label_emb.0.0.weight" in shapes or "add_embedding.linear_1.weight" in shapes:
        return XL
    if any(name.startswith("add_embedding.") for name in shapes):  # another design, such as the starter's
        return None
    ends = (".proj_in.weight",)
    flat = next((len(shape) == 2 for name, shape in shapes.items() if name.endswith(ends)), None)
    return None if flat is None else SD2 if flat else SD1


def of_width(width: int) -> Base | None:
    """The base with a U-Net that reads text of this width."""
    return next((base for base in _U_NETS if width in base.widths), None)


def of_config(config: Mapping[str, Any]) -> Base | None:
    """The base of a denoiser with this configuration of diffusers; None where it is none that is known."""
    name = config.get("_class_name")
    if name == "Flux2Transformer2DModel":
        heads, width = config.get("num_attention_heads"), config.get("attention_head_dim")
        size = heads * width if isinstance(heads, int) and isinstance(width, int) else 0
        return _FLUX2_SIZES.get(size, FLUX2_DEV)
    if name == "UNet2DConditionModel":
        width = config.get("cross_attention_dim")
        found = of_width(width) if isinstance(width, int) else None
        if found is None and config.get("addition_embed_type") == "text_time":
            return XL
        return found or (SD2 if config.get("use_linear_projection") is True else SD1)
    return _CLASSES.get(name) if isinstance(name, str) else None


# --- LoRAs: modules' names with "_" for ".", without prefixes


def of_lora(modules: Mapping[str, tuple[int, int]], said: Mapping[str, str]) -> Base | None:
    """The base that a LoRA is made for; None where its layers do not tell.

    modules: name, as kohya writes it, without a prefix ("down_blocks_1_attentions_0_..._to_k") -> the widths of what
    the adapted layer reads and gives, 0 where that is not known. said: the file's metadata, the last to be asked.
    """
    text = {name: pair for name, pair in modules.items() if "text_model_" in name}
    modules = {name: pair for name, pair in modules.items() if name not in text}
    names = "\n".join(modules)
    if _has(names, "double_blocks_0", "single_blocks_0", "double_blocks_", "single_transformer_blocks_"):
        return _of_flux_lora(modules, names)
    if _has(names, "joint_blocks_"):
        return SD3
    if _has(names, "noise_refiner_", "context_refiner_", "layers_0_attention_", "layers_1_attention_"):
        wide = {width for name, pair in modules.items() if "attention" in name for width in pair if width}
        return LUMINA2 if 2304 in wide else ZIMAGE
    if _has(names, "img_mlp_", "txt_mlp_", "img_mod_", "txt_mod_"):
        return QWEN
    if _has(names, "self_attn_", "cross_attn_"):
        return PIXART if _has(names, "cross_attn_kv_linear", "cross_attn_q_linear") else VIDEO
    if _has(names, "transformer_blocks_", "attn1_", "attn_", "resnets_", "in_layers_", "proj_in", "time_emb"):
        if _has(names, "down_blocks_", "up_blocks_", "mid_block_", "input_blocks_", "output_blocks_", "middle_block_"):
            return _of_u_net_lora(modules, names) or _of_words(said) or _of_text_lora(text)
        reads = {pair[0] for name, pair in modules.items() if "attn" in name}
        if _has(names, "add_q_proj", "add_k_proj", "add_v_proj"):
            return QWEN if 3072 in reads else SD3
        if reads & {1536, 2432}:
            return SD3
        return QWEN if 3072 in reads else SANA if 2240 in reads else PIXART if 1152 in reads else _of_words(said)
    return _of_words(said) or _of_text_lora(text)


def _has(names: str, *parts: str) -> bool:
    return any(part in names for part in parts)


def _of_flux_lora(modules: Mapping[str, tuple[int, int]], names: str) -> Base:
    fused = [pair for name, pair in modules.items() if name.endswith(("_linear1", "_to_qkv_mlp_proj")) and all(pair)]
    inner = [pair[0] for name, pair in modules.items() if name.endswith(("_img_attn_qkv", "attn_to_q")) and pair[0]]
    width = fused[0][0] if fused else inner[0] if inner else 0
    # Of FLUX.2 a single block's first layer gives nine widths, of FLUX.1 seven.
    second = bool(fused) and fused[0][1] == 9 * width
    if second or _has(names, "to_qkv_mlp_proj", "ff_linear_in", "double_stream_modulation") or width in (4096, 6144):
        return _FLUX2_SIZES.get(width, FLUX2_DEV)
    return CHROMA if "distilled_guidance_layer" in names else FLUX1


def _of_u_net_lora(modules: Mapping[str, tuple[int, int]], names: str) -> Base | None:
    for name, (reads, _gives) in modules.items():
        if name.endswith(("attn2_to_k", "attn2_to_v")) and (base := of_width(reads)) is not None:
            return base
    if _has(names, "transformer_blocks_1_", "add_embedding", "label_emb"):  # the others have one a block
        return XL
    return None


def _of_text_lora(modules: Mapping[str, tuple[int, int]]) -> Base | None:
    """Of a LoRA for text encoders alone: CLIP-L's layers are 768 wide, those of OpenCLIP-H 1024, of bigG 1280."""
    widths = {pair[0] for name, pair in modules.items() if "self_attn_q_proj" in name}
    return XL if 1280 in widths else SD2 if widths == {1024} else SD1 if widths == {768} else None


_WORDS = (  # in `ss_base_model_version` (kohya) or `modelspec.architecture`, first match decides
    (("sdxl", "xl-v1", "xl_base", "xl-base", "pony", "illustrious", "noobai"), XL),
    (("flux-2", "flux2", "flux.2"), FLUX2_DEV),
    (("flux",), FLUX1),
    (("sd3", "diffusion-3", "diffusion-v3"), SD3),
    (("sd_v2", "diffusion-v2", "sd 2", "sd2"), SD2),
    (("sd_v1", "diffusion-v1", "sd 1", "sd1"), SD1),
    (("z-image", "z_image", "zimage"), ZIMAGE),
    (("qwen",), QWEN),
)


def _of_words(said: Mapping[str, str]) -> Base | None:
    text = " ".join(said.get(key, "") for key in ("ss_base_model_version", "modelspec.architecture")).lower()
    return next((base for words, base in _WORDS if any(word in text for word in words)), None)


def titles(bases: Iterable[Base]) -> str:
    """For people: "SDXL or FLUX.1"."""
    return " or ".join(base.title for base in bases)


def of_control(shapes: Shapes) -> Base | None:
    """The base that a ControlNet in the manner of a transformer is made for; None where that is not known."""
    if any(name.startswith(("control_layers.0.", "control_all_x_embedder.")) for name in shapes):
        return ZIMAGE
    if "transformer_blocks.0.img_mod.1.weight" in shapes:
        return QWEN
    if any(name.startswith(("single_transformer_blocks.", "controlnet_single_blocks.")) for name in shapes):
        return FLUX1
    return SD3 if "pos_embed.proj.weight" in shapes else None
