# SPDX-License-Identifier: GPL-3.0-or-later
"""How to run a model on this machine: device, precision, memory. Imports core only; `probe` asks torch, lazily.

`make_plan` is a pure function, so that machines which nobody here owns can at least be tested by tables.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ..core.errors import ErrorKind, UserError
from ..core.families.autoencoders import decode_bytes_of
from ..core.families.family import Family
from ..core.requests.texture import Size

WHOLE = 1024  # pixels of a side: what is larger, a processor decodes in parts
STRIP = 256  # pixels: what the KL autoencoder holds of a large picture at once is like so many squared
# What is said where memory ran out, beside torch's own exception: by torch on a processor and on Apple's graphics, by
# the driver, and by the libraries that find no room for a workspace.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "out of memory",
    "out_of_host_memory",
    "Invalid buffer size",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "nable to find an engine",  # cuDNN: none of its ways to convolve fits
)
GUIDES = "guides"  # as which the weights of networks beside the denoiser are counted
READS = "text_encoder"  # how the components that read prompts are called in every pipeline
EIGHT_BITS = "eight_bits"  # what is asked for as a memory mode: the fastest one, with the denoiser's weights so
_SLACK = 1.25  # the allocator's fragments and the convolutions' workspaces; an assumption
_SCORES = 256 << 20  # bytes; and as many again for what is made of them
_KEPT = 600 << 20  # bytes left to the driver's context and Blender's viewport; an assumption


class Kind(StrEnum):
    """Kinds of device, as torch and its users tell them apart."""

    CUDA = "cuda"
    ROCM = "rocm"  # AMD; torch calls the device "cuda" too
    MPS = "mps"  # Apple
    XPU = "xpu"  # Intel
    CPU = "cpu"


class Mode(StrEnum):
    """Memory modes, each leaner and slower than the one before. Not every kind of device has every one."""

    FULL = "full"  # all parts on the device
    OFFLOAD = "offload"  # parts take turns on the device
    LEAN = "lean"  # as well, and decoding by the processor; on a processor: 16 bits a number
    MINIMAL = "minimal"  # layers take turns on the device


class Decoding(StrEnum):
    """How the autoencoder works, each way leaner and slower than the one before; pixels differ by rounding alone."""

    WHOLE = "whole"
    SHEETS = "sheets"  # layer by layer; what lies between two layers stays on the graphics card
    STRIPS = "strips"  # layer by layer; that lies in main memory, or in a mapped file


class Offload(StrEnum):
    NONE = "none"
    MODEL = "model"
    SEQUENTIAL = "sequential"


_MODES = {
    Kind.CUDA: tuple(Mode),
    Kind.ROCM: tuple(Mode),
    Kind.XPU: tuple(Mode),
    # one memory for processor and graphics: moving parts between them frees nothing
    Kind.MPS: (Mode.FULL, Mode.LEAN),
    Kind.CPU: (Mode.FULL, Mode.LEAN),
}


@dataclass(frozen=True)
class Device:
    """A device as it was found.

    name: what torch calls it. free: bytes that may be used, by this process already or by nobody; held: those of them
    that tensors of this process take (0 on a processor, where they do not count as free); total: bytes that a card
    has, 0 elsewhere. threads: of the processor. main: bytes of main memory beside a card that may be used; 0 where
    there is no other memory, or nobody looked.
    problem: why a graphics card that is there is not used, a sentence.
    """

    kind: Kind
    name: str
    free: int
    title: str = ""
    threads: int = 1
    held: int = 0
    total: int = 0
    problem: str = ""
    main: int = 0

    @property
    def left(self) -> int:
        """Bytes for new tensors beside those that are held."""
        return self.free - self.held


@dataclass(frozen=True)
class Plan:
    """How to run one model on one device. dtype, vae_dtype: names of torch's types.

    vae_device: where pictures are decoded and encoded. autoencoder: diffusers' class for what does it.
    half: what the model's 16 bits a number are, on a card. in_turns: text encoders are read, used and let go before the
    denoiser is read, and the denoiser before they are read again for another prompt (see `turns`).
    eight_bits: the denoiser's weights are kept so (see `eight_bits`); it computes in `dtype`.
    scores: bytes that attention's scores may take at once (see `attention`); 0 where torch has a kernel without them.
    problem: a sentence where the model does not fit into main memory, which the system then makes up for on the disk.
    sentence: for people, ends with a full stop.
    """

    device: Device
    mode: Mode
    dtype: str
    vae_dtype: str
    vae_device: str
    offload: Offload
    channels_last: bool
    sentence: str
    upcast_vae: bool = False
    decoding: Decoding = Decoding.WHOLE
    half: str = "float16"
    autoencoder: str = "AutoencoderKL"
    in_turns: bool = False
    eight_bits: bool = False
    scores: int = 0
    problem: str = ""

    @property
    def has_one_memory(self) -> bool:
        """Whether what computes has no memory beside the main one."""
        return self.device.kind in (Kind.CPU, Kind.MPS)

    def taking_turns(self) -> "Plan":
        """The same with text encoders and denoiser in turns, but where they take them already, from main memory."""
        if self.offload is not Offload.NONE:
            return self
        words = "; text encoder and denoiser take turns, to save memory."
        return replace(self, in_turns=True, sentence=self.sentence.partition(", to save")[0].rstrip(".") + words)

    def in_eight_bits(self) -> "Plan":
        """The same with the denoiser's weights in 8 bits; not layer by layer, where a card holds few of them anyway."""
        if self.offload is Offload.SEQUENTIAL:
            return self
        return replace(self, eight_bits=True, sentence=f"{self.sentence} Weights have 8 bits: about 1 % off.")

    def leaner(self) -> "Plan | None":
        """The next leaner mode's plan, decoding in its leanest way; None where there is none."""
        modes = _MODES[self.device.kind]
        following = modes.index(self.mode) + 1
        if following == len(modes):
            return None
        leaner = _in_mode(self.device, modes[following], self.upcast_vae, self.half)
        plan = replace(leaner, decoding=Decoding.STRIPS, autoencoder=self.autoencoder)
        plan = plan.taking_turns() if plan.has_one_memory else plan
        return plan.in_eight_bits() if self.eight_bits else plan

    def decodings(self, size: Size) -> tuple[Decoding, ...]:
        """The ways in which pictures of that size can be decoded here, the fastest first."""
        if self.vae_device != "cpu" and self.device.kind is not Kind.MPS:
            return tuple(Decoding)
        # One memory for everything: sheets would save nothing, and strips cost hardly any time.
        small = max(size.width, size.height) <= WHOLE
        return (Decoding.WHOLE, Decoding.STRIPS) if small else (Decoding.STRIPS,)


def make_plan(
    device: Device,
    family: Family,
    parameters: Mapping[str, int],
    size: Size,
    *,
    upcast_vae: bool = False,
    autoencoder: str = "AutoencoderKL",
    memory: str = "auto",
) -> Plan:
    """The fastest plan that should fit, or the leanest if none should; estimates err, so running out is still handled.

    Beside a card main memory counts too; where none fits into it, the one that fits the card and takes the least of it
    is taken, and says so.

    A larger picture never gets a faster one than a smaller picture does.

    family, parameters: the model's; component ("vae", "text_encoder" ...) -> its number of weights.
    size: the picture's. upcast_vae: the autoencoder needs float32 (its configuration's `force_upcast`).
    autoencoder: diffusers' class for it.
    memory: "auto", a mode's name, or `EIGHT_BITS`, which is never chosen unasked: its pictures are others.
    Raises `UserError` (kind `REQUEST`) for a mode that the device does not have.
    """
    modes = _MODES[device.kind]
    narrow = memory == EIGHT_BITS
    if memory != "auto" and not narrow:
        if memory not in modes:
            known = ", ".join(("auto", *modes, EIGHT_BITS))
            raise UserError(ErrorKind.REQUEST, f"There is no memory mode {memory!r} here.", f"Choose one of {known}.")
        modes = (Mode(memory),)
    plans = [replace(plan, autoencoder=autoencoder) for plan in _plans(device, modes, size, upcast_vae, family.dtype)]
    plans = [plan.in_eight_bits() if narrow else plan for plan in plans]
    fitting = [plan for plan in plans if needed_bytes(plan, family, parameters, size) <= device.free - _KEPT]
    if not fitting:
        plan = plans[-1]
    else:
        beside = {plan: main_bytes(plan, family, parameters, size) for plan in fitting}
        plan = next((plan for plan in fitting if beside[plan] <= (device.main or sys.maxsize)), None) or min(
            fitting, key=lambda plan: beside[plan]
        )
    return replace(plan, problem=_problem(plan, family, parameters, size))


def _plans(device: Device, modes: tuple[Mode, ...], size: Size, upcast_vae: bool, half: str) -> Iterator[Plan]:
    """From the fastest to the leanest."""
    later: list[Plan] = []  # on a card parts that take turns from main memory come first: nothing is read again
    for mode in modes:
        plan = _in_mode(device, mode, upcast_vae, half)
        for decoding in plan.decodings(size):
            yield replace(plan, decoding=decoding)
        yield from later
        turns = replace(plan, decoding=plan.decodings(size)[-1]).taking_turns()
        later = [] if plan.has_one_memory or not turns.in_turns else [turns]
        if plan.has_one_memory:  # only for other prompts is anything read again
            yield turns


def main_bytes(plan: Plan, family: Family, parameters: Mapping[str, int], size: Size) -> int:
    """An estimate of the main memory that the plan takes beside a card's; 0 where there is only one memory."""
    if plan.has_one_memory:
        return 0
    weights = [float(count * _bytes(plan.dtype)) for name, count in parameters.items() if name != "vae"]
    vae = parameters.get("vae", 0) * _bytes(plan.vae_dtype)
    if plan.offload is Offload.NONE:  # each is there while it is read
        return int(max([*weights, vae]))
    decoding = 0
    if plan.vae_device == "cpu":
        pixels = size.width * size.height
        decoding = decode_bytes(plan.decoding, pixels, plan.autoencoder) * _bytes(plan.vae_dtype) // 2
    return int(sum(weights) + vae + decoding)


def _problem(plan: Plan, family: Family, parameters: Mapping[str, int], size: Size) -> str:
    """See `Plan.problem`. Apple's graphics run out of memory instead."""
    free, needed = plan.device.main, main_bytes(plan, family, parameters, size)
    if plan.device.kind is Kind.CPU:
        free, needed = plan.device.free, needed_bytes(plan, family, parameters, size)
    if not free or needed <= free:
        return ""
    words = f"This takes about {needed / 1e9:.1f} GB of main memory, of which {free / 1e9:.1f} GB are free."
    return f"{words} The system may use the disk for it, which is slow: close other programs, or take a smaller model."


def needed_bytes(plan: Plan, family: Family, parameters: Mapping[str, int], size: Size) -> int:
    """An estimate of the device's memory that the plan takes for pictures of that size.

    parameters: also those of `GUIDES`, which are there whenever the denoiser is.
    """
    per_number = _bytes(plan.dtype)
    pixels = size.width * size.height
    weights = {name: float(count * per_number) for name, count in parameters.items()}
    weights["vae"] = parameters.get("vae", 0) * _bytes(plan.vae_dtype)
    loading = 0.0
    if plan.eight_bits:
        if plan.has_one_memory:  # there it is read with all its bits before it has 8
            together = (family.denoiser, "vae") if plan.in_turns else tuple(weights)
            loading = sum(weights.get(name, 0) for name in together)
        # scales, what keeps its bits, and the layer that is at work
        weights[family.denoiser] = parameters.get(family.denoiser, 0) * (1 + per_number / 50)
    if GUIDES in weights:
        weights[family.denoiser] = weights.get(family.denoiser, 0) + weights.pop(GUIDES)
    step = pixels * family.step_bytes * per_number / 2 * _SLACK + 2 * plan.scores
    decode = decode_bytes(plan.decoding, pixels, plan.autoencoder) * _bytes(plan.vae_dtype) / 2 + 2 * plan.scores
    if plan.vae_device != plan.device.name:
        decode = weights["vae"] = 0
    match plan.offload:
        case Offload.NONE if plan.in_turns:
            reading = sum(held for name, held in weights.items() if name.startswith(READS))
            # the autoencoder stays
            working_weights = sum(weights.values()) - reading
            return int(max(reading + weights["vae"], working_weights + max(step, decode), loading))
        case Offload.NONE:
            return int(max(sum(weights.values()) + max(step, decode), loading))
        case Offload.MODEL:
            working = {family.denoiser: step, "vae": decode}
            return int(max(held + working.get(name, 0) for name, held in weights.items()))
        case Offload.SEQUENTIAL:  # one layer at a time: no more than a tenth of the denoiser's weights
            return int(step + weights.get(family.denoiser, 0) / 10)


def decode_bytes(decoding: Decoding, pixels: int, autoencoder: str = "AutoencoderKL") -> int:
    """What an autoencoder holds besides its weights while it decodes a picture so, at 2 bytes a number."""
    known = decode_bytes_of(autoencoder)
    match decoding:
        case Decoding.WHOLE:
            return int(pixels * known.whole * _SLACK)
        case Decoding.SHEETS:
            return known.sweep + pixels * known.sheets
        case Decoding.STRIPS:
            return known.sweep + pixels * known.middle


def probe(wanted: str = "auto") -> Device:
    """The device to use, as torch sees it now. Imports torch.

    wanted: "auto" (the first graphics device that works, else the processor) or a device's name as torch writes it.
    Raises `UserError` (kind `REQUEST`) for a device that is not there.
    """
    import torch

    name, problem = wanted, ""
    if wanted == "auto":
        found = [kind for kind in ("cuda", "xpu", "mps") if _available(torch, kind)]
        problem = _too_old(torch) if found[:1] == ["cuda"] else ""
        name = next((kind for kind in found if kind != "cuda" or not problem), "cpu")
    kind_name, _, index = name.partition(":")
    known = kind_name in {"cuda", "xpu", "mps", "cpu"} and (not index or index.isdecimal())
    number = int(index or 0) if known else 0
    if not known or not _available(torch, kind_name, number):
        raise UserError(ErrorKind.REQUEST, f"There is no device {wanted!r} on this machine.", "Choose auto or cpu.")
    threads = int(torch.get_num_threads())
    if kind_name == "cpu":
        return Device(Kind.CPU, "cpu", free_main_memory(), "processor", threads, problem=problem)
    if kind_name == "mps":
        free, held = int(torch.mps.recommended_max_memory()), int(torch.mps.current_allocated_memory())
        return Device(Kind.MPS, "mps", free, "Apple graphics", threads, held)
    if kind_name == "cuda" and (problem := _too_old(torch, number)):
        raise UserError(ErrorKind.REQUEST, problem, "Choose auto or cpu.")
    module = getattr(torch, kind_name)
    kind = Kind.ROCM if kind_name == "cuda" and torch.version.hip else Kind(kind_name)
    free, total = map(int, module.mem_get_info(number))
    free += int(module.memory_reserved(number))  # what torch holds in this process is ours to use again
    title, held = str(module.get_device_name(number)), int(module.memory_allocated(number))
    return Device(kind, f"{kind_name}:{number}", free, title, threads, held, total, main=free_main_memory())


def _too_old(torch: Any, number: int = 0) -> str:
    """A sentence where torch was built without code that an NVIDIA card can run, else "".

    A build has code for some kinds of card ("sm_86": for 8.6 and the later ones of 8) and text ("compute_90") that
    later cards compile. ROCm's names are others ("gfx1100"), and say nothing here.
    """
    kinds = [name.partition("_") for name in torch.cuda.get_arch_list()]
    known = [(word, int(digits)) for word, _, digits in kinds if word in ("sm", "compute") and digits.isdecimal()]
    major, minor = torch.cuda.get_device_capability(number)
    card = 10 * major + minor
    if not known or any(value <= card and (word == "compute" or value // 10 == major) for word, value in known):
        return ""
    title = torch.cuda.get_device_name(number)
    return f"The {title} is a kind of card ({major}.{minor}) that this build of torch has no code for."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on any kind of device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """Whether a graphics card failed in such a way that this process cannot use it any more.

    After an illegal access or a launch that failed, CUDA gives the same error to whatever is asked of it.
    """
    import torch

    if is_out_of_memory(error):
        return False
    return isinstance(error, torch.AcceleratorError) or (isinstance(error, RuntimeError) and "CUDA error" in str(error))


def ready(wanted: str = "auto") -> Device:
    """What `probe` finds, set up for a job: the same recipe gives the same pixels, and float32 is float32.

    On NVIDIA's cards convolutions in float32 run with 10 bits (TF32) unless told otherwise: heights come out up to 42
    of 65,535 levels off. A driver that goes on in main memory where the card is full, ten times slower, is stopped at
    what is free now: then memory runs out in words that are understood here. So it is on Apple's graphics, where torch
    allows 1.7 times what the system recommends, more than there is; unless the user has set a limit.
    """
    import torch

    device = probe(wanted)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.kind is Kind.CUDA:
        torch.cuda.set_per_process_memory_fraction(min(device.free / device.total, 1.0), device.name)
    if device.kind is Kind.MPS and "PYTORCH_MPS_HIGH_WATERMARK_RATIO" not in os.environ:
        torch.mps.set_per_process_memory_fraction(1.0)
    return device


def empty_cache(device: str) -> None:
    """Give back memory that torch holds in reserve on that device."""
    import gc

    import torch

    gc.collect()
    kind = device.partition(":")[0]
    if kind != "cpu":
        getattr(torch, kind).empty_cache()


def free_main_memory() -> int:
    """Bytes of main memory that can be used without swapping; all of it where the system does not tell what is free."""
    if sys.platform == "win32":
        return _free_memory_windows()
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # macOS has no /proc
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _free_memory_windows() -> int:
    import ctypes

    # MEMORYSTATUSEX: two 32-bit numbers (its own length, load in percent), then 64-bit ones: total, available ...
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    windll = ctypes.windll  # type: ignore[attr-defined,unused-ignore]
    windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status[2])


def _available(torch: object, kind: str, index: int = 0) -> bool:
    if kind == "cpu":
        return index == 0
    if kind == "mps":
        return bool(torch.backends.mps.is_available()) and index == 0  # type: ignore[attr-defined]
    module = getattr(torch, kind)
    return bool(module.is_available()) and index < int(module.device_count())


def _bytes(dtype: str) -> int:
    return 4 if dtype == "float32" else 2


def _in_mode(device: Device, mode: Mode, upcast_vae: bool, half: str) -> Plan:
    where = device.title or device.kind.value
    plan = Plan(
        device=device,
        mode=mode,
        dtype=half,
        vae_dtype="float32" if upcast_vae else half,
        vae_device=device.name,
        offload=Offload.NONE,
        # convolutions on NVIDIA's and Intel's cards and on processors are faster so
        channels_last=device.kind in (Kind.CUDA, Kind.XPU, Kind.CPU),
        sentence=f"Runs on the {where}.",
        upcast_vae=upcast_vae,
        half=half,
    )
    if device.kind is Kind.CPU:
        if mode is Mode.LEAN:
            sentence = f"Runs on the {where} at 16 bits a number, to save memory."
            return replace(plan, dtype="bfloat16", vae_dtype="bfloat16", sentence=sentence)
        return replace(plan, dtype="float32", vae_dtype="float32")
    if device.kind is Kind.MPS:
        if mode is Mode.LEAN:
            sentence = f"Runs on the {where} in small pieces, to save memory."
            return replace(plan, scores=_SCORES // 4, vae_dtype=half, sentence=sentence)
        return replace(plan, scores=_SCORES)
    in_main_memory = replace(plan, vae_device="cpu", vae_dtype="float32")
    match mode:
        case Mode.FULL:
            return plan
        case Mode.OFFLOAD:
            sentence = f"Runs on the {where}; the model's parts take turns, to save its memory."
            return replace(plan, offload=Offload.MODEL, sentence=sentence)
        case Mode.LEAN:
            sentence = f"Runs on the {where}; parts take turns and the processor decodes, to save its memory."
            return replace(in_main_memory, offload=Offload.MODEL, sentence=sentence)
        case Mode.MINIMAL:
            sentence = f"Runs on the {where} layer by layer, which is slow, to save its memory."
            # No slices of attention: fused, a step of SD 1.5 at 1024 takes an eighth of that (0.5 for 4.2 GiB, H100).
            return replace(in_main_memory, offload=Offload.SEQUENTIAL, sentence=sentence)
