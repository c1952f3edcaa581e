# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to pictures in the store. Imports core, engine, torch and numpy.

Each picture is its own denoiser batch with its own generator on the processor, so that a recipe gives the same pixels
whatever else its job makes.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from diffusers.models.resnet import ResnetBlock2D
from numpy.typing import NDArray
from torch import nn

from ..core import image_networks, results, seams
from ..core.errors import ErrorKind, UserError, bad_request
from ..core.families import catalogue
from ..core.protocol import Phase, Start
from ..core.recipe import Recipe
from ..core.requests.detail import Detail
from ..core.requests.finish import Finish
from ..core.requests.texture import MAX_SIDE, Axes, TextureRequest
from ..core.results import Draft, Result
from . import loras, turns
from .attention import by_queries
from .beginning import PLAIN, Beginning, Sampling, begin, beside, first_noise, is_late, make_late
from .canvas import AT_ONCE
from .devices import Kind, is_out_of_memory
from .files import Files, write_color
from .fitting import check as check_set
from .fitting import fit_latents, fit_pixels
from .guide_pictures import GuidePictures, guide_pictures
from .guides import NOTHING, Guide, guided
from .guides import ready as ready_guides
from .latents import decode as decode_latents
from .latents import encode as encode_picture
from .loras import adapted
from .models import LoadedModel, ModelCache, diffusers_networks, make_scheduler, ready_vae
from .previews import Previews, previews
from .rolling import rolling
from .seamless import seamless
from .strength import asked_of
from .template import Ground, ground
from .transition import between
from .two_prompts import by_two_prompts
from .watcher import Watcher, cancellable
from .windows import Looking, in_windows

log = logging.getLogger(__name__)

_NEARLY = "This model's textures repeat nearly, not exactly: its positions are learned. The seam score tells how well."
_NARROW = "The model's weights have 8 bits, about 1 % off: the same seed gives a slightly different picture."

# Before which of them it is looked whether the job is to end. On a processor every block has some, and a hook costs
# microseconds of the milliseconds that each takes. A graphics card is handed its work long before it does it, and waits
# for Python where a hook is on every layer (a large model on an H100: 10 % of a step): there once a block. Transformers
# name their own blocks (`cancellable`); one of their linear layers can take a processor seconds.
_LAYERS = (nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.Linear)
_BLOCKS = (ResnetBlock2D, BasicTransformerBlock, AutoencoderTinyBlock)


def make_images(cache: ModelCache, start: Start, watch: Watcher) -> None:
    """Make every picture of a job.

    Raises `UserError`, or what `watch` raises; pictures that were published before stay. The model stays in the cache.
    """
    request, store = start.request.as_texture(), Path(start.store)
    check_set(request)
    _check_detail(request)
    asked, request = request.extras, loras.check(request)
    start = replace(start, request=request)
    with results.draft(store, request.prompt, request.seed):
        pass  # an unwritable store is reported before the work, not after it; so are networks' files
    if request.finish.upscale > 1:
        image_networks.upscaler_file(request.finish.upscaler)
    if request.finish.maps or request.finish.delight:
        image_networks.map_networks(request.finish.map_networks)
    watch.progress(Phase.LOADING)
    for sentence in loras.changed(asked, request.extras):
        watch.note(sentence)
    if request.finish.does_something:
        # Imported late: spandrel takes two seconds, which most jobs need not wait for.
        from . import finish

        finish.check_networks(request.finish, cache.networks, start.device, watch)

    def height_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        from . import finish

        return finish.height(pixels, request.finish, request.axes, cache.networks, start, watch)

    with (
        guide_pictures(request, store, watch.check) as guides,
        ground(request, store, watch.check, watch.note, height_of)
        if request.transition is None
        else between(request, store, watch.check, watch.note) as base,
        previews(store, start.previews, watch.preview) as shown,
        _Desk() as desk,
    ):
        made = [_make_image(cache, start, index, watch, shown, base, guides, desk) for index in range(request.count)]
        desk.wait()
    if not any(made):
        raise UserError(
            ErrorKind.REQUEST,
            "The model's safety checker blanked all there was to see; no texture was made.",
            "Change the prompt or the seed.",
        )


def _check_detail(request: TextureRequest) -> None:
    """Raise `UserError` where a picture cannot be sampled at another size than its own."""
    if request.detail is Detail.MEDIUM:
        return
    if request.template or request.guides or request.variants > 1 or request.transition:
        raise bad_request(
            "Another detail size needs a picture of one tile, without template and guides.",
            "Set the detail size to medium.",
        )
    info = catalogue.resolve(request.model)
    if not info.defaults.periodic:
        raise bad_request(
            f"{info.title} makes good pictures at its own size only, and so has no other detail size.",
            "Set the detail size to medium, and say in the prompt how large the pieces are.",
        )


class _Desk:
    """Where a picture is judged and written while the next one is sampled: one at a time, in a thread.

    A context manager, whose end waits for the last. What a picture raises there is raised where the next one is put
    down, or by `wait`.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "publishing")
        self._last: Future[None] | None = None

    def __enter__(self) -> "_Desk":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        if self._last is not None and (error := self._last.exception()):
            log.warning("the picture before was not written: %s", error)  # another error has come first

    def put(self, work: Callable[[], None]) -> None:
        self.wait()
        self._last = self._thread.submit(work)

    def wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()


@dataclass(frozen=True)
class _Picture:
    """A picture that was sampled and is in no file yet. base: what it was made on. guides: what guided it.

    begun: by `time.monotonic`.
    """

    index: int
    request: TextureRequest
    pixels: NDArray[np.uint8]
    made_from: Recipe
    base: Ground | None
    guides: GuidePictures | None
    begun: float


def _make_image(
    cache: ModelCache,
    start: Start,
    index: int,
    watch: Watcher,
    shown: Previews | None,
    base: Ground | None,
    guides: GuidePictures | None,
    desk: _Desk,
) -> bool:
    """Whether there is one: not where the model's safety checker blanks it, which is said.

    It is in the store at the end, or on the desk where another follows.
    """
    begun = time.monotonic()
    request = start.request.as_texture().single(index)
    if base is not None:
        request = base.of(request)
    if guides is not None:
        request = guides.of(request)
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        watch.note(text)

    pixels: NDArray[np.uint8] | None
    if base is not None and base.is_whole:
        pixels, made_from = base.pixels, Recipe(request, base.fingerprint)
    else:
        pixels, made_from = _with_one_leaner_retry(cache, start, request, index, watch, note, shown, base, guides)
        if guides is not None:
            made_from = guides.recipe(made_from)
    if base is not None:
        made_from = base.recipe(made_from)
    if pixels is not None and request.detail is not Detail.MEDIUM:
        pixels, made_from = _at_its_size(pixels, made_from, index, cache, start, watch)
    watch.check()
    if pixels is None:
        watch.note(f"The model's safety checker blanked the texture with the seed {request.seed}; it is not kept.")
        return False
    problem = ""
    done = _Picture(index, request, pixels, made_from, base, guides, begun)
    if not request.finish.does_something and index + 1 < start.request.count:
        desk.put(lambda: _publish(start, done, notes, note, watch))
        return True
    desk.wait()  # pictures come in their order
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


def _at_its_size(
    pixels: NDArray[np.uint8], made_from: Recipe, index: int, cache: ModelCache, start: Start, watch: Watcher
) -> tuple[NDArray[np.uint8], Recipe]:
    """What was sampled for another detail size, shrunk or enlarged."""
    from . import finish

    if made_from.request.as_texture().detail is Detail.FINE:
        return finish.at_half(pixels), made_from
    pixels, used = finish.at_double(pixels, index, cache.networks, start, watch)
    return pixels, made_from.noting(used)


def _finish_and_publish(
    cache: ModelCache,
    start: Start,
    picture: _Picture,
    notes: list[str],
    note: Callable[[str], None],
    watch: Watcher,
) -> None:
    request, made_from = picture.request, picture.made_from
    if not request.finish.does_something:
        watch.progress(Phase.SAVING, picture.index)
        _publish(start, picture, notes, note, watch)
        return
    from . import finish

    with results.draft(Path(start.store), request.prompt, request.seed) as draft:
        task = finish.FinishTask(
            picture.pixels,
            request.finish,
            request.axes,
            image=picture.index,
            sheet=request.sheet,
            ground=picture.base,
        )
        written = finish.write_files(draft, task, made_from, cache.networks, start.device, watch, note)
        _publish_draft(draft, picture, written, notes, note, watch)


def _publish(start: Start, picture: _Picture, notes: list[str], note: Callable[[str], None], watch: Watcher) -> None:
    """A picture as it was sampled. Also in a thread of its own: tells of no progress, which is the next one's then."""
    request = picture.request
    with results.draft(Path(start.store), request.prompt, request.seed) as draft:
        score, words = seams.judge(picture.pixels, request.axes, picture.made_from.is_exact)
        made_from = picture.made_from.noting(words)
        files = write_color(draft, picture.pixels, picture.pixels, made_from)
        _publish_draft(draft, picture, Files(files, made_from, score), notes, note, watch)


def _publish_draft(
    draft: Draft, picture: _Picture, written: Files, notes: list[str], note: Callable[[str], None], watch: Watcher
) -> None:
    files, made_from, score = written.files, written.recipe, written.seam_score
    if picture.base is not None:
        files |= picture.base.keep(draft)
    if picture.guides is not None:
        files |= picture.guides.keep(draft)
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
    guides: GuidePictures | None,
) -> tuple[NDArray[np.uint8] | None, Recipe]:
    """The picture, None where the model's safety checker blanks it, and its recipe.

    Out of memory, the model is loaded once in a leaner mode, and stays in it.
    """
    tell = note if index == 0 else _silent
    for lean in (False, True):
        try:
            asked = start.request.as_texture()
            loaded = cache.make_leaner() if lean else cache.get(asked, start.device, start.memory, tell)
            if loaded is None:
                break
            if lean:
                note(f"Out of memory; trying again with less. {loaded.plan.sentence}")
            watch.check()
            pixels = _sample_and_decode(loaded, request, index, Path(start.store), watch, note, shown, base, guides)
            is_blank = loaded.safety is not None and loaded.safety.blanks(pixels)
            words = loaded.environment() | loras.environment(loaded, request.extras)
            return None if is_blank else pixels, Recipe(request, loaded.folder.fingerprint, words)
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
    guides: GuidePictures | None,
) -> NDArray[np.uint8]:
    pipeline, axes = loaded.pipeline, loaded.info.sampled_on(request.axes)
    try:
        parts = _LAYERS if loaded.plan.device.kind is Kind.CPU else _BLOCKS
        tell = note if index == 0 else _silent
        watch.progress(Phase.ENCODING, index)
        before = _read(loaded, request, tell) if loaded.plan.in_turns else None
        with (
            by_queries(loaded.plan.scores),
            adapted(loaded, request.extras.loras, tell),
            ready_guides(loaded, guides) as guide,
            seamless([*diffusers_networks(pipeline), *guide.networks], axes),
            cancellable([*diffusers_networks(pipeline), *guide.networks], parts, watch.check),
        ):
            embeddings, truncated, second = before or _read(loaded, request, tell)
            warning = loaded.info.with_extras(request.extras).warning(request.steps, request.scheduler)
            nearly = "" if loaded.info.exact or axes is Axes.NONE else _NEARLY
            narrow = _NARROW if loaded.plan.eight_bits else ""
            told = (*truncated, *filter(None, [warning, nearly, narrow, loaded.plan.device.problem]))
            for text in told if index == 0 else ():
                note(text)

            def encode_for(picture: NDArray[np.uint8]) -> torch.Tensor:
                return encode(loaded, picture, note, store, axes)

            beginning = begin(loaded, request, base, encode_for)
            latents = sample(loaded, request, embeddings, index, watch, shown, beginning, guide, second)
            watch.progress(Phase.DECODING, index)
            pixels = decode(loaded, latents, note, store, axes)
            if base is not None:
                pixels = base.blend(pixels)
            if request.is_fitted:
                fit_pixels(pixels, request.sheet)
            return pixels
    finally:
        pipeline.maybe_free_model_hooks()  # also after an exception: parts that were offloaded go back


def _read(
    loaded: LoadedModel, request: TextureRequest, tell: Callable[[str], None]
) -> tuple[dict[str, Any], list[str], dict[str, Any] | None]:
    """As `turns.read`, and the embeddings of what a transition leads to; None where that is the same."""
    words = request.transition.prompt.strip() if request.transition else ""
    embeddings, truncated = turns.read(loaded, request, tell, more=bool(words))
    second = turns.read(loaded, replace(request, prompt=words), _silent)[0] if words else None
    return embeddings, truncated, second


def _silent(_text: str) -> None:
    """For what was said of the first picture."""


def sample(
    loaded: LoadedModel,
    request: TextureRequest,
    embeddings: dict[str, Any],
    index: int,
    watch: Watcher,
    shown: Previews | None = None,
    beginning: Beginning = PLAIN,
    guide: Guide = NOTHING,
    second: dict[str, Any] | None = None,
) -> torch.Tensor:
    """Denoised latents, shape (1, channels, height / f, width / f), as the model scales them.

    second: the embeddings of another prompt, where the beginning says.
    """
    pipeline, adapter = loaded.pipeline, loaded.adapter
    info = loaded.info.with_extras(request.extras)
    few = info.few if info is not loaded.info else None

    def scheduler() -> Any:
        return make_late(make_scheduler(loaded, request.scheduler, request.sigmas, few), request)

    probe = scheduler()
    sampling: Sampling | None = None
    steps = request.steps

    def step_ended(_pipeline: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        watch.check()
        done = min(step + 1, steps)
        watch.progress(Phase.SAMPLING, index, done, steps)
        if sampling is not None:
            tensors["latents"] = sampling.put_back(tensors["latents"], step)
        if request.is_fitted:
            fit_latents(tensors["latents"], request, pipeline.scheduler)
        if shown and done < steps:
            shown.offer(loaded, tensors["latents"], request.picture_size, index, done)
        return tensors

    def run(latents: torch.Tensor | None, generator: torch.Generator) -> Any:
        first = {}
        if latents is not None:
            dtype = torch.float32 if adapter.in_float32 else pipeline.components[loaded.info.family.denoiser].dtype
            first["latents"] = adapter.first(pipeline, latents).to(pipeline._execution_device, dtype)
        return pipeline(
            **embeddings,
            **adapter.arguments(pipeline, request),
            **adapter.after_step(step_ended),
            **first,
            **guide.arguments(loaded, request),
            width=request.picture_size.width,
            height=request.picture_size.height,
            num_inference_steps=request.steps,
            generator=generator,
            output_type="latent",
        ).images

    generator = torch.Generator("cpu").manual_seed(request.seed)
    noise = None
    if adapter.takes_templates:  # `begin` has refused whatever others would need it for
        noise = first_noise(loaded, request, generator)
    with (
        beside(loaded, beginning),
        guided(loaded, guide) as look,
        _windows(loaded, request, look.at),
        _rolling(loaded, request),
        by_two_prompts(loaded, second, beginning.share),
    ):
        pipeline.scheduler = probe
        asked = asked_of(probe, lambda: run(noise, torch.Generator("cpu").manual_seed(0)))
        try:  # some take few numbers of steps only: LCM at most 50, PNDM as its configuration may want it at least 8
            probe.set_timesteps(**asked)
            if not torch.isfinite(probe.timesteps).all():  # diffusers' shift to a last noise level divides by no steps
                raise ValueError("a schedule that is not finite")
        except ValueError as error:
            raise UserError(
                ErrorKind.REQUEST,
                f"The scheduler of {loaded.info.title} cannot make {request.steps} steps.",
                "Choose another number of steps, or another scheduler.",
            ) from error
        pipeline.scheduler = scheduler()
        steps = len(probe.timesteps) if is_late(probe) else request.steps
        watch.progress(Phase.SAMPLING, index, 0, steps)
        if noise is not None:
            sampling = Sampling(beginning, noise, loaded, request.picture_size)
            noise = sampling.first_latents(probe)
        latents: torch.Tensor = run(noise, generator)
    return adapter.unpack(pipeline, latents, request.picture_size)


def _rolling(loaded: LoadedModel, request: TextureRequest) -> AbstractContextManager[None]:
    if not loaded.adapter.rolls:
        return nullcontext()
    denoiser = loaded.pipeline.components[loaded.info.family.denoiser]
    return rolling(denoiser, loaded.info.sampled_on(request.axes), request.seed)


def _windows(loaded: LoadedModel, request: TextureRequest, looking: Looking) -> AbstractContextManager[None]:
    """The denoiser in windows of its own size, where a template says what a picture over twice as large shows.

    For several tiles in windows of one, unless the model was made for tori of any size; then too where the sheet is
    larger than any plain picture may be, for the memory's sake.
    """
    own = loaded.info.defaults.size
    template, size = request.template, request.picture_size
    is_large = max(size.width, size.height) > MAX_SIDE
    if request.sheet.count > 1 and (is_large or not loaded.info.defaults.periodic):
        own = max(own, request.size.width, request.size.height)
    elif template is None or template.strength == 1 or max(size.width, size.height) <= 2 * own:
        return nullcontext()
    denoiser = loaded.pipeline.components[loaded.info.family.denoiser]
    if not isinstance(denoiser, UNet2DConditionModel):
        return nullcontext()  # others count the places of what they see, and a window's are not the picture's
    axes = loaded.info.sampled_on(request.axes)
    return in_windows(denoiser, own // loaded.pipeline.vae_scale_factor, axes, request.seed, looking)


def encode(
    loaded: LoadedModel, picture: NDArray[np.uint8], note: Callable[[str], None], folder: Path, axes: Axes
) -> torch.Tensor:
    """The latents of a picture (H, W, 3), as the denoiser has them: float32, on the processor. Raises as `decode`."""
    vae = ready_vae(loaded)

    def run() -> torch.Tensor:
        return encode_picture(vae, picture, axes, folder, loaded.plan.vae_device, loaded.plan.decoding)

    return loaded.adapter.from_vae(vae, _in_either_precision(vae, run, note, "encoder").float().cpu())


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
    latents = loaded.adapter.to_vae(vae, latents.float())

    def run() -> torch.Tensor:
        return decode_latents(vae, latents.to(loaded.plan.vae_device, vae.dtype), axes, folder, loaded.plan.decoding)

    image = _in_either_precision(vae, run, note, "decoder")
    pixels = np.empty((*image.shape[-2:], 3), np.uint8)
    for top in range(0, len(pixels), AT_ONCE):  # a sheet of tiles would be three times more in memory
        strip = image[..., top : top + AT_ONCE, :].float()
        (picture,) = loaded.pipeline.image_processor.postprocess(strip, output_type="np")
        pixels[top : top + AT_ONCE] = (picture * 255).round()
    return pixels


def _in_either_precision(
    vae: Any, run: Callable[[], torch.Tensor], note: Callable[[str], None], part: str
) -> torch.Tensor:
    """What `run` gives in the autoencoder's usual precision, or else in float32. part: what it is called."""
    usual = now = vae.dtype
    try:
        for dtype in dict.fromkeys((usual, torch.float32)):  # once where that is the usual one
            if dtype is not now:  # diffusers walks through all its modules, also where nothing is to be done
                now = dtype
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
        if now is not usual:
            vae.to(usual)
    return values


def _not_finite(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.NUMERICS, message, hint)
