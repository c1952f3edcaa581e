# SPDX-License-Identifier: GPL-3.0-or-later
"""Models worth having for textures: a table. Imports the standard library only.

What stands here was read in public places (documentation, model cards, other projects' lists of pinned files) in
November 2026, not on the hub itself. A revision stands here only where several projects that have nothing to do with
each other name the same; everywhere else it is empty, and the hub's own is pinned when the model is looked up. Sizes
are those of the files that are downloaded, and 0 where nobody names them: a look says them before any download.
"""

from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """What a licence says of selling what was made with a model, in a word; READ: read it, it sets conditions."""

    YES = "yes"
    NO = "no"
    READ = "read"


@dataclass(frozen=True)
class WorthHaving:
    """One model.

    repository: on the hub. what: for people, a few words. wanted: its files, where not the whole model is meant.
    size: in bytes. memory: gigabytes of a graphics card that it runs in whole, 0 where that was not stated.
    licence: as the hub names it. revision: see above. steps, guidance: where they are not its family's usual ones.
    note: a sentence. refused: why Tilewright does not download it, a sentence; "" where it does.
    on_github: the repository is not on the hub, but there.
    """

    repository: str
    title: str
    what: str
    licence: str
    use: Use
    size: int = 0
    memory: float = 0.0
    revision: str = ""
    wanted: tuple[str, ...] = ()
    steps: int = 0
    guidance: float = 0.0
    note: str = ""
    refused: str = ""
    on_github: bool = False

    @property
    def is_verified(self) -> bool:
        """Whether its revision is known, so that what is downloaded is what was read about."""
        return bool(self.revision)


_OPEN_RAIL = "creativeml-openrail-m"
_OPEN_RAIL_XL = "openrail++"
_CONTROLNET = "Steers a texture by a picture of depth, normals or tiles."
_OWN_CODE = "It brings code of its own, which Tilewright does not run."
_PTH = "Its files are pickles (.pth) on GitHub: convert one to safetensors, and choose it where it fits."


def _by_hand(repository: str, title: str, what: str, licence: str) -> WorthHaving:
    """What is on GitHub, and in pickles."""
    return WorthHaving(repository, title, what, licence, Use.YES, refused=_PTH, on_github=True)


WORTH_HAVING: tuple[WorthHaving, ...] = (
    WorthHaving(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "Stable Diffusion 1.5",
        "model",
        _OPEN_RAIL,
        Use.READ,
        size=246_144_864 + 1_719_125_304 + 167_335_342,
        memory=4.0,
        revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        note="Small, with many LoRAs and ControlNets. Exactly seamless.",
    ),
    WorthHaving(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "SDXL 1.0",
        "model",
        _OPEN_RAIL_XL,
        Use.READ,
        size=246_144_152 + 1_389_382_176 + 5_135_149_760 + 167_335_342,
        memory=8.0,
        revision="462165984030d82259a11f4367a4eed129e94a7b",
        note="Follows the prompt better, and is made for 1024 pixels. Exactly seamless.",
    ),
    WorthHaving(
        "Arrexel/pattern-diffusion",
        "Pattern Diffusion",
        "model",
        "apache-2.0",
        Use.YES,
        note="Trained on 6.8 million patterns that tile.",
    ),
    WorthHaving(
        "dream-textures/texture-diffusion",
        "Texture Diffusion",
        "model",
        _OPEN_RAIL_XL,
        Use.READ,
        note="Trained on CC0 textures. Begin prompts with “pbr”.",
        refused="Its U-Net is a pickle, which can run code: Tilewright does not download it.",
    ),
    WorthHaving("gvecchio/StableMaterials", "StableMaterials", "maps", "openrail", Use.READ, refused=_OWN_CODE),
    WorthHaving("gvecchio/MatForger", "MatForger", "maps", "openrail", Use.READ, refused=_OWN_CODE),
    WorthHaving(
        "latent-consistency/lcm-lora-sdv1-5",
        "LCM for Stable Diffusion 1.5",
        "few steps (LoRA)",
        _OPEN_RAIL_XL,
        Use.READ,
        size=134_621_556,
        wanted=("pytorch_lora_weights.safetensors",),
        steps=4,
        guidance=1.0,
        note="Textures in four to eight steps.",
    ),
    WorthHaving(
        "ByteDance/SDXL-Lightning",
        "Lightning for SDXL",
        "few steps (LoRA)",
        _OPEN_RAIL_XL,
        Use.READ,
        wanted=("sdxl_lightning_4step_lora.safetensors",),
        steps=4,
        guidance=1.0,
        note="Textures in four steps.",
    ),
    WorthHaving(
        "stabilityai/sdxl-turbo",
        "SDXL Turbo",
        "model, few steps",
        "sai-nc-community",
        Use.NO,
        steps=1,
        guidance=1.0,
        note="Not for commercial use.",
    ),
    WorthHaving(
        "comfyanonymous/ControlNet-v1-1_fp16_safetensors",
        "ControlNet Tile, Stable Diffusion 1.5",
        "ControlNet",
        "openrail",
        Use.READ,
        wanted=("control_v11f1e_sd15_tile_fp16.safetensors",),
        note=_CONTROLNET,
    ),
    WorthHaving(
        "comfyanonymous/ControlNet-v1-1_fp16_safetensors",
        "ControlNet Depth, Stable Diffusion 1.5",
        "ControlNet",
        "openrail",
        Use.READ,
        wanted=("control_v11f1p_sd15_depth_fp16.safetensors",),
        note=_CONTROLNET,
    ),
    WorthHaving(
        "comfyanonymous/ControlNet-v1-1_fp16_safetensors",
        "ControlNet Normal, Stable Diffusion 1.5",
        "ControlNet",
        "openrail",
        Use.READ,
        wanted=("control_v11p_sd15_normalbae_fp16.safetensors",),
        note=_CONTROLNET,
    ),
    WorthHaving(
        "diffusers/controlnet-depth-sdxl-1.0",
        "ControlNet Depth, SDXL",
        "ControlNet",
        _OPEN_RAIL_XL,
        Use.READ,
        note=_CONTROLNET,
    ),
    WorthHaving(
        "xinsir/controlnet-union-sdxl-1.0",
        "ControlNet Union, SDXL",
        "ControlNet",
        "apache-2.0",
        Use.YES,
        revision="801a4a3fa3d4c936f4feea95b98607bc6726f80c",
        wanted=("config.json", "diffusion_pytorch_model.safetensors"),
        note="Depth, normals and tiles in one.",
    ),
    WorthHaving(
        "h94/IP-Adapter",
        "IP-Adapter Plus, Stable Diffusion 1.5",
        "style from a picture",
        "apache-2.0",
        Use.YES,
        revision="018e402774aeeddd60609b4ecdb7e298259dc729",
        wanted=(
            "models/ip-adapter-plus_sd15.safetensors",
            "models/image_encoder/config.json",
            "models/image_encoder/model.safetensors",
        ),
    ),
    WorthHaving(
        "h94/IP-Adapter",
        "IP-Adapter Plus, SDXL",
        "style from a picture",
        "apache-2.0",
        Use.YES,
        revision="018e402774aeeddd60609b4ecdb7e298259dc729",
        wanted=(
            "sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors",
            "models/image_encoder/config.json",
            "models/image_encoder/model.safetensors",
        ),
    ),
    _by_hand("Kim2091/PBRify_Remix", "PBRify upscalers", "upscaler", "cc0-1.0"),
    _by_hand("Kim2091/PBRify_Remix", "PBRify maps", "maps from color", "cc0-1.0"),
    _by_hand("xinntao/Real-ESRGAN", "Real-ESRGAN x4plus", "upscaler", "bsd-3-clause"),
)

# What the hub's names of licences say of commercial use. OpenRAIL's kinds allow it, and forbid certain uses.
# So does the GPL: what a program makes is not under it.
_YES = {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "gpl-3.0", "gpl-3.0-or-later"}
_NO_PARTS = ("-nc", "noncommercial", "non-commercial", "research")


def use_of(licence: str) -> Use:
    """Whether what is made with a model of this licence may be sold; `READ` of all that is not known to say so."""
    name = licence.lower()
    if name in _YES:
        return Use.YES
    return Use.NO if any(part in name for part in _NO_PARTS) else Use.READ


def known(repository: str, files: tuple[str, ...] = ()) -> WorthHaving | None:
    """The row of that repository; of several the one whose files are among `files`."""
    rows = [row for row in WORTH_HAVING if row.repository.casefold() == repository.casefold()]
    return next((row for row in rows if set(row.wanted) <= set(files)), rows[0] if rows else None)
