# SPDX-License-Identifier: GPL-3.0-or-later
"""From a prompt to what the denoiser reads, and what the text encoder cut off. Imports core and engine."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ..core.errors import ErrorKind, UserError
from ..core.requests.texture import TextureRequest
from .models import LoadedModel

_SHOWN = 120  # characters of what was cut off
# CLIP's and BERT's own limits are 77 and 512; a tokenizer without one says 1e30
_LARGEST_LIMIT = 4096


def embed(loaded: LoadedModel, request: TextureRequest) -> tuple[dict[str, Any], list[str]]:
    """The pipeline's arguments for the request's prompts, and sentences about what the text encoder does not read.

    Kept for the next pictures with the same prompts. Up to a guidance scale of 1 there is no unconditional half.
    """
    pipeline, adapter = loaded.pipeline, loaded.adapter
    guided = request.guidance_scale > 1 and adapter.weighs(pipeline)
    negative = request.negative_prompt if guided else ""
    parts = pipeline.components
    readers = [(parts[tokenizer], parts[encoder]) for tokenizer, encoder in adapter.text_encoders if parts[encoder]]
    for tokenizer, encoder in readers:
        limit = getattr(encoder.config, "max_position_embeddings", None)
        if tokenizer.model_max_length > _LARGEST_LIMIT and limit is not None:
            tokenizer.model_max_length = limit
    first = readers[0][0]
    notes = [
        f"The model reads only the start of the {name}; it does not see: {cut!r}."
        for name, text in (("prompt", request.prompt), ("negative prompt", negative))
        if (cut := _cut_off(first, text, adapter.reads))
    ]
    if request.negative_prompt.strip() and not adapter.weighs(pipeline):
        notes.append("This model doesn't read negative prompts.")
    elif request.negative_prompt.strip() and not guided:
        notes.append("The negative prompt is only read with a guidance scale above 1.")
    if _is_foreign(first, request.prompt):
        notes.append("The model can't read all of the prompt. Use English words.")
    key = (request.prompt, negative, guided, request.extras)  # LoRAs change text encoders too
    if key not in loaded.embeddings:
        chosen = clip_skip(loaded, request)
        with _under_its_old_name(parts[adapter.text_encoders[0][1]]) if chosen else nullcontext():
            loaded.remember(key, adapter.embed(pipeline, request.prompt, negative, guided, **chosen))
    return loaded.embeddings[key], notes


def clip_skip(loaded: LoadedModel, request: TextureRequest) -> dict[str, int]:
    """The argument that has the pipeline read another layer of its text encoder. Raises `UserError` where it has none.

    The pipelines count layers that are skipped beyond their own way; people count from the end, see `Extras`.
    """
    wanted, own = request.extras.clip_skip, loaded.adapter.last_layer
    if not wanted:
        return {}
    encoder = loaded.pipeline.components[loaded.adapter.text_encoders[0][1]]
    layers = encoder.config.num_hidden_layers
    if not own or wanted > layers:
        reason = f"its text encoder has {layers} layers" if own else "it reads its text encoder in one way only"
        raise UserError(
            ErrorKind.REQUEST,
            f"{loaded.info.title} can't be used with a clip skip of {wanted}: {reason}.",
            "Set it to 0.",
        )
    return {"clip_skip": wanted - own}


@contextmanager
def _under_its_old_name(encoder: Any) -> Iterator[None]:
    """CLIP's text encoder with itself as its `text_model`, where diffusers (0.42) looks for its last norm.

    transformers 5 has no such part any more, and a clip skip raises AttributeError.
    """
    missing = not hasattr(encoder, "text_model")
    if missing:
        vars(encoder)["text_model"] = encoder  # not as a part: it would be found once more within itself
    try:
        yield
    finally:
        if missing:
            del vars(encoder)["text_model"]


def _cut_off(tokenizer: Any, text: str, most: int | None) -> str:
    """The end of a text that does not fit the text encoder, "" where all of it does; shortened for reading.

    most: tokens that the pipeline hands to it.
    """
    limit = min(tokenizer.model_max_length, most or tokenizer.model_max_length)
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    room = limit - tokenizer.num_special_tokens_to_add()
    if len(ids) <= room:
        return ""
    cut = tokenizer.decode(ids[room:]).strip()
    return cut if len(cut) <= _SHOWN else cut[:_SHOWN].rsplit(" ", 1)[0] + " ..."


def _is_foreign(tokenizer: Any, text: str) -> bool:
    """Whether there are characters that no token stands for. Byte-level tokenizers, such as CLIP's, read everything."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown == tokenizer.eos_token_id:
        return False
    return unknown in tokenizer(text, add_special_tokens=False, verbose=False).input_ids
