# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, verify, load, keep and free models. Imports core, torch, diffusers, transformers and safetensors.

Only local diffusers folders that `core.model_files` has passed, only safetensors, never the hub, never a file's code.
"""

import functools
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers

from ..core.errors import ErrorKind, UserError, cannot_import
from ..core.families import catalogue
from ..core.families.catalogue import ModelInfo
from ..core.families.family import Family
from ..core.families.few_steps import FewSteps
from ..core.families.original import SCALES
from ..core.model_files import folder as model_folder
from ..core.model_files import parts
from ..core.model_files.folder import ModelFolder
from ..core.recipe import EXACTLY, PERIODIC
from ..core.requests.texture import STARTER, Scheduler, Sigmas, TextureRequest
from . import eight_bits, guide_files, relatives, safety, vocabulary, weights
from .devices import (
    EIGHT_BITS,
    GUIDES,
    READS,
    Device,
    Kind,
    Offload,
    Plan,
    empty_cache,
    is_out_of_memory,
    make_plan,
    ready,
)
from .families import adapter_of
from .families.adapter import Adapter
from .guide_files import GuideCache
from .lora_files import LoraFile
from .safety import SafetyChecker

if TYPE_CHECKING:
    from .image_networks import NetworkCache

log = logging.getLogger(__name__)

_SCHEDULERS: dict[Scheduler, tuple[Any, dict[str, Any]]] = {
    Scheduler.DPMPP_2M: (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
    Scheduler.UNIPC: (diffusers.UniPCMultistepScheduler, {}),
    Scheduler.EULER: (diffusers.EulerDiscreteScheduler, {}),
    Scheduler.EULER_A: (diffusers.EulerAncestralDiscreteScheduler, {}),
    # its own defaults are made for pictures, not for latents
    Scheduler.DDIM: (diffusers.DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False}),
    Scheduler.LCM: (diffusers.LCMScheduler, {"clip_sample": False}),
    Scheduler.TCD: (diffusers.TCDScheduler, {"clip_sample": False}),
}
_SIGMAS: dict[Sigmas, dict[str, Any]] = {
    Sigmas.MODEL: {},
    Sigmas.KARRAS: {"use_karras_sigmas": True},
    Sigmas.EXPONENTIAL: {"use_exponential_sigmas": True},
    Sigmas.TRAILING: {"timestep_spacing": "trailing"},
}
_ONE_OF_THEM = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
# Parts that checkpoints lack and pipelines never use: BERT's and CLIP's heads, counters that are made on loading.
_NOT_NEEDED = ("pooler.", "position_ids", "logit_scale")
_KEPT_PROMPTS = 32


@dataclass(eq=False)
class LoadedModel:
    """A pipeline in memory, placed as its plan says.

    parameters: component -> its number of weights. scheduler: the model's own, never run, from which others are made.
    embeddings: what the text encoders made of the last prompts. color_map: what `previews.fit` gave, if asked.
    safety: the checker that the folder brings, if it does. guides: what guided the last job. loras: the files of the
        last request, with their hashes. absent: networks that are not in memory now, without their weights.
    """

    info: ModelInfo
    folder: ModelFolder
    plan: Plan
    pipeline: Any
    parameters: dict[str, int]
    scheduler: Any
    embeddings: "OrderedDict[tuple[object, ...], dict[str, Any]]" = field(default_factory=OrderedDict)
    color_map: torch.Tensor | None = None
    safety: SafetyChecker | None = None
    loras: dict[Path, tuple[str, LoraFile]] = field(default_factory=dict)
    absent: dict[str, Any] = field(default_factory=dict)
    guides: GuideCache = field(default_factory=GuideCache)

    @property
    def adapter(self) -> Adapter:
        """What is special about running its family."""
        return adapter_of(self.info.family)

    def remember(self, key: tuple[object, ...], embeddings: dict[str, Any]) -> None:
        self.embeddings[key] = embeddings
        while len(self.embeddings) > _KEPT_PROMPTS:
            self.embeddings.popitem(last=False)

    def environment(self) -> dict[str, str]:
        """What the pixels depend on besides the request and the weights, for the recipe."""
        plan = self.plan
        return {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "device": plan.device.title or plan.device.name,
            "dtype": plan.dtype if plan.dtype == plan.vae_dtype else f"{plan.dtype}, decoder {plan.vae_dtype}",
            "threads": str(torch.get_num_threads()),
            "memory": plan.mode.value,
            **({"weights": "8 bits"} if plan.eight_bits else {}),
            **({"vae": self.folder.vae} if self.folder.vae else {}),
            PERIODIC: EXACTLY if self.info.exact else "as measured",
        }


@dataclass(frozen=True)
class _Wanted:
    """What is loaded, or was to be when memory ran out. key: what has to be the same for a model to be used again."""

    key: tuple[object, ...]
    info: ModelInfo
    folder: ModelFolder
    parameters: dict[str, int]
    plan: Plan


class ModelCache:
    """Holds one loaded model: the next job with the same one starts at once. Used by one thread."""

    def __init__(self) -> None:
        self._wanted: _Wanted | None = None
        self._loaded: LoadedModel | None = None
        self._networks: NetworkCache | None = None
        self._seen: tuple[tuple[object, ...], ModelFolder] | None = None  # what was last verified, and its stamp

    @property
    def holds_model(self) -> bool:
        return self._loaded is not None or bool(self._networks)

    @property
    def networks(self) -> "NetworkCache":
        """The upscalers and map networks, kept as models are."""
        if self._networks is None:
            from .image_networks import NetworkCache

            self._networks = NetworkCache()
        return self._networks

    def get(
        self, request: TextureRequest, device: str, memory: str, tell: Callable[[str], None] = lambda _text: None
    ) -> LoadedModel:
        """The model that a request names, loaded if need be; another one is freed first.

        device, memory: see `protocol.Start`. tell: is told, before anything is read, where memory is short or a VAE may
        not fit. A job that is cancelled meanwhile does not stop the loading: its user most likely asks for another
        texture with the same model next.
        Raises `UserError`: what is wrong with the folder, the device or the mode, if possible before weights are read.
        """
        info = catalogue.resolve(request.model)
        if memory == EIGHT_BITS and request.model == STARTER:  # 29 MB at 16 bits: not worth another picture
            memory = "auto"
        if request.sigmas not in info.sigmas(request.scheduler):
            raise UserError(
                ErrorKind.REQUEST,
                f"{info.title} has no {request.sigmas.value.lower()} sigmas with this scheduler.",
                "Choose another scheduler, or the model's own sigmas.",
            )
        if request.scheduler not in info.schedulers:
            raise UserError(
                ErrorKind.REQUEST,
                f"{info.title} cannot be sampled with {request.scheduler.value}.",
                "Choose one of " + ", ".join(scheduler.value for scheduler in info.schedulers) + ".",
            )
        folder = own = self._verified(info, request.parts)
        if request.vae:
            folder = model_folder.with_vae(own, Path(request.vae))
            if said := relatives.doubt(own, folder, Path(request.vae)):
                tell(said)
        _check_size(info, folder.folder, folder.grid, request)
        key = (folder.folder, folder.fingerprint, folder.vae, device, memory)
        same = self._wanted is not None and self._wanted.key == key
        if self._loaded is not None and same and (plan := _plan_again(self._loaded, request, device, memory)):
            self._loaded.plan = plan
            _tell(plan, tell)
            return self._loaded
        self.free()
        upcast = bool(folder.config("vae").get("force_upcast", False))
        parameters = dict(folder.parameters)
        found = ready(device)
        family, counted = _with_guides(info.family, parameters, request, found)
        plan = make_plan(
            found,
            family,
            counted,
            request.picture_size,
            upcast_vae=upcast,
            autoencoder=folder.classes["vae"][1],
            memory=memory,
        )
        _tell(plan, tell)
        return self._load(_Wanted(key, info, folder, parameters, plan))

    def _verified(self, info: ModelInfo, said: str) -> ModelFolder:
        """As `parts.verify`, which reads a folder again only where something in it has changed since."""
        if info.alone or not info.folder.is_dir():
            return parts.verify(info, said)
        try:
            stamp = model_folder.stamp(info.folder)
        except OSError:  # `verify` says what is wrong
            return parts.verify(info, said)
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, parts.verify(info, said)
        return self._seen[1]

    def make_leaner(self) -> LoadedModel | None:
        """Load the model of the last `get` again, in the next leaner mode; None where there is none.

        Nobody else may hold what `get` gave, or its memory stays taken.
        """
        plan = self._wanted.plan.leaner() if self._wanted else None
        if self._wanted is None or plan is None:
            return None
        wanted = replace(self._wanted, plan=plan)
        self.free()
        return self._load(wanted)

    def free(self) -> None:
        """Let go of the model, of upscalers and map networks, and of the accelerator's memory."""
        if self._networks is not None:
            self._networks.free()
        if self._loaded is not None:
            self._loaded.pipeline.remove_all_hooks()
            self._loaded = None
        if self._wanted is not None:
            device = self._wanted.plan.device.name
            self._wanted = None
            empty_cache(device)

    def _load(self, wanted: _Wanted) -> LoadedModel:
        log.info("loading %s in the mode %s: %s", wanted.folder.folder, wanted.plan.mode, wanted.plan.sentence)
        self._wanted = wanted
        pipeline = load_pipeline(wanted.folder, wanted.plan)
        scheduler = pipeline.scheduler
        self._loaded = LoadedModel(wanted.info, wanted.folder, wanted.plan, pipeline, wanted.parameters, scheduler)
        if wanted.plan.in_turns:
            for name in wanted.folder.weights:
                if name != "vae":
                    take_out(self._loaded, name)
        self._loaded.safety = safety.load(wanted.folder.folder, self._loaded.adapter)
        return self._loaded


def _tell(plan: Plan, tell: Callable[[str], None]) -> None:
    if plan.problem:
        tell(plan.problem)


def _check_size(info: ModelInfo, folder: Path, grid: int, request: TextureRequest) -> None:
    """Raise `UserError` for a size at which a network pads its levels unevenly, and so breaks what `seamless` promises.

    `Size` knows the grid of most models; one with a deeper autoencoder has a larger one.
    """
    width, height = request.size.width, request.size.height
    if width % grid or height % grid:
        raise UserError(
            ErrorKind.REQUEST,
            f"{info.title} can only make sides that are multiples of {grid} pixels only, not {request.size}.",
            f"Use {max(width // grid, 1) * grid}x{max(height // grid, 1) * grid}.",
        )
    largest = info.family.largest(folder)
    if largest is not None and max(width, height) > largest:
        raise UserError(
            ErrorKind.REQUEST,
            f"{info.title} can make sides of at most {largest} pixels, not {request.size}.",
            f"Use {min(width, largest)}x{min(height, largest)}, and enlarge the texture.",
        )


def _plan_again(loaded: LoadedModel, request: TextureRequest, device: str, memory: str) -> Plan | None:
    """A loaded model's plan for this request, None where it needs a leaner mode; one leaner than needed is kept."""
    found = ready(device)
    if found.kind is Kind.CPU:  # there, what the model itself takes does not count as free
        parts = [*loaded.pipeline.components.values(), *loaded.guides.modules]
        networks = [part for part in parts if isinstance(part, torch.nn.Module)]
        there = (p for network in networks for p in network.parameters() if not p.is_meta)
        held = sum(p.numel() * p.element_size() for p in there)
        found = replace(found, free=found.free + held)
    found = replace(found, main=loaded.plan.device.main)  # of which the model has taken its part
    family, parameters = _with_guides(loaded.info.family, loaded.parameters, request, found)
    plan = make_plan(
        found,
        family,
        parameters,
        request.picture_size,
        upcast_vae=loaded.plan.upcast_vae,
        autoencoder=loaded.plan.autoencoder,
        memory=memory,
    )
    order, ways = list(type(plan.mode)), list(type(plan.decoding))
    before, now = ((order.index(one.mode), one.in_turns) for one in (loaded.plan, plan))
    if before < now:
        return None
    # what decodes in a roomier mode does in a leaner one, or the next way that this one has
    possible = loaded.plan.decodings(request.picture_size)
    decoding = next((way for way in possible if ways.index(way) >= ways.index(plan.decoding)), possible[-1])
    return replace(loaded.plan, decoding=decoding, problem=plan.problem)


def _with_guides(
    family: Family, parameters: dict[str, int], request: TextureRequest, device: Device
) -> tuple[Family, dict[str, int]]:
    """The family and the numbers of weights that a plan is to be made for, where guides are beside the denoiser.

    They are on the device whenever the denoiser is. The image encoder runs on the processor, before the first step.
    """
    if not request.guides or not family.controls:
        return family, parameters
    beside = guide_files.count_weights(request.guides, family, with_encoder=device.kind is Kind.CPU)
    step = family.step_bytes + family.control_bytes * min(len(request.guides.controls), 2)
    return replace(family, step_bytes=step), parameters | {GUIDES: beside}


def load_pipeline(folder: ModelFolder, plan: Plan) -> Any:
    """A pipeline from a verified folder, placed as the plan says. Raises `UserError` (kind `MODEL`).

    Where text encoders and denoiser take turns, without the weights of either.
    """
    networks = {}
    for name in folder.weights:
        if plan.in_turns and name != "vae":
            networks[name] = weights.build(*folder.classes[name], folder.config(name))
            continue
        networks[name] = load_network(folder, name, plan)
    cls = pipeline_class(folder.family)
    parts, settings = cls._get_signature_keys(cls)  # the private way by which diffusers itself asks
    there = set(folder.family.components if folder.scheduler else folder.classes)
    unused = dict.fromkeys(set(parts) - there)  # None, or diffusers misses them
    own = {"is_distilled": folder.distilled} if folder.distilled is not None and "is_distilled" in settings else {}
    try:
        if folder.scheduler is None:
            tokenizers = dict(_old_tokenizers(folder, there))
            pipeline = cls.from_pretrained(
                str(folder.folder),
                **networks,
                **unused,
                **own,
                **tokenizers,
                local_files_only=True,
                use_safetensors=True,
            )
        else:
            unchecked = {"requires_safety_checker": False} if "requires_safety_checker" in settings else {}
            pipeline = cls(**networks, **unused, **unchecked, **_of_file(folder))
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        if is_out_of_memory(error):
            raise
        log.exception("loading %s failed", folder.folder)
        raise _does_not_fit(folder.folder, str(error)) from error
    name, changes = folder.sampling  # a class that our own code names
    if name or changes:
        scheduler = getattr(diffusers, name) if name else type(pipeline.scheduler)
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **changes)
    pipeline.set_progress_bar_config(disable=True)
    return place(pipeline, plan)


def _of_file(folder: ModelFolder) -> dict[str, Any]:
    """Scheduler and tokenizers of a checkpoint in one file, which brings none."""
    assert folder.scheduler is not None
    name, config = folder.scheduler  # a class that our own code names
    made = {name: vocabulary.clip_tokenizer(pad) for name, pad in folder.pads.items()}
    return made | {"scheduler": getattr(diffusers, name).from_config(dict(config))}


def _old_tokenizers(folder: ModelFolder, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Those that transformers would ask for another package to read."""
    for name in names:
        place = folder.folder / name
        if (place / "spiece.model").is_file() and not (place / "tokenizer.json").is_file():
            from .spiece import SpieceTokenizer  # late: most models need none of it

            yield name, SpieceTokenizer.from_pretrained(str(place), local_files_only=True, use_safetensors=True)


def pipeline_class(family: Family) -> Any:
    """diffusers' class, imported only now: of many families, few are ever asked for. Raises `UserError`."""
    try:
        return getattr(diffusers, family.pipeline)  # a name of ours, from `core.families`
    except Exception as error:  # whatever a broken installation raises
        raise cannot_import(error) from error


def diffusers_networks(pipeline: Any) -> list[Any]:
    """Denoisers and autoencoder of a pipeline, whatever they are called; not its text encoders."""
    return [part for part in pipeline.components.values() if isinstance(part, diffusers.ModelMixin)]


def load_network(folder: ModelFolder, name: str, plan: Plan) -> Any:
    """One network, with every weight of it from its files, and where it stays if that is decided.

    On a graphics card that holds the whole model each goes there before the next is read: main memory holds one.
    Raises `UserError` (kind `MODEL`).
    """
    network = _load_network(folder, name, plan.vae_dtype if name == "vae" else plan.dtype, plan.channels_last)
    if plan.eight_bits and name == folder.family.denoiser:
        eight_bits.shrink(network)
    if plan.offload is Offload.NONE:
        if plan.channels_last and isinstance(network, diffusers.ModelMixin):
            _lay_out(network)
        network.to(plan.vae_device if name == "vae" else plan.device.name)
    return network


def take_out(loaded: LoadedModel, name: str) -> None:
    """Let go of a network's weights. Its pipeline has its configuration at most until `put_back`."""
    pipeline = loaded.pipeline
    network = pipeline.components[name].to("meta")
    loaded.absent[name] = network
    # no module: the pipeline's device is that of any of its networks
    reads = name.startswith(READS)
    dtype = getattr(torch, loaded.plan.dtype)
    vars(pipeline)[name] = None if reads else SimpleNamespace(config=network.config, dtype=dtype)


def put_back(loaded: LoadedModel, name: str) -> None:
    """Read a network again that was taken out. Raises `UserError` (kind `MODEL`)."""
    vars(loaded.pipeline)[name] = load_network(loaded.folder, name, loaded.plan)
    del loaded.absent[name]


def _lay_out(network: Any) -> None:
    """Convolutions' weights with channels last."""
    if not any(weight.ndim == 5 for weight in network.parameters()):  # torch refuses those of films
        network.to(memory_format=torch.channels_last)


def place(pipeline: Any, plan: Plan) -> Any:
    """Put a pipeline, all of it in main memory, where its plan wants it, and return it."""
    if plan.channels_last:
        for network in diffusers_networks(pipeline):
            _lay_out(network)
    if plan.in_turns:
        return pipeline
    if plan.vae_device == plan.device.name and plan.offload is Offload.NONE:
        return _told_its_device(pipeline.to(plan.device.name))
    if plan.vae_device != plan.device.name:
        # `ready_vae` moves it; and the search for the pipeline's device must not come upon it
        pipeline._exclude_from_cpu_offload = [*pipeline._exclude_from_cpu_offload, "vae"]
    if plan.offload is Offload.MODEL:
        pipeline.enable_model_cpu_offload(device=plan.device.name)
    else:
        pipeline.enable_sequential_cpu_offload(device=plan.device.name)
    return pipeline


def _told_its_device(pipeline: Any) -> Any:
    """The same one, which knows where it runs.

    diffusers (0.42) walks through all modules for it, five times a picture: 8 ms of the starter's half second.
    """
    cls = type(pipeline)
    known = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "_execution_device": pipeline.device}
    pipeline.__class__ = type(cls.__name__, (cls,), known)
    return pipeline


def ready_vae(loaded: LoadedModel) -> Any:
    """The autoencoder, where its plan wants it. Get it each time: diffusers' offloading moves it in every run."""
    vae, plan = loaded.pipeline.vae, loaded.plan
    if plan.vae_device != plan.device.name:
        from accelerate.hooks import remove_hook_from_module

        remove_hook_from_module(vae, recurse=True)
        vae.to(plan.vae_device)
    return vae


def make_scheduler(
    loaded: LoadedModel, scheduler: Scheduler, sigmas: Sigmas = Sigmas.MODEL, few: FewSteps | None = None
) -> Any:
    """A fresh scheduler with the model's own noise schedule. few: of a LoRA, which then brings the model's own."""
    if scheduler is Scheduler.MODEL:
        if few is not None:
            name, settings = few.scheduler  # a class that our own code names
            return in_float32(getattr(diffusers, name).from_config(loaded.scheduler.config, **settings))
        return in_float32(type(loaded.scheduler).from_config(loaded.scheduler.config))
    cls, settings = _SCHEDULERS[scheduler]
    if loaded.info.prediction_type == "flow_prediction":
        settings = settings | {"use_flow_sigmas": True}
    if sigmas is not Sigmas.MODEL:
        # only one of these may be on, and the model's own may have another
        off = dict.fromkeys(set(_ONE_OF_THEM) & set(cls._get_init_keys(cls)), False)
        settings = settings | off | _SIGMAS[sigmas]
    return in_float32(cls.from_config(loaded.scheduler.config, **settings))


def in_float32(scheduler: Any) -> Any:
    """Have a scheduler take its steps in float32, also where the denoiser computes with 16 bits; returns it.

    Those that add noise in every step draw it in the denoiser's precision, and torch draws other numbers there, see
    `beginning.first_noise`.
    """
    plain = scheduler.step

    @functools.wraps(plain)  # pipelines look at its signature
    def step(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *more: Any, **named: Any) -> Any:
        if model_output.dtype is torch.float32:
            return plain(model_output, timestep, sample, *more, **named)
        before, *rest = plain(model_output.float(), timestep, sample.float(), *more, **named | {"return_dict": False})
        return before.to(sample.dtype), *rest

    scheduler.step = step
    return scheduler


def _load_network(folder: ModelFolder, name: str, dtype: str, channels_last: bool) -> Any:
    """One network, every weight of it from its files. Raises `UserError` (kind `MODEL`)."""
    given = folder.in_files.get(name)
    if given is not None and (given.part.library == "diffusers" or folder.scheduler is not None):
        return weights.load(given, getattr(torch, dtype), channels_last)
    library, class_name = folder.classes[name]  # on the list of safe classes
    cls = getattr({"diffusers": diffusers, "transformers": transformers}[library], class_name)
    files = folder.weights[name]
    try:
        if given is not None:
            network, report = weights.load_by_library(given, getattr(torch, dtype))
        else:
            config = folder.config(name)
            read = weights.try_load(files, library, class_name, config, getattr(torch, dtype), channels_last)
            if read is not None:
                return read
            network, report = cls.from_pretrained(
                str(folder.place(name)),
                torch_dtype=getattr(torch, dtype),
                variant=folder.variants[name],
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except UserError:
        raise
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        if is_out_of_memory(error):
            raise
        log.exception("loading %s failed", files[0])
        raise _does_not_fit(files[0], str(error)) from error
    scales = [str(key) for key in report["unexpected_keys"] if str(key).endswith(SCALES)]
    if scales:  # read without them, such weights would make noise
        raise _does_not_fit(files[0], f"its weights have scales of their own ({sorted(scales)[0]}), which are not read")
    missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in _NOT_NEEDED))
    if missing:
        found = ", ".join(sorted(map(str, report["unexpected_keys"]))[:2]) or "nothing else"
        expected = f"{missing[0]} and {len(missing) - 1} more weights"
        raise _does_not_fit(files[0], f"{class_name} expects {expected}, which are not there; found {found}")
    wrong = [str(key) for key in report.get("mismatched_keys") or ()]
    if wrong:
        raise _does_not_fit(files[0], f"{class_name} expects other shapes: {wrong[0]}")
    return network.eval()


def _does_not_fit(path: Path, reason: str) -> UserError:
    reason = " ".join(reason.split()).rstrip(".")
    if len(reason) > 300:
        reason = reason[:300].rsplit(" ", 1)[0] + " ..."
    return UserError(
        ErrorKind.MODEL,
        f"{path} doesn't fit the model's configuration: {reason}.",
        "Download the model again, or choose another folder.",
    )
