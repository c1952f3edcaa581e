# SPDX-License-Identifier: GPL-3.0-or-later
"""What files and models are, in the interface's language: core says it in English. Reads no disk. Imports bpy, core."""

from pathlib import Path

from ...core.families.catalogue import ModelInfo
from ...core.model_files.kinds import FileKind, Role
from ..common import state
from ..common.languages import iface_

# What core says of files that belong to models, with a place for the base; what is not here stays English.
_OF_FILES = (
    "a LoRA for {base}",
    "a LoRA; it does not say for which models",
    "a ControlNet",
    "a ControlNet for {base}",
    "a Union ControlNet for {base}",
    "an IP-Adapter",
    "an IP-Adapter for {base}",
    "an IP-Adapter for faces, which is not read here",
    "an IP-Adapter for faces for {base}, which is not read here",
    "an embedding (textual inversion)",
    "an embedding (textual inversion) for {base}",
    "a VAE with {latents} channels",
    "a tiny VAE (TAESD's kind)",
    "a checkpoint of {base}",
    "an inpainting checkpoint of {base}",
    "a denoiser of {base} alone",
    "a CLIP image encoder",
    "an upscaler, or a network for maps",
    "no model that is known here",
)
# And of models, below their name in the panel.
_OF_MODELS = (
    "Checkpoint of {base}",
    "Inpainting checkpoint of {base}",
    "Instruction-editing checkpoint of {base}",
    "Upscaling checkpoint of {base}",
    "Depth-guided checkpoint of {base}",
    "Denoiser of {base} alone",
    "Inpainting denoiser of {base} alone",
)
_NEEDED = ("the CLIP image encoder H", "the CLIP image encoder bigG")
_GUESSED = "taken for v-prediction, which its file does not say"
TEXTS = (*_OF_FILES, *_OF_MODELS, *_NEEDED, _GUESSED)


def sentence(kind: FileKind, file: str = "") -> str:
    """What a file is, a sentence or two. file: its path, for an IP-Adapter whose image encoder was looked for."""
    said = iface_("This is {what}.").format(what=_in_words(kind.what, kind))
    if kind.role is Role.IP_ADAPTER and encoder(file) is not None:
        return said
    return f"{said} {iface_('It also needs {parts}.').format(parts=iface_(kind.needs))}" if kind.needs else said


def of_model(info: ModelInfo) -> str:
    """What a model is: one line under its name in the panel, "" where there is nothing to say."""
    if info.kind is None:
        what = info.base.title if info.base else ""
    else:
        plain = info.kind.what.removeprefix("a ").removeprefix("an ")
        what = _in_words(plain[:1].upper() + plain[1:], info.kind)
    parts = info.kind.needs if info.alone and info.kind else ""
    needs = iface_("also needs {parts}").format(parts=iface_(parts)) if parts else ""
    few = iface_("{name}: {steps} steps").format(name=info.few.title, steps=info.few.steps) if info.few else ""
    return ", ".join(filter(None, [what, needs, few, iface_(_GUESSED) if info.guessed else ""]))


def encoder(file: str) -> Path | None:
    """The image encoder that was found for an IP-Adapter's file when that was set; None where there was none."""
    return state.current.models.encoders.get(file)


def _in_words(what: str, kind: FileKind) -> str:
    """A text of core's in the interface's language. The base's name and the number of channels are no words of it."""
    values = {"base": kind.base.title if kind.base else "", "latents": str(kind.latents or "")}
    key = what
    for name, value in values.items():
        key = key.replace(value, f"{{{name}}}") if value else key
    return iface_(key).format(**values) if key in TEXTS else what
