# SPDX-License-Identifier: GPL-3.0-or-later
"""A denoiser in a file of its own, put together with what it lacks: text encoders, tokenizers, VAE and scheduler.

They come from a model of the same kind: a diffusers folder, in which the denoiser may be left out, or a checkpoint in
one file. Weights that such a folder lacks are taken from files with a text encoder or a VAE alone. Imports core and the
standard library only; reads configurations and headers, never weights.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from .. import families
from ..errors import ErrorKind, UserError
from ..families import bases, original, original_transformers
from ..families.catalogue import ModelInfo
from ..families.original import Part, Source, Unusual
from . import checkpoint, configs, folder, kinds
from .checkpoint import InFile
from .folder import ModelFolder
from .header import read_header

_MOST = 200  # entries of a folder that are looked at
_VARIANTS = ("turbo", "base", "schnell", "dev")  # words by which models of a kind differ in how they are sampled


def verify(info: ModelInfo, said: str = "") -> ModelFolder:
    """Check a model as `folder.verify` does, also a file with the denoiser alone.

    said: where the other parts of such a file are, a folder or a checkpoint; "": what `find` finds beside it.
    Raises `UserError` (kind `MODEL`) that says what is missing, and where it was looked for.
    """
    if not info.alone:
        return folder.verify(info.folder)
    found = Path(said) if said else find(info)
    if found is None:
        raise lacking(info)
    found = configs.root(found)
    if not fits(info, found):
        assert info.base is not None
        raise UserError(
            ErrorKind.MODEL,
            f"{found} is no {info.base.title} model, whose parts {info.folder.name} could take.",
            _hint(info),
        )
    family = info.family
    files = dict(_files_for(info, found))
    model = folder.verify(found, without=family.denoiser, given=files)
    for name, network in files.items():
        model = _with(model, name, network)
    return _with_denoiser(model, info)


def find(info: ModelInfo, more: Iterable[Path] = ()) -> Path | None:
    """Where the parts that a denoiser lacks may come from; None where nothing fits.

    more: models that are known, looked at after what lies in the file's own folder and in the folders beside that. Of
    several, one that says as the file does that it is a turbo, a base and so on.
    """
    own = set(_words(info.folder.stem))
    places = [place for place in dict.fromkeys([*_beside(info.folder), *more]) if fits(info, place)]
    return min(places, key=lambda place: len(own ^ set(_words(_title(place)))), default=None)


def fits(info: ModelInfo, place: Path) -> bool:
    """Whether a folder, or a checkpoint, is a model of the same kind as a file with the denoiser alone."""
    try:
        place = configs.root(place)
        if place.suffix.lower() == checkpoint.SUFFIX and not place.is_dir():
            kind = kinds.look(place)
            whole = kind.role is kinds.Role.CHECKPOINT and info.family.checkpoint is not None
            return whole and kind.base is info.base and place != info.folder
        family = families.by_pipeline(configs.read_config(place, configs.INDEX).get("_class_name"))
        config = configs.read_config(place / info.family.denoiser, "config.json")
    except UserError:
        return False
    return family is info.family and bases.of_config(config) is info.base


def lacking(info: ModelInfo, models: Path | None = None) -> UserError:
    """What to say where nothing was found that a denoiser could be put together with. models: a folder looked into."""
    where = f"beside it, in {info.folder.parent}" + (f", nor in {models}" if models else "")
    needs = f"It also needs {info.base.needs}" if info.base and info.base.needs else "It needs other parts"
    message = f"{info.folder.name} is a denoiser alone. {needs}: none were found {where}."
    return UserError(ErrorKind.MODEL, message, _hint(info))


def _hint(info: ModelInfo) -> str:
    title = info.base.title if info.base else info.title
    return f"Under Parts From, choose a folder of {title} in diffusers format; its denoiser may be left out."


def _beside(file: Path) -> Iterator[Path]:
    """Folders in the file's own, beside it, and in "diffusers" beside it, where others keep such models."""
    for place in (file.parent, file.parent.parent, file.parent.parent / "diffusers"):
        try:
            inside = sorted(place.iterdir())[:_MOST]
        except OSError:
            continue
        for path in inside:
            if (path / configs.INDEX).is_file() or path.name.startswith("models--"):
                yield path


def _title(place: Path) -> str:
    return place.parents[1].name if place.parent.name == "snapshots" else place.name


def _words(name: str) -> list[str]:
    return [word for word in _VARIANTS if word in name.lower()]


def _with_denoiser(model: ModelFolder, info: ModelInfo) -> ModelFolder:
    """A model with the denoiser of a file in its own one's place. Raises `UserError` (kind `MODEL`)."""
    family, path, kind = info.family, info.folder, info.kind
    assert kind is not None
    assert info.base is not None
    component, header = family.components[family.denoiser], read_header(path)
    try:
        part = original_transformers.denoiser(
            header.tensors,
            info.base,
            info.prediction_type,
            component.library,
            component.classes[0],
            model.config(family.denoiser),
        )
    except Unusual as error:
        raise UserError(ErrorKind.MODEL, f"{path.name} cannot be read: {error}.", "Choose another file.") from error
    model = _with(model, family.denoiser, InFile(path, part, header.tensors))
    digest = hashlib.sha256(model.fingerprint.encode() + folder.ends(path))
    scheduler, sampling = "", dict(family.schedule(kind.guided))
    if family.checkpoint is not None and not info.guessed:
        sampling["prediction_type"] = info.prediction_type
    if info.few is not None:
        scheduler, changes = info.few.scheduler
        sampling |= changes
    return replace(
        model,
        fingerprint=digest.hexdigest()[:16],
        sampling=(scheduler, sampling),
        distilled=info.defaults.distilled,
        grid=model.grid
        if family.checkpoint is None
        else family.grid_of({family.denoiser: part.config, "vae": model.config("vae")}),
    )


def _with(model: ModelFolder, name: str, network: InFile) -> ModelFolder:
    """A model with a network of a file."""
    part = network.part
    digest = hashlib.sha256(model.fingerprint.encode() + folder.ends(network.path))
    return replace(
        model,
        # first, so that a file that does not fit says so before gigabytes of others are read
        weights={name: (network.path,)} | {key: files for key, files in model.weights.items() if key != name},
        sizes={**model.sizes, name: network.size},
        parameters={**model.parameters, name: network.parameters},
        variants={**model.variants, name: None},
        classes={**model.classes, name: (part.library, part.cls)},
        in_files={**model.in_files, name: network},
        fingerprint=digest.hexdigest()[:16],
    )


# --- text encoders and VAEs in files of their own, where a folder has their configurations alone

_FOLDERS = ("text_encoders", "clip", "vae", "text_encoder")  # beside the file's own, as ComfyUI names them
_TABLES = ("shared.weight", "token_embedding.weight", "embed_tokens.weight")  # of T5, CLIP, and language models
_KL = ("AutoencoderKL", "AutoencoderKLFlux2")


def _files_for(info: ModelInfo, place: Path) -> Iterator[tuple[str, InFile]]:
    """The networks that a folder has no weights of, and the files that fit its configurations.

    Raises `UserError` (kind `MODEL`) where none does.
    """
    if not place.is_dir():
        return
    index = configs.read_config(place, configs.INDEX)
    for name, part in info.family.components.items():
        if not part.has_weights or name == info.family.denoiser or folder.found_variants(place / name, part):
            continue
        if part.optional and not isinstance((index.get(name) or [None])[0], str):
            continue
        config = configs.read_config(place / name, "config.json")
        cls = next((cls for cls in part.classes if [part.library, cls] == index.get(name)), part.classes[0])
        looked = [place / name, info.folder.parent, *(info.folder.parent.parent / other for other in _FOLDERS)]
        found = [
            network
            for path in _weights_in(looked)
            if path != info.folder and (network := _fitting(path, Part(part.library, cls, config, {}))) is not None
        ]
        if not found:
            where = ", ".join(str(path) for path in looked if path.is_dir())
            raise UserError(
                ErrorKind.MODEL,
                f"{place} has no weights of its {name} ({cls}), and none that fit are in {where}.",
                "Download the model again, or put the file beside the denoiser's.",
            )
        yield name, min(found, key=_narrow)


def _weights_in(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        try:
            yield from sorted(path for path in place.iterdir() if path.suffix.lower() == checkpoint.SUFFIX)[:_MOST]
        except OSError:
            continue


def _narrow(network: InFile) -> bool:
    """Whether its weights have 8 bits: others go before."""
    return any(tensor.dtype.startswith("F8") for tensor in network.tensors.values())


def _fitting(path: Path, part: Part) -> InFile | None:
    """The network that a file holds, where its names and shapes are those of a configuration; else None."""
    try:
        header, kind = read_header(path), kinds.look(path)
    except UserError:
        return None
    tensors = header.tensors
    if part.library == "diffusers":
        if kind.role is not kinds.Role.VAE or part.cls not in _KL:
            return None
        try:
            names = original.autoencoder(tensors, None, "").weights
        except Unusual:
            return None
        same = kind.latents == checkpoint.latent_channels(part.config)
        return InFile(path, replace(part, weights=names), tensors) if same else None
    said = part.config.get("text_config")
    config = said if isinstance(said, dict) else part.config
    width, layers = (config.get(key, config.get(other)) for key, other in _SIZES)
    table = next((t.shape for name, t in tensors.items() if name.endswith(_TABLES) and "visual." not in name), ())
    numbers = [int(m[1]) for name in tensors if (m := _LAYER.search(name)) and "visual." not in name]
    if table != (config.get("vocab_size"), width) or 1 + max(numbers, default=-1) != layers:
        return None
    weights = {name: Source(name) for name in tensors if not name.endswith(original.SCALES)}
    return InFile(path, replace(part, weights=weights), tensors)


_SIZES = (("hidden_size", "d_model"), ("num_hidden_layers", "num_layers"))
_LAYER = re.compile(r"(?:block|layers)\.(\d{1,3})\.")
