# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to pictures in the store. Imports core, engine, torch and numpy.

Each picture is its own denoiser batch with its own generator on the processor, so that a recipe gives the same pixels
whatever else its job makes.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from diffusers.models.resnet import ResnetBlock2D
from numpy.typing import NDArray
from torch import nn

from ..core import image_networks, results, seams
from ..core.errors import ErrorKind, UserError
from ..core.protocol import Phase, Start
from ..core.recipe import Recipe
from ..core.requests.finish import Finish
from ..core.requests.texture import Axes, TextureRequest
from ..core.results import Result
from .beginning import PLAIN, Beginning, Sampling, begin, beside, first_noise, is_late, make_late
from .devices import Kind, is_out_of_memory
from .files import write_color
from .fitting import check as check_set
from .fitting import fit_latents, fit_pixels
from .latents import decode as decode_latents
from .latents import encode as encode_picture
from .models import LoadedModel, ModelCache, diffusers_networks, make_scheduler, ready_vae
from .previews import Previews, previews
from .prompts import embed
from .seamless import seamless
from .template import Ground, ground
from .watcher import Watcher, cancellable
from .windows import in_windows

log = logging.getLogger(__name__)

# Before which of them it is looked whether the job is to end. On a processor every block has some, and a hook costs
# microseconds of the milliseconds that each takes. A graphics card is handed its work long before it does it, and waits
# for Python where a hook is on every layer (a large model on an H100: 10 % of a step): there once a block.
_LAYERS = (nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
_BLOCKS = (ResnetBlock2D, BasicTransformerBlock, AutoencoderTinyBlock)


def make_images(cache: ModelCache, start: Start, watch: Watcher) -> None:
    """Make every picture of a job.

    Raises `UserError`, or what `watch` raises; pictures that were published before stay. The model stays in the cache.
    """
    request, store = start.request.as_texture(), Path(start.store)
    check_set(request)
    with results.draft(store, request.prompt, request.seed):
        pass  # an unwritable store is reported before the work, not after it; so are networks' files
    if request.finish.upscale > 1:
        image_networks.upscaler_file(request.finish.upscaler)
    if request.finish.maps or request.finish.delight:
        image_networks.map_networks(request.finish.map_networks)
    watch.progress(Phase.LOADING)
    if request.finish.does_something:
        # Imported late: spandrel takes two seconds, which most jobs need not wait for.
        from . import finish

        finish.check_networks(request.finish, cache.networks, start.device, watch)

    def height_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        from . import finish

        return finish.height(pixels, request.finish.map_networks, request.axes, cache.networks, start, watch)

    with (
        ground(request, store, watch.check, watch.note, height_of) as base,
        previews(store, start.previews, watch.preview) as shown,
    ):
        made = [_make_image(cache, start, index, watch, shown, base) for index in range(request.count)]
    if not any(made):
        raise UserError(
            ErrorKind.REQUEST,
            "The model's safety checker blanked all there was to see; no texture was made.",
            "Change the prompt or the seed.",
        )


@dataclass(frozen=True)
class _Picture:
    """A picture that was sampled and is in no file yet. base: what it was made on. begun: by `time.monotonic`."""

    index: int
    request: TextureRequest
    pixels: NDArray[np.uint8]
    made_from: Recipe
    base: Ground | None
    begun: float


def _make_image(
    cache: ModelCache, start: Start, index: int, watch: Watcher, shown: Previews | None, base: Ground | None
) -> bool:
    """Whether there is one: not where the model's safety checker blanks it, which is said."""
    begun = time.monotonic()
    request = start.request.as_texture().single(index)
    if base is not None:
        request = base.of(request)
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        watch.note(text)

    pixels: NDArray[np.uint8] | None
    if base is not None and base.is_whole:
        pixels, made_from = base.pixels, Recipe(request, base.fingerprint)
    else:
        pixels, made_from = _with_one_leaner_retry(cache, start, request, index, watch, note, shown, base)
    if base is not None:
        made_from = base.recipe(made_from)
    watch.check()
    if pixels is None:
        watch.note(f"The model's safety checker blanked the texture with the seed {request.seed}; it is not kept.")
        return False
    problem = ""
    done = _Picture(index, request, pixels, made_from, base, begun)
    before = tuple(notes)
    try:
        _finish_and_publish(cache, start, done, notes, note, watch)
    except UserError as error:
        if not request.finish.does_something:
            raise
        log.warning("picture %d could not be finished", index, exc_info=True)
        problem = f"{error.message} The texture is kept as it was made, neither enlarged nor with maps. {error.hint}"
    if problem:
        # What was sampled for minutes is not lost to a network or a full disk. Here the draft is gone, which may be
        # what filled the disk, and the exception with its tensors. Notes on networks are not true of this texture.
        plain = replace(request, finish=Finish())
        done = replace(done, request=plain, made_from=replace(made_from, request=plain))
        notes[:] = [*before, problem.rstrip()]
        _finish_and_publish(cache, start, done, notes, note, watch)
        watch.note(notes[-1])  # only now is it true
    return True


def _finish_and_publish(
    cache: ModelCache,
    start: Start,
    picture: _Picture,
    notes: list[str],
    note: Callable[[str], None],
    watch: Watcher,
) -> None:
    request, pixels, made_from = picture.request, picture.pixels, picture.made_from
    with results.draft(Path(start.store), request.prompt, request.seed) as draft:
        if request.finish.does_something:
            from . import finish

            task = finish.FinishTask(pixels, request.finish, request.axes, image=picture.index, sheet=request.sheet)
            written = finish.write_files(draft, task, made_from, cache.networks, start.device, watch, note)
            files, made_from, score = written.files, written.recipe, written.seam_score
        else:
            watch.progress(Phase.SAVING, picture.index)
            score, words = seams.judge(pixels, request.axes, made_from.is_exact)
            made_from = made_from.noting(words)
            files = write_color(draft, pixels, pixels, made_from)
        if picture.base is not None:
            files |= picture.base.keep(draft)
        before = made_from.environment.get(results.RECIPE_BEFORE)
        if before is not None and score is not None:
            note(f"Seam score {float(before):.2f} before, {score:.2f} after the repair.")
        result = Result(
            folder=draft.folder,
            files=files,
            recipe=made_from,
            seam_score=score,
            seconds=time.monotonic() - picture.begun,
            notes=tuple(notes),
        )
        watch.publish(picture.index, draft, result)


def _with_one_leaner_retry(
    cache: ModelCache,
    start: Start,
    request: TextureRequest,
    index: int,
    watch: Watcher,
    note: Callable[[str], None],
    shown: Previews | None,
    base: Ground | None,
) -> tuple[NDArray[np.uint8] | None, Recipe]:
    """The picture, None where the model's safety checker blanks it, and its recipe.

    Out of memory, the model is loaded once in a leaner mode, and stays in it.
    """
    for lean in (False, True):
        try:
            loaded = cache.make_leaner() if lean else cache.get(start.request.as_texture(), start.device, start.memory)
            if loaded is None:
                break
            if lean:
                note(f"Out of memory; trying again with less. {loaded.plan.sentence}")
            watch.check()
            pixels = _sample_and_decode(loaded, request, index, Path(start.store), watch, note, shown, base)
            is_blank = loaded.safety is not None and loaded.safety.blanks(pixels)
            return None if is_blank else pixels, Recipe(request, loaded.folder.fingerprint, loaded.environment())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            log.warning("out of memory, lean=%s", lean, exc_info=True)
        # Here the exception is gone, and with it the frames that kept tensors; the name would keep the model.
        loaded = None
    cache.free()
    raise UserError(
        ErrorKind.MEMORY,
        f"Out of memory at {request.picture_size} pixels, even in the leanest mode tried.",
        "Choose a smaller size or a smaller model, or close other programs.",
    )


@torch.inference_mode()
def _sample_and_decode(
    loaded: LoadedModel,
    request: TextureRequest,
    index: int,
    store: Path,
    watch: Watcher,
    note: Callable[[str], None],
    shown: Previews | None,
    base: Ground | None,
) -> NDArray[np.uint8]:
    pipeline, axes = loaded.pipeline, loaded.info.sampled_on(request.axes)
    try:
        networks = diffusers_networks(pipeline)
        parts = _LAYERS if loaded.plan.device.kind is Kind.CPU else _BLOCKS
        with seamless(pipeline, axes), cancellable(networks, parts, watch.check):
            watch.progress(Phase.ENCODING, index)
            embeddings, truncated = embed(loaded, request)
            warning = loaded.info.warning(request.steps, request.scheduler)
            for text in (*truncated, *filter(None, [warning, loaded.plan.device.problem])) if index == 0 else ():
                note(text)

            def encode_for(picture: NDArray[np.uint8]) -> torch.Tensor:
                return encode(loaded, picture, note, store, axes)

            beginning = begin(loaded, request, base, encode_for)
            latents = sample(loaded, request, embeddings, index, watch, shown, beginning)
            watch.progress(Phase.DECODING, index)
            pixels = decode(loaded, latents, note, store, axes)
            fit_pixels(pixels, request.sheet)
            return pixels if base is None else base.blend(pixels)
    finally:
        pipeline.maybe_free_model_hooks()  # also after an exception: parts that were offloaded go back


def sample(
    loaded: LoadedModel,
    request: TextureRequest,
    embeddings: dict[str, Any],
    index: int,
    watch: Watcher,
    shown: Previews | None = None,
    beginning: Beginning = PLAIN,
) -> torch.Tensor:
    """Denoised latents, shape (1, channels, height / f, width / f), as the model scales them."""
    pipeline = loaded.pipeline
    probe = make_late(make_scheduler(loaded, request.scheduler), request)
    try:  # some take few numbers of steps only: LCM at most 50, PNDM as its configuration may want it no less than 8
        probe.set_timesteps(request.steps)
    except ValueError as error:
        raise UserError(
            ErrorKind.REQUEST,
            f"The scheduler of {loaded.info.title} cannot make {request.steps} steps.",
            "Choose another number of steps, or another scheduler.",
        ) from error
    pipeline.scheduler = make_late(make_scheduler(loaded, request.scheduler), request)
    steps = len(probe.timesteps) if is_late(probe) else request.steps
    generator = torch.Generator("cpu").manual_seed(request.seed)
    first: dict[str, Any] = {}
    sampling = None
    if loaded.adapter.takes_templates:  # `begin` has refused whatever others would need it for
        dtype = embeddings["prompt_embeds"].dtype
        noise = first_noise(loaded, request, generator)
        sampling = Sampling(beginning, noise, pipeline.scheduler)
        first["latents"] = sampling.first_latents(probe).to(pipeline._execution_device, dtype)
    watch.progress(Phase.SAMPLING, index, 0, steps)

    def step_ended(_pipeline: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        watch.check()
        done = min(step + 1, steps)
        watch.progress(Phase.SAMPLING, index, done, steps)
        if sampling is not None:
            tensors["latents"] = sampling.put_back(tensors["latents"], step)
        if request.variants > 1:
            fit_latents(tensors["latents"], request, pipeline.scheduler)
        if shown and done < steps:
            shown.offer(loaded, tensors["latents"], request.picture_size, index, done)
        return tensors

    with beside(loaded, beginning), _windows(loaded, request):
        latents: torch.Tensor = pipeline(
            **embeddings,
            **loaded.adapter.arguments(request),
            **first,
            width=request.picture_size.width,
            height=request.picture_size.height,
            num_inference_steps=request.steps,
            generator=generator,
            output_type="latent",
            callback_on_step_end=step_ended,
        ).images
    return loaded.adapter.unpack(pipeline, latents, request.picture_size)


def _windows(loaded: LoadedModel, request: TextureRequest) -> AbstractContextManager[None]:
    """The denoiser in windows of its own size, where a template says what a picture over twice as large shows.

    For a set of tiles in windows of a tile, unless the model was made for tori of any size.
    """
    own = loaded.info.defaults.size
    template, size = request.template, request.picture_size
    if request.variants > 1 and not loaded.info.defaults.periodic:
        own = max(own, request.size.width, request.size.height)
    elif template is None or template.strength == 1 or max(size.width, size.height) <= 2 * own:
        return nullcontext()
    denoiser = loaded.pipeline.components[loaded.info.family.denoiser]
    axes = loaded.info.sampled_on(request.axes)
    return in_windows(denoiser, own // loaded.pipeline.vae_scale_factor, axes, request.seed)


def encode(
    loaded: LoadedModel, picture: NDArray[np.uint8], note: Callable[[str], None], folder: Path, axes: Axes
) -> torch.Tensor:
    """The latents of a picture (H, W, 3), as the denoiser has them: float32, on the processor. Raises as `decode`."""
    vae = ready_vae(loaded)

    def run() -> torch.Tensor:
        return encode_picture(vae, picture, axes, folder, loaded.plan.vae_device, loaded.plan.decoding)

    return loaded.adapter.from_vae(vae.config, _in_either_precision(vae, run, note, "encoder").float().cpu())


def decode(
    loaded: LoadedModel,
    latents: torch.Tensor,
    note: Callable[[str], None],
    folder: Path,
    axes: Axes = Axes.XY,
) -> NDArray[np.uint8]:
    """Pixels of one picture, shape (height, width, 3). folder, axes: for large pictures, see `latents.decode`.

    Not-a-number never becomes a picture: a decode at 16 bits is tried once more in float32, then `UserError` (kind
    `NUMERICS`).
    """
    if not torch.isfinite(latents).all():
        raise _not_finite("The model gave no valid numbers.", "Choose another scheduler or a lower guidance scale.")
    vae = ready_vae(loaded)
    latents = loaded.adapter.to_vae(vae.config, latents.float())

    def run() -> torch.Tensor:
        return decode_latents(vae, latents.to(loaded.plan.vae_device, vae.dtype), axes, folder, loaded.plan.decoding)

    image = _in_either_precision(vae, run, note, "decoder")
    (picture,) = loaded.pipeline.image_processor.postprocess(image.float(), output_type="np")
    return (picture * 255).round().astype(np.uint8)


def _in_either_precision(
    vae: Any, run: Callable[[], torch.Tensor], note: Callable[[str], None], part: str
) -> torch.Tensor:
    """What `run` gives in the autoencoder's usual precision, or else in float32. part: what it is called."""
    usual = vae.dtype
    try:
        for dtype in dict.fromkeys((usual, torch.float32)):  # once where that is the usual one
            vae.to(dtype)
            values = run()
            if torch.isfinite(values).all():
                break
            log.warning("the %s gave numbers that are not finite, in %s", part, dtype)
            if dtype is torch.float32:
                raise _not_finite(f"The {part} gave invalid numbers, even in float32.", "Choose another model.")
            doing = part.replace("er", "ing")
            note(f"The {part} gave invalid numbers; {doing} once more in float32.")
    finally:
        vae.to(usual)
    return values


def _not_finite(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.NUMERICS, message, hint)
