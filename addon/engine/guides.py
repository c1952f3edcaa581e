# SPDX-License-Identifier: GPL-3.0-or-later
"""ControlNets and an IP-Adapter beside a U-Net, for as long as it samples. Imports core, engine, torch.

The family's own pipeline samples, as it does with templates: what ControlNets say is handed to the denoiser where it is
called, and so is what an IP-Adapter makes of its picture. That is what diffusers' ControlNet pipelines do, bit for bit
where nothing is to repeat; but it works with every pipeline, with inpainting checkpoints, and in windows. What a
ControlNet makes of its picture does not change from step to step, and is made once.

The law: ControlNets are made periodic by `seamless` as every network is, so a rolled control picture beside rolled
latents gives rolled ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import nn

from ..core.errors import ErrorKind, UserError
from ..core.requests.guides import Control, ControlKind, Guides
from ..core.requests.texture import TextureRequest
from .devices import Kind, Offload, Plan
from .forwards import replaced_forward
from .guide_files import ControlFiles, StyleFiles, load_control, load_encoder, load_style
from .guide_pictures import GuidePictures
from .models import LoadedModel

# What the Union ControlNet (xinsir's, and ProMax with two more) calls the kinds of picture: by its training, see
# `control_mode` of diffusers' pipeline.
_UNION_KINDS = {ControlKind.DEPTH: 1, ControlKind.EDGES: 3, ControlKind.NORMAL: 4, ControlKind.TILE: 6}
Arguments = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Guide:
    """What guides one picture, ready to run. passes: each ControlNet once, with what it reads.

    image_embeds: what the pipeline takes as `ip_adapter_image_embeds`, of the guided half alone and before it; None
    without a style.
    """

    passes: tuple["_Pass", ...] = ()
    image_embeds: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def networks(self) -> list[Any]:
        """The ControlNets."""
        return [part.network for part in self.passes]

    def arguments(self, loaded: LoadedModel, request: TextureRequest) -> dict[str, Any]:
        """What the pipeline is called with besides."""
        if self.image_embeds is None:
            return {}
        negative, positive = (part.to(loaded.pipeline._execution_device, _dtype(loaded)) for part in self.image_embeds)
        # as the pipeline itself decides; a denoiser that is told the guidance scale has no unconditional half
        halves = request.guidance_scale > 1 and loaded.pipeline.unet.config.time_cond_proj_dim is None
        return {"ip_adapter_image_embeds": [torch.cat((negative, positive)) if halves else positive]}


NOTHING = Guide()


@dataclass(eq=False)
class _Pass:
    """One ControlNet with the controls that it reads at once; only a Union reads more than one.

    layers: its first ones, which see nothing but pictures. pictures: (1, 3, H, W) each, 0 to 1.
    embeddings: what those layers made of them, (batch, C, h, w) each, once they were asked.
    """

    network: Any
    layers: Any
    is_union: bool
    controls: Sequence[Control]
    pictures: Sequence[torch.Tensor]
    embeddings: list[torch.Tensor] = field(default_factory=list)

    def _embed(self, like: torch.Tensor) -> None:
        """In a batch as the latents are, since convolutions round otherwise where it is another."""
        batch = [picture.to(like).expand(len(like), -1, -1, -1) for picture in self.pictures]
        self.embeddings = [self.layers(pictures.contiguous()) for pictures in batch]

    def active(self, step: int, steps: int) -> list[int]:
        """Which of the controls speak in this step, as diffusers counts: wholly inside of start and end."""
        return [
            place
            for place, control in enumerate(self.controls)
            if not (step / steps < control.start or (step + 1) / steps > control.end) and control.strength > 0
        ]

    def run(
        self, active: Sequence[int], look: "_Look", latents: torch.Tensor, timestep: Any, text: Any, named: Arguments
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The residuals for the denoiser: those of its way down, and that of its middle."""
        if not self.embeddings:
            self._embed(latents)
        seen = [look.of(self.embeddings[place]) for place in active]
        strengths = [self.controls[place].strength for place in active]
        more: dict[str, Any] = {"controlnet_cond": seen[0], "conditioning_scale": strengths[0]}
        if self.is_union:
            kinds = [_UNION_KINDS[self.controls[place].kind] for place in active]
            chosen = latents.new_zeros(len(latents), self.network.config.num_control_type)
            chosen[:, kinds] = 1
            more = {
                "controlnet_cond": seen,
                "conditioning_scale": strengths,
                "control_type": chosen,
                "control_type_idx": kinds,
            }
        down, middle = self.network(
            latents[:, : self.network.config.in_channels],
            timestep,
            encoder_hidden_states=text,
            added_cond_kwargs=named.get("added_cond_kwargs"),
            return_dict=False,
            **more,
        )
        return list(down), middle


class _Look:
    """Which part of the picture the denoiser is at: all of it, or a window."""

    def __init__(self) -> None:
        self.window: tuple[torch.Tensor, torch.Tensor] | None = None

    def at(self, rows: torch.Tensor, columns: torch.Tensor) -> None:
        self.window = rows, columns

    def of(self, values: torch.Tensor) -> torch.Tensor:
        if self.window is None:
            return values
        rows, columns = (places.to(values.device) for places in self.window)
        return values[..., rows, :][..., columns]


@contextmanager
def ready(loaded: LoadedModel, pictures: GuidePictures | None) -> Iterator[Guide]:
    """Load what the guides need beside the model, and have it where the plan wants it while the block runs.

    The IP-Adapter is in the denoiser for as long; all is as it was at the end. Raises `UserError` (kind `MODEL`).
    """
    cache = loaded.guides
    cache.keep(pictures.guides if pictures else Guides())
    if pictures is None:
        yield NOTHING
        return
    if not loaded.info.takes_guides:
        message = f"{loaded.info.title} takes no ControlNet and no IP-Adapter."
        raise UserError(ErrorKind.MODEL, message, "Choose another model.")
    passes = _passes(loaded, pictures)
    if pictures.style is None:
        yield Guide(passes)
        return
    seen = _seen(loaded, *pictures.style, pictures.guides)
    with _adapted(loaded, pictures):
        yield Guide(passes, seen)


def _passes(loaded: LoadedModel, pictures: GuidePictures) -> tuple[_Pass, ...]:
    """The controls by network: a Union reads all its pictures in one pass, as it learned to."""
    passes: list[tuple[ControlFiles, list[int]]] = []
    for place, (files, _picture) in enumerate(pictures.controls):
        same = next((places for other, places in passes if files.is_union and other == files), None)
        if same is None:
            passes.append((files, [place]))
        else:
            same.append(place)
    made = []
    for files, places in passes:
        controls = [pictures.guides.controls[place] for place in places]
        network = _network(loaded, files)
        if files.is_union:
            _check_union(network, files, controls)
        layers, seen = network.controlnet_cond_embedding, [pictures.controls[place][1] for place in places]
        made.append(_Pass(network, layers, files.is_union, controls, seen))
    return tuple(made)


def _check_union(network: Any, files: ControlFiles, controls: Sequence[Control]) -> None:
    for control in controls:
        kind = _UNION_KINDS.get(control.kind)
        if kind is None:
            hint = "Say that it is depth, normals, edges or a tile."
            raise UserError(ErrorKind.MODEL, f"{files.path.name} has to be told what each picture shows.", hint)
        if kind >= network.config.num_control_type:
            raise UserError(
                ErrorKind.MODEL,
                f"{files.path.name} does not know pictures of the kind {control.kind.value.lower()}.",
                "Choose the ProMax version, or another ControlNet.",
            )
    if len({control.kind for control in controls}) < len(controls):
        message = f"{files.path.name} can read each kind of picture once."
        raise UserError(ErrorKind.MODEL, message, "Remove one of them, or choose another kind.")


def _network(loaded: LoadedModel, files: ControlFiles) -> Any:
    held = loaded.guides.networks
    if files.fingerprint not in held:
        network = load_control(files, loaded.pipeline.unet, _dtype(loaded))
        held[files.fingerprint] = _placed(network, loaded.plan)
    return held[files.fingerprint]


def _placed(network: Any, plan: Plan) -> Any:
    if plan.channels_last:
        network.to(memory_format=torch.channels_last)
    if plan.offload is Offload.NONE:
        network.to(plan.device.name)
    elif plan.offload is Offload.SEQUENTIAL:
        from accelerate import cpu_offload

        cpu_offload(network, plan.device.name)
    return network


def _dtype(loaded: LoadedModel) -> torch.dtype:
    """What the denoiser computes in; so do those beside it."""
    dtype: torch.dtype = loaded.pipeline.unet.dtype
    return dtype


@contextmanager
def guided(loaded: LoadedModel, guide: Guide) -> Iterator["_Look"]:
    """Hand the denoiser what the ControlNets say, while the block runs; inside of `ready` and of `seamless`.

    Gives what is to be told of windows (`windows.in_windows`), which must be entered inside.
    """
    look = _Look()
    if not guide.passes:
        yield look
        return
    unet, step = loaded.pipeline.unet, -1

    def begin_step(_module: Any, _arguments: Any) -> None:
        nonlocal step
        step += 1

    plain = unet.forward

    def forward(latents: torch.Tensor, timestep: Any, encoder_hidden_states: Any, **named: Any) -> Any:
        down: list[torch.Tensor] = []
        middle: torch.Tensor | None = None
        for part in guide.passes:
            if active := part.active(step, loaded.pipeline.num_timesteps):
                more, center = part.run(active, look, latents, timestep, encoder_hidden_states, named)
                down = [one + other for one, other in zip(down, more, strict=True)] if down else more
                middle = center if middle is None else middle + center
        if middle is not None:
            named |= {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": middle}
        return plain(latents, timestep, encoder_hidden_states=encoder_hidden_states, **named)

    hook = unet.register_forward_pre_hook(begin_step)
    takes_turns = loaded.plan.offload is Offload.MODEL
    try:
        for part in guide.passes:
            if takes_turns:  # on the device as long as the denoiser is, as with diffusers, and not beside the decoder
                part.network.to(loaded.plan.device.name)
            part.network.controlnet_cond_embedding = nn.Identity()  # what it is handed is an embedding already
        with replaced_forward(unet, forward):
            yield look
    finally:
        for part in guide.passes:
            part.network.controlnet_cond_embedding = part.layers
            part.embeddings.clear()
            if takes_turns:
                part.network.to("cpu")
        hook.remove()


# --- style


def _seen(loaded: LoadedModel, files: StyleFiles, picture: Any, guides: Guides) -> tuple[torch.Tensor, torch.Tensor]:
    """What the image encoder makes of nothing and of the picture, (1, 1, ...) each, as diffusers' pipelines have it.

    On the processor, whatever the model runs on: a second or a few, once for a picture, and no graphics memory.
    """
    assert guides.style is not None
    key = files.fingerprint, guides.style.sha256
    if key not in loaded.guides.seen:
        from transformers import CLIPImageProcessor

        dtype = _dtype(loaded) if loaded.plan.device.kind is Kind.CPU else torch.float32
        encoder = load_encoder(files, dtype)
        side = encoder.config.image_size
        processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
        pixels = processor(Image.fromarray(picture), return_tensors="pt").pixel_values.to(dtype)
        if files.reads_hidden:
            both = [encoder(values, output_hidden_states=True).hidden_states[-2] for values in (pixels * 0, pixels)]
        else:
            embedding = encoder(pixels).image_embeds
            both = [torch.zeros_like(embedding), embedding]
        loaded.guides.seen[key] = both[0][None], both[1][None]
    return loaded.guides.seen[key]


@contextmanager
def _adapted(loaded: LoadedModel, pictures: GuidePictures) -> Iterator[None]:
    """Put the IP-Adapter into the denoiser while the block runs."""
    assert pictures.style is not None
    assert pictures.guides.style is not None
    files, _picture = pictures.style
    unet, plan, held = loaded.pipeline.unet, loaded.plan, loaded.guides.adapters
    if unet.encoder_hid_proj is not None:
        message = f"{loaded.info.title} reads its text in a way that leaves no place for an IP-Adapter."
        raise UserError(ErrorKind.MODEL, message, "Choose another model.")
    if files.fingerprint not in held:
        held[files.fingerprint] = load_style(files, unet, _dtype(loaded))
    adapter = held[files.fingerprint]
    # layers that take turns lie nowhere; parts that do move with the denoiser, and begin where it is
    device = plan.device.name if plan.offload is not Offload.MODEL else unet.device
    for processor in adapter.processors.values():
        processor.to(device)
        processor.scale = [pictures.guides.style.strength]
    adapter.projection.to(device)
    before = {name: unet.get_submodule(_parent(name)).processor for name in adapter.processors}
    kind = unet.config.encoder_hid_dim_type
    try:
        for name, processor in adapter.processors.items():
            unet.get_submodule(_parent(name)).set_processor(processor)
        unet.encoder_hid_proj = adapter.projection
        unet.config.encoder_hid_dim_type = "ip_image_proj"
        yield
    finally:
        for name, processor in before.items():
            unet.get_submodule(_parent(name)).set_processor(processor)
        del unet.encoder_hid_proj
        unet.encoder_hid_proj = None
        unet.config.encoder_hid_dim_type = kind
        if plan.offload is Offload.MODEL:
            for part in (*adapter.processors.values(), adapter.projection):
                part.to("cpu")


def _parent(processor: str) -> str:
    return processor.removesuffix(".processor")
