# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans by tables: machines that nobody here owns are described, not run."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AuraFlowTransformer2DModel,
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLHunyuanImage,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
    AutoencoderTiny,
    ControlNetModel,
    PixArtTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from addon.core import families
from addon.core.errors import ErrorKind, UserError
from addon.core.families import AURA_FLOW, PIXART_ALPHA, PIXART_SIGMA, SANA, autoencoders
from addon.core.families import STABLE_DIFFUSION_3 as SD3
from addon.core.families.autoencoders import KL
from addon.core.families.family import Family
from addon.core.requests.texture import Axes, Size
from addon.engine import devices, latents, layers
from addon.engine.canvas import canvases
from addon.engine.devices import Decoding, Device, Kind, Mode, Offload, Plan, make_plan, needed_bytes
from addon.engine.families import sines
from addon.engine.seamless import seamless
from addon.engine.tiles import TileLimits
from tests.engine import networks

GB = 1 << 30
Model = tuple[Family, dict[str, int]]  # and its numbers of weights
SD: Model = (
    families.STABLE_DIFFUSION,
    {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
)
SDXL: Model = (
    families.SDXL,
    {"unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840},
)
STARTER: Model = (
    families.STABLE_DIFFUSION,
    {"unet": 15_000_000, "vae": 1_200_000, "text_encoder": 2_000_000},
)
S512, S1024, S2048 = Size(512, 512), Size(1024, 1024), Size(2048, 2048)


def device(kind: Kind, gigabytes: float) -> Device:
    name = {Kind.CUDA: "cuda:0", Kind.ROCM: "cuda:0", Kind.XPU: "xpu:0"}.get(kind, kind.value)
    return Device(kind, name, int(gigabytes * GB), "test device", 4)


@pytest.mark.parametrize(
    ("kind", "gigabytes", "model", "size", "upcast", "mode"),
    [
        (Kind.CUDA, 24, SDXL, S1024, True, Mode.FULL),
        (Kind.CUDA, 10, SD, S1024, False, Mode.FULL),
        (Kind.CUDA, 10, SDXL, S1024, True, Mode.FULL),
        (Kind.CUDA, 12, SDXL, S1024, True, Mode.FULL),
        (Kind.CUDA, 10, SDXL, S2048, True, Mode.FULL),
        (Kind.CUDA, 7.2, SDXL, S2048, True, Mode.OFFLOAD),  # a card of 8 with a screen on it
        (Kind.CUDA, 4, SD, S512, False, Mode.FULL),
        (Kind.CUDA, 3, SD, S512, False, Mode.FULL),  # decoding in strips
        (Kind.CUDA, 2.8, SD, S512, False, Mode.OFFLOAD),
        (Kind.CUDA, 4, SDXL, S1024, True, Mode.MINIMAL),
        (Kind.CUDA, 2, SD, S512, False, Mode.MINIMAL),
        (Kind.CUDA, 2, STARTER, S512, False, Mode.FULL),
        (Kind.CUDA, 0.5, SDXL, S2048, True, Mode.MINIMAL),  # will not fit, and is tried in the leanest way
        (Kind.ROCM, 16, SDXL, S1024, False, Mode.FULL),
        (Kind.ROCM, 8, SDXL, S1024, False, Mode.FULL),
        (Kind.ROCM, 7, SDXL, S1024, False, Mode.OFFLOAD),
        (Kind.XPU, 16, SDXL, S1024, False, Mode.FULL),
        (Kind.XPU, 5, SD, S1024, False, Mode.FULL),
        (Kind.XPU, 3, SD, S1024, False, Mode.OFFLOAD),
        (Kind.MPS, 12, SD, S512, False, Mode.FULL),
        (Kind.MPS, 6, SDXL, S1024, True, Mode.LEAN),
        (Kind.CPU, 32, SDXL, S1024, True, Mode.FULL),
        (Kind.CPU, 12, SDXL, S1024, True, Mode.FULL),  # text encoders and denoiser in turns
        (Kind.CPU, 8, SDXL, S1024, True, Mode.LEAN),
        (Kind.CPU, 8, SD, S512, False, Mode.FULL),
        (Kind.CPU, 2, STARTER, S512, False, Mode.FULL),
    ],
)
def test_the_fastest_mode_that_fits_is_chosen(
    kind: Kind, gigabytes: float, model: Model, size: Size, upcast: bool, mode: Mode
) -> None:
    assert make_plan(device(kind, gigabytes), *model, size, upcast_vae=upcast).mode is mode


# kind, mode -> dtype, vae_dtype with and without the need for float32, vae_device, offload, scores (MiB), channels_last
SETTINGS = {
    (Kind.CUDA, Mode.FULL): ("float16", "float32", "float16", "cuda:0", Offload.NONE, 0, True),
    (Kind.CUDA, Mode.OFFLOAD): ("float16", "float32", "float16", "cuda:0", Offload.MODEL, 0, True),
    (Kind.CUDA, Mode.LEAN): ("float16", "float32", "float32", "cpu", Offload.MODEL, 0, True),
    (Kind.CUDA, Mode.MINIMAL): ("float16", "float32", "float32", "cpu", Offload.SEQUENTIAL, 0, True),
    (Kind.ROCM, Mode.FULL): ("float16", "float32", "float16", "cuda:0", Offload.NONE, 0, False),
    (Kind.ROCM, Mode.OFFLOAD): ("float16", "float32", "float16", "cuda:0", Offload.MODEL, 0, False),
    (Kind.ROCM, Mode.LEAN): ("float16", "float32", "float32", "cpu", Offload.MODEL, 0, False),
    (Kind.ROCM, Mode.MINIMAL): ("float16", "float32", "float32", "cpu", Offload.SEQUENTIAL, 0, False),
    (Kind.XPU, Mode.FULL): ("float16", "float32", "float16", "xpu:0", Offload.NONE, 0, True),
    (Kind.XPU, Mode.OFFLOAD): ("float16", "float32", "float16", "xpu:0", Offload.MODEL, 0, True),
    (Kind.XPU, Mode.LEAN): ("float16", "float32", "float32", "cpu", Offload.MODEL, 0, True),
    (Kind.XPU, Mode.MINIMAL): ("float16", "float32", "float32", "cpu", Offload.SEQUENTIAL, 0, True),
    (Kind.MPS, Mode.FULL): ("float16", "float32", "float16", "mps", Offload.NONE, 256, False),
    (Kind.MPS, Mode.LEAN): ("float16", "float16", "float16", "mps", Offload.NONE, 64, False),
    (Kind.CPU, Mode.FULL): ("float32", "float32", "float32", "cpu", Offload.NONE, 0, True),
    (Kind.CPU, Mode.LEAN): ("bfloat16", "bfloat16", "bfloat16", "cpu", Offload.NONE, 0, True),
}


@pytest.mark.parametrize(("kind", "mode"), SETTINGS)
@pytest.mark.parametrize("upcast", [True, False])
def test_each_mode_sets_what_it_says(kind: Kind, mode: Mode, upcast: bool) -> None:
    plan = make_plan(device(kind, 1), *SD, S512, upcast_vae=upcast, memory=mode.value)
    dtype, upcast_dtype, plain_dtype, vae_device, offload, scores, channels_last = SETTINGS[kind, mode]
    assert plan.mode is mode
    assert plan.dtype == dtype
    assert plan.vae_dtype == (upcast_dtype if upcast else plain_dtype)
    assert plan.vae_device == vae_device
    assert (plan.offload, plan.scores, plan.channels_last) == (offload, scores << 20, channels_last)
    assert plan.sentence.endswith(".")
    assert "test device" in plan.sentence


@pytest.mark.parametrize("kind", Kind)
def test_leaner_plans_go_down_to_the_leanest_and_each_needs_less(kind: Kind) -> None:
    plan: Plan | None = make_plan(device(kind, 100), *SDXL, S1024, upcast_vae=True)
    needs, modes = [], []
    while plan:
        needs.append(needed_bytes(plan, *SDXL, S1024))
        modes.append(plan.mode)
        plan = plan.leaner()
    assert [key[1] for key in SETTINGS if key[0] is kind] == modes
    assert needs == sorted(needs, reverse=True)


SIDES = st.integers(1, 32).map(lambda number: 64 * number)


@given(
    kind=st.sampled_from(Kind),
    gigabytes=st.floats(0.5, 40),
    model=st.sampled_from([SD, SDXL, STARTER]),
    upcast=st.booleans(),
    sides=st.tuples(SIDES, SIDES, SIDES, SIDES),
    main=st.floats(0, 40),
)
def test_a_larger_picture_never_gets_a_roomier_plan(
    kind: Kind, gigabytes: float, model: Model, upcast: bool, sides: tuple[int, int, int, int], main: float
) -> None:
    width, height, *more = sides
    large = Size(max(width, more[0]), max(height, more[1]))
    found = replace(device(kind, gigabytes), main=int(main * GB))
    small_plan, large_plan = (
        make_plan(found, *model, size, upcast_vae=upcast) for size in (Size(width, height), large)
    )
    modes, ways = list(Mode), list(Decoding)
    assert modes.index(small_plan.mode) <= modes.index(large_plan.mode)
    if small_plan.mode is large_plan.mode:
        assert ways.index(small_plan.decoding) <= ways.index(large_plan.decoding)


@given(
    gigabytes=st.floats(0.5, 40),
    model=st.sampled_from([SD, SDXL, STARTER]),
    upcast=st.booleans(),
    sides=st.tuples(SIDES, SIDES),
    main=st.floats(0.1, 40),
)
def test_a_plan_fits_into_main_memory_or_says_that_it_does_not(
    gigabytes: float, model: Model, upcast: bool, sides: tuple[int, int], main: float
) -> None:
    """And more main memory never gives a leaner mode."""
    found, size = replace(device(Kind.CUDA, gigabytes), main=int(main * GB)), Size(*sides)
    plan = make_plan(found, *model, size, upcast_vae=upcast)
    assert (devices.main_bytes(plan, *model, size) > found.main) is bool(plan.problem)
    roomy = make_plan(replace(found, main=1 << 40), *model, size, upcast_vae=upcast)
    assert not roomy.problem
    assert not roomy.in_turns
    on_card = needed_bytes(plan, *model, size) <= found.free - devices._KEPT
    assert on_card is (needed_bytes(roomy, *model, size) <= found.free - devices._KEPT)


def test_a_processor_without_room_says_so_before_it_swaps() -> None:
    large = make_plan(device(Kind.CPU, 3), *SDXL, S1024)
    assert "GB of main memory, of which 3.2 GB are free" in large.problem
    assert large.problem.endswith(".")
    assert make_plan(device(Kind.CPU, 32), *SDXL, S1024).problem == ""


def test_apples_graphics_stay_within_what_the_system_recommends(monkeypatch) -> None:
    limits = []
    monkeypatch.setattr(devices, "_available", lambda torch, kind, index=0: kind in ("mps", "cpu"))
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GB)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 5 * GB)
    monkeypatch.setattr(torch.mps, "set_per_process_memory_fraction", limits.append)
    monkeypatch.delenv("PYTORCH_MPS_HIGH_WATERMARK_RATIO", raising=False)
    found = devices.ready()
    assert (found.kind, found.name, found.free, found.left) == (Kind.MPS, "mps", 12 * GB, 7 * GB)
    assert limits == [1.0]
    monkeypatch.setenv("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "0.8")
    devices.ready()
    assert limits == [1.0], "the user's own limit stays"


@pytest.mark.parametrize(("gigabytes", "decoding"), [(80, "whole"), (14, "whole"), (12, "sheets"), (9.5, "strips")])
def test_a_card_decodes_by_layers_only_where_memory_asks_for_it(gigabytes: float, decoding: str) -> None:
    plan = make_plan(device(Kind.CUDA, gigabytes), *SDXL, S1024, upcast_vae=True)
    assert (plan.mode, plan.decoding.value) == (Mode.FULL, decoding)


def test_by_layers_the_plan_is_what_a_card_held() -> None:
    """0.596 and 1.346 GiB at 1024 pixels in float16, on an H100 with torch 2.11."""
    for decoding, measured in ((Decoding.STRIPS, 0.596), (Decoding.SHEETS, 1.346)):
        assert devices.decode_bytes(decoding, 1024**2) / GB == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(("kind", "memory"), [(Kind.CPU, "offload"), (Kind.MPS, "minimal"), (Kind.CUDA, "turbo")])
def test_a_mode_that_the_device_lacks_is_refused_with_those_it_has(kind: Kind, memory: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(device(kind, 8), *SD, S512, memory=memory)
    assert caught.value.kind is ErrorKind.REQUEST
    assert "full" in caught.value.hint


def test_probing_finds_this_machine() -> None:
    found = devices.probe("cpu")
    assert found.kind is Kind.CPU
    assert 64 << 20 < found.free < 1 << 50
    assert found.threads == torch.get_num_threads()
    assert devices.probe().kind in Kind


@pytest.mark.parametrize("wanted", ["cuda:99", "tpu", "cuda:x", "cpu:3", "", "meta"])
def test_a_device_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        devices.probe(wanted)
    assert caught.value.kind is ErrorKind.REQUEST


def test_running_out_of_memory_is_recognised_on_every_kind_of_device() -> None:
    with pytest.raises(RuntimeError) as caught:  # what torch really says on a processor
        torch.empty(1 << 60, dtype=torch.uint8)
    assert devices.is_out_of_memory(caught.value)
    assert devices.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert devices.is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"))
    for text in (
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
        "FIND was unable to find an engine to execute this computation",
    ):
        assert devices.is_out_of_memory(RuntimeError(text))
        assert not devices.is_device_lost(RuntimeError(text))
    assert not devices.is_out_of_memory(RuntimeError("shape mismatch"))
    assert not devices.is_out_of_memory(ValueError("out of memory"))


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, but for a network's own; on the meta device they cost nothing."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.live = self.peak = 0
        kept = [*module.parameters(), *module.buffers()]
        self.known = {tensor.untyped_storage()._cdata for tensor in kept}

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
        result = function(*arguments, **(keywords or {}))
        tree_map(self._count, result)
        return result

    def _count(self, value: object) -> None:
        if not isinstance(value, torch.Tensor):
            return
        storage = value.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.live -= size
        self.known.discard(key)


@torch.no_grad()
def bytes_per_pixel(module: torch.nn.Module, call: Callable[[], object]) -> float:
    with seamless(module, Axes.XY), LiveBytes(module) as counted:
        call()
    return counted.peak / (512 * 512)


def sdxl_unet() -> tuple[UNet2DConditionModel, dict[str, torch.Tensor]]:
    """SDXL's, and what it is told beside the text."""
    network = UNet2DConditionModel(
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        use_linear_projection=True,
        cross_attention_dim=2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    ).half()
    return network, {"text_embeds": torch.randn(2, 1280).half(), "time_ids": torch.ones(2, 6).half()}


def bytes_with_controls(
    unet: UNet2DConditionModel, latents: torch.Tensor, time: torch.Tensor, width: int, more: dict[str, torch.Tensor]
) -> tuple[float, ...]:
    """What a step holds beside one, two and three ControlNets, per pixel of the picture."""
    control = ControlNetModel.from_unet(unet, load_weights_from_unet=False).half()
    control.controlnet_cond_embedding = torch.nn.Identity()
    text = torch.randn(2, 77, width).half()
    seen = torch.randn(2, 320, 64, 64).half()

    def step(count: int) -> object:
        down, middle = [], None
        for _ in range(count):
            made, center = control(
                latents,
                time,
                encoder_hidden_states=text,
                controlnet_cond=seen,
                added_cond_kwargs=more,
                return_dict=False,
            )
            down = [one + other for one, other in zip(down, made, strict=True)] if down else list(made)
            middle = center if middle is None else middle + center
        named = {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": middle}
        return unet(latents, time, encoder_hidden_states=text, added_cond_kwargs=more, **named)

    both = torch.nn.ModuleList([unet, control])
    return tuple(bytes_per_pixel(both, lambda count=count: step(count)) for count in (1, 2, 3))


def test_the_estimates_cover_what_full_size_networks_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    # Fused attention keeps no matrix of scores, but without data torch falls back to one.
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", lambda q, *_, **__: torch.empty_like(q))
    with torch.device("meta"):
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        ).half()
        unet = UNet2DConditionModel(cross_attention_dim=768).half()
        latents, text = torch.randn(2, 4, 64, 64).half(), torch.randn(2, 77, 768).half()
        time = torch.ones(2).half()
        decode = bytes_per_pixel(vae, lambda: vae.decode(latents[:1]))
        inner = torch.randn(1, 512, 64, 64).half()
        middle = bytes_per_pixel(vae, lambda: layers.middle(vae.decoder.mid_block, inner))
        step = bytes_per_pixel(unet, lambda: unet(latents, time, encoder_hidden_states=text))
        large, more = sdxl_unet()
        text = torch.randn(2, 77, 2048).half()
        large_step = bytes_per_pixel(
            large, lambda: large(latents, time, encoder_hidden_states=text, added_cond_kwargs=more)
        )
        guided = (
            bytes_with_controls(unet, latents, time, 768, {}),
            bytes_with_controls(large, latents, time, 2048, more),
        )
    assert sum(parameter.numel() for parameter in large.parameters()) == SDXL[1]["unet"]
    assert sum(parameter.numel() for parameter in unet.parameters()) == SD[1]["unet"]
    assert sum(parameter.numel() for parameter in vae.parameters()) == SD[1]["vae"]
    assert 0.9 * KL.whole < decode < KL.whole
    assert middle < KL.middle
    for family, counted in ((SD[0], step), (SDXL[0], large_step)):
        assert 0.9 * family.step_bytes < counted < family.step_bytes
    for family, counted in zip((SD[0], SDXL[0]), guided, strict=True):
        one, two, three = counted
        assert 0.9 * (family.step_bytes + family.control_bytes) < one < family.step_bytes + family.control_bytes
        assert two == three < family.step_bytes + 2 * family.control_bytes  # a third's are added to what is there


def full_size(family: Family) -> tuple[torch.nn.Module, Callable[[torch.nn.Module], object]]:
    """A family's largest transformer without data, and a step of it at 512 pixels with both halves of the guidance."""
    time = torch.ones(2).half()
    if family is SD3:
        large = SD3Transformer2DModel(
            num_layers=38,
            num_attention_heads=38,
            caption_projection_dim=2432,
            qk_norm="rms_norm",
            pos_embed_max_size=192,
        )
        latents, text, pooled = (torch.randn(2, *shape).half() for shape in ((16, 64, 64), (333, 4096), (2048,)))
        return large, lambda network: network(latents, text, pooled, time)
    if family is PIXART_SIGMA:
        small = PixArtTransformer2DModel(caption_channels=4096, interpolation_scale=2, use_additional_conditions=False)
        latents, text = (torch.randn(2, *shape).half() for shape in ((4, 64, 64), (300, 4096)))
        told = {"resolution": None, "aspect_ratio": None}
        return small, lambda network: network(
            latents, text, time, encoder_attention_mask=torch.ones(2, 300), added_cond_kwargs=told
        )
    if family is SANA:
        latents, text = (torch.randn(2, *shape).half() for shape in ((32, 16, 16), (300, 2304)))
        return SanaTransformer2DModel(), lambda network: network(
            latents, text, time, encoder_attention_mask=torch.ones(2, 300)
        )
    latents, text = (torch.randn(2, *shape).half() for shape in ((4, 64, 64), (256, 2048)))
    learned = AuraFlowTransformer2DModel(
        attention_head_dim=256, num_attention_heads=12, caption_projection_dim=3072, pos_embed_max_size=4096
    )
    return learned, lambda network: network(latents, text, time)


def full_size_autoencoder(name: str) -> tuple[torch.nn.Module, int, int]:
    """Without data; its channels, and pixels a latent."""
    match name:
        case "AutoencoderKLFlux2":
            return AutoencoderKLFlux2(), 32, 8
        case "AutoencoderKLQwenImage":
            return AutoencoderKLQwenImage(), 16, 8
        case "AutoencoderKLWan":
            return AutoencoderKLWan(), 16, 8
        case "AutoencoderTiny":
            return AutoencoderTiny(), 4, 8
        case "AutoencoderKLHunyuanImage":
            widths = (128, 256, 512, 512, 1024, 1024)
            return AutoencoderKLHunyuanImage(3, 3, 64, widths, 2, 32, 384), 64, 32
    efficient = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    dc = AutoencoderDC(
        encoder_block_types=efficient,
        decoder_block_types=efficient,
        encoder_layers_per_block=(2, 2, 2, 3, 3, 3),
        decoder_layers_per_block=(3,) * 6,
        upsample_block_type="interpolate",
        downsample_block_type="Conv",
    )
    return dc, 32, 32


@pytest.mark.parametrize("name", [name for name in autoencoders._KNOWN if name != "AutoencoderKL"])
def test_the_estimates_cover_what_full_size_autoencoders_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", lambda q, *_, **__: torch.empty_like(q))
    with torch.device("meta"):
        vae, channels, factor = full_size_autoencoder(name)
        vae.half()
        z, picture = torch.randn(1, channels, 512 // factor, 512 // factor).half(), torch.randn(1, 3, 512, 512).half()
        decode = bytes_per_pixel(vae, lambda: latents.decode_whole(vae, z))
        encode = bytes_per_pixel(vae, lambda: latents.encode_whole(vae, picture))
    whole = autoencoders.decode_bytes_of(name).whole
    assert 0.85 * whole < max(decode, encode) < whole


def narrow_autoencoder(name: str) -> tuple[torch.nn.Module, int, int]:
    """An eighth as wide as in full size (a fourth for the last); its channels, and pixels a latent."""
    torch.manual_seed(0)
    match name:
        case "AutoencoderKL":
            return networks.kl_autoencoder(16), 4, 8
        case "AutoencoderKLQwenImage":
            vae = AutoencoderKLQwenImage(base_dim=12, z_dim=4, latents_mean=[0.0] * 4, latents_std=[1.0] * 4)
            return vae.eval(), 4, 8
        case "AutoencoderDC":
            return networks.dc_autoencoder(16, growing=True), 8, 32
    return AutoencoderKLHunyuanImage(3, 3, 8, (32, 64, 128, 128, 256, 256), 2, 32, 384).eval(), 8, 32


@pytest.mark.parametrize(
    "name", ["AutoencoderKL", "AutoencoderKLQwenImage", "AutoencoderDC", "AutoencoderKLHunyuanImage"]
)
@torch.no_grad()
def test_the_estimates_cover_what_lies_between_layers(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Counted while an eighth of it runs in strips of two rows: next to nothing, beside the sheets."""
    monkeypatch.setattr(layers, "_WIDEST", 1)
    vae, channels, factor = narrow_autoencoder(name)
    side = max(96, 4 * factor)
    z = torch.randn(1, channels, side // factor, side // factor)
    with seamless(vae, Axes.XY), canvases(tmp_path) as easel, LiveBytes(vae) as counted:
        layers.Layers(vae, Axes.XY, easel, TileLimits({"cpu": 64}), on_device=True).decode(z)
    narrow = 4 if name == "AutoencoderKLHunyuanImage" else 8
    at_two_bytes = counted.peak / side**2 / 2 * narrow
    sheets = autoencoders.decode_bytes_of(name).sheets
    assert 0.6 * sheets < at_two_bytes < sheets
    assert autoencoders.decode_bytes_of(name).middle <= sheets


@pytest.mark.parametrize(("family", "billions"), [(SD3, 8.06), (PIXART_SIGMA, 0.61), (SANA, 1.60), (AURA_FLOW, 6.84)])
def test_the_estimates_cover_what_full_size_transformers_hold(
    family: Family, billions: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", lambda q, *_, **__: torch.empty_like(q))
    monkeypatch.setattr(sines, "_read", lambda table, *_: np.zeros(table.shape[-1] // 4))  # without data
    with torch.device("meta"):
        network, step = full_size(family)
        network.half()
        counted = bytes_per_pixel(network, lambda: step(network))
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e9 == pytest.approx(billions, abs=0.01)
    assert 0.9 * family.step_bytes < counted < family.step_bytes
    assert PIXART_ALPHA.step_bytes == PIXART_SIGMA.step_bytes


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("CUDA error: unspecified launch failure"), True),
        (torch.OutOfMemoryError("CUDA out of memory."), False),
        (RuntimeError("CUDA error: out of memory"), False),
        (RuntimeError("shape mismatch"), False),
        (ValueError("CUDA error"), False),
    ],
)
def test_a_card_that_failed_is_told_from_one_that_is_full(error: Exception, lost: bool) -> None:
    assert devices.is_device_lost(error) is lost


class Card:
    """torch, as far as `probe` asks it of a machine with one NVIDIA card."""

    def __init__(self, capability: tuple[int, int], built_for: list[str]) -> None:
        self.cuda = self
        self.get_device_capability = lambda _number: capability
        self.get_arch_list = lambda: built_for
        self.get_device_name = lambda _number: "Old Card"


TODAY = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]


@pytest.mark.parametrize(
    ("capability", "built_for", "runs"),
    [
        ((7, 5), TODAY, True),
        ((8, 9), TODAY, True),  # as 8.6
        ((9, 0), ["sm_90a", *TODAY], True),
        ((12, 1), TODAY, True),
        ((6, 1), TODAY, False),
        ((5, 0), [*TODAY, "compute_120"], False),
        ((13, 0), TODAY, False),
        ((13, 0), [*TODAY, "compute_120"], True),  # compiles what is meant for later cards
        ((9, 4), ["gfx90a", "gfx942"], True),  # AMD's
        ((7, 5), [], True),
    ],
)
def test_a_card_that_torch_has_no_code_for_is_named(capability, built_for, runs) -> None:
    problem = devices._too_old(Card(capability, built_for))
    assert (problem == "") is runs
    assert runs or "Old Card" in problem


def test_on_a_machine_with_a_card_that_is_too_old_the_processor_does_it_and_says_why(monkeypatch) -> None:
    monkeypatch.setattr(devices, "_available", lambda torch, kind, index=0: kind in ("cuda", "cpu"))
    monkeypatch.setattr(devices, "_too_old", lambda torch, number=0: "The card is too old.")
    found = devices.probe("auto")
    assert (found.kind, found.problem) == (Kind.CPU, "The card is too old.")
    with pytest.raises(UserError, match="too old"):
        devices.probe("cuda")


def test_a_job_finds_float32_to_be_float32_and_the_same_way_each_time() -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.deterministic = False
    devices.ready("cpu")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.deterministic


def test_what_tensors_hold_does_not_count_as_left() -> None:
    assert Device(Kind.CUDA, "cuda:0", 8 * GB, held=5 * GB).left == 3 * GB
