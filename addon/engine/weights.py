# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks out of files, also such as are not in diffusers' names: read in place. Imports core, torch, diffusers.

Each weight is read straight to where it stays, in the precision that it is to have: besides the network itself a
buffer of some megabytes is all that it takes. The file is read, not mapped: mapped pages would count as the process's
own, and one that is cut short while it is read would end the process.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from transformers.initialization import no_init_weights

from ..core.errors import ErrorKind, UserError
from ..core.families.original import Part, Source
from ..core.model_files.checkpoint import InFile
from ..core.model_files.header import Tensor, read_header

_BUFFER = 16 << 20  # bytes that are read at once
_LINE = 64  # bytes; what torch aligns its own tensors to
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
_SCALES = ("scale_weight", "weight_scale")  # beside a weight, of 8 bits: what it is to be multiplied by
_COUNTERS = "num_batches_tracked"
# Looked up when one is wanted: each takes its time to import.
_CLASSES: dict[str, Callable[[], Any]] = {
    "UNet2DConditionModel": lambda: diffusers.UNet2DConditionModel,
    "AutoencoderKL": lambda: diffusers.AutoencoderKL,
    "AutoencoderTiny": lambda: diffusers.AutoencoderTiny,
    "CLIPTextModel": lambda: transformers.CLIPTextModel,
    "CLIPTextModelWithProjection": lambda: transformers.CLIPTextModelWithProjection,
}


def load(network: InFile, dtype: torch.dtype, channels_last: bool = False) -> Any:
    """A network with all its weights from a file, in that precision.

    channels_last: lay out convolutions' weights so at once; to change that later takes memory that is not given back.
    Raises `UserError` (kind `MODEL`) that names what is missing, or has another shape.
    """
    empty = _build(network.part)
    expected = {name: shape for name, shape in _shapes(empty).items() if not name.endswith(_COUNTERS)}
    weights = network.part.weights
    missing = sorted(name for name in expected if name not in weights)
    if missing:
        more = f" and {len(missing) - 1} more weights" if len(missing) > 1 else ""
        raise _refuse(network.path, f"lacks {missing[0]}{more}")
    wanted = {name: weights[name] for name in expected}
    for name, source in wanted.items():
        found = network.tensors[source.tensor]
        if not _fits(found.shape, source, expected[name]):
            raise _refuse(network.path, f"has another shape of {source.tensor} than {network.part.cls} expects")
        if found.dtype not in _DTYPES:
            raise _refuse(network.path, f"holds whole numbers as {source.tensor}")
        _check_scale(network, source)
    return _filled(empty, network, wanted, dtype, channels_last)


def load_by_library(network: InFile, dtype: torch.dtype) -> tuple[Any, dict[str, Any]]:
    """A text encoder of transformers from a file, and what the library says of its weights; scales are multiplied out.

    transformers knows the names that a file may have, and what is tied; it is handed the weights and copies none.
    Raises `UserError` (kind `MODEL`), and whatever the library does.
    """
    part = network.part
    cls = getattr(transformers, part.cls)  # on the list of safe classes
    shapes = {name: network.tensors[source.tensor].shape for name, source in part.weights.items()}
    floats = {name: source for name, source in part.weights.items() if network.tensors[source.tensor].dtype in _DTYPES}
    for source in floats.values():
        _check_scale(network, source)
    with _one_thread():
        read = _read(network, floats, shapes, lambda shape, _stored: _empty(shape, dtype, False, 0))
        tensors = dict(read)
    config = cls.config_class.from_dict(dict(part.config))
    made, report = cls.from_pretrained(
        None,
        config=config,
        state_dict=tensors,
        torch_dtype=dtype,
        output_loading_info=True,
        use_safetensors=True,
        local_files_only=True,
    )
    return made, report


def try_load(
    files: Sequence[Path], library: str, cls: str, config: Mapping[str, Any], dtype: torch.dtype, channels_last: bool
) -> Any | None:
    """A network in diffusers' layout, read as `load` does; None where it is not one of those that are read so.

    Then, and where a weight is missing, has another shape, another name or a scale, the libraries' own loading has the
    word: it knows old names, and says what is wrong. It takes 1.3 times the memory of the weights in float32 and 1.7
    times in bfloat16 (diffusers 0.42, transformers 5.23), where this takes 1.02 and 1.04.
    """
    if cls not in _CLASSES:
        return None
    tensors: dict[str, Tensor] = {}
    others: dict[str, Path] = {}
    for file in files:
        header = read_header(file)
        tensors |= header.tensors
        others |= dict.fromkeys(header.tensors, file)
    empty = _build(Part(library, cls, config, {}))
    expected = _shapes(empty)
    wanted = {}
    for name, shape in expected.items():
        # transformers left "text_model." out from 5.6 on; in files it is there or not
        known = (name, f"text_model.{name}", name.removeprefix("text_model."))
        found = next((candidate for candidate in known if candidate in tensors), None)
        if found is None or tensors[found].shape != shape or tensors[found].dtype not in _DTYPES:
            return None
        wanted[name] = Source(found)
    network = InFile(files[0], Part(library, cls, config, wanted), tensors, others)
    for source in wanted.values():
        _check_scale(network, source)
    return _filled(empty, network, wanted, dtype, channels_last, as_mapped=True)


def read_one(path: Path, stored: Tensor) -> torch.Tensor:
    """A tensor of a file in float32, without the scale that it may have. Raises `UserError` (kind `MODEL`)."""
    try:
        with path.open("rb") as file:
            file.seek(stored.start)
            data = bytearray(file.read(stored.stop - stored.start))
    except OSError as error:
        raise _refuse(path, f"cannot be read: {error.strerror}") from error
    return torch.frombuffer(data, dtype=_DTYPES[stored.dtype]).view(stored.shape).float()


def _scale_of(tensors: Mapping[str, Tensor], tensor: str) -> str:
    """The name of the tensor with a weight's scale, "" where it has none."""
    start = tensor.removesuffix("weight")
    return next((start + end for end in _SCALES if start != tensor and start + end in tensors), "")


def _check_scale(network: InFile, source: Source) -> None:
    """Raise `UserError` where a weight has a scale of a kind that is not read: one for each of its small blocks."""
    name = _scale_of(network.tensors, source.tensor)
    if not name:
        return
    stored, scale = network.tensors[source.tensor], network.tensors[name]
    rows = stored.shape[0] if stored.shape else 1
    if scale.dtype not in ("F32", "F16", "BF16") or scale.shape not in ((), (1,), (1, 1), (rows,), (rows, 1)):
        raise _refuse(network.path, f"holds {source.tensor} in 8 or 4 bits of a kind that is not read here")


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict(keep_vars=True).items()}


def _filled(
    empty: Any,
    network: InFile,
    wanted: Mapping[str, Source],
    dtype: torch.dtype,
    channels_last: bool,
    as_mapped: bool = False,
) -> Any:
    """The network with its weights, which are there and of the right shapes.

    as_mapped: what needs no conversion lies as far from a multiple of 64 bytes as it does in the file. There the
    libraries leave it, who map files; and matrix products round by that (6e-7 off, torch 2.14 on a processor). So a
    picture without tiling stays bit for bit that of plain diffusers.
    """

    def empty_like(shape: tuple[int, ...], stored: Tensor) -> torch.Tensor:
        mapped = as_mapped and _DTYPES[stored.dtype] is dtype
        return _empty(shape, dtype, channels_last, stored.start % _LINE if mapped else 0)

    with _one_thread():
        tensors = dict(_read(network, wanted, _shapes(empty), empty_like))
    empty.load_state_dict(tensors | _counters(empty, tensors), assign=True)
    for parameter in empty.parameters():
        parameter.requires_grad_(False)
    return empty.eval()


def _counters(network: Any, there: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a network counted in its training, and never reads."""
    names = (name for name in network.state_dict() if name.endswith(_COUNTERS) and name not in there)
    return {name: torch.zeros((), dtype=torch.long) for name in names}


def build(library: str, cls: str, config: Mapping[str, Any]) -> Any:
    """A network without weights. library, cls: on the list of safe classes."""
    return _build(Part(library, cls, config, {}))


def _build(part: Part) -> Any:
    """A network without weights; small tables that no file holds are computed."""
    library = {"diffusers": diffusers, "transformers": transformers}[part.library]
    cls = _CLASSES[part.cls]() if part.cls in _CLASSES else getattr(library, part.cls)  # on the list of safe classes
    with no_init_weights(), init_empty_weights(include_buffers=False):  # random numbers for nothing take their time
        if part.library == "diffusers":
            return cls.from_config(dict(part.config))
        return cls(cls.config_class.from_dict(dict(part.config)))


def _fits(shape: tuple[int, ...], source: Source, expected: tuple[int, ...]) -> bool:
    """Whether what is stored in this shape can be a weight of that one. A convolution of 1x1 may be a linear layer."""
    if source.transposed:
        return shape == expected[::-1]
    if source.parts > 1:
        rows = shape[0] // source.parts * source.count if shape else 0
        return bool(shape) and (rows, *shape[1:]) == expected and shape[0] % source.parts == 0
    return shape == expected or (shape[: len(expected)] == expected and set(shape[len(expected) :]) <= {1})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Memory is the limit, not the processor; and where others are busy, a second thread is waited for at each piece.

    Widening 2 GB on two cores took 15 s beside twelve other programs, and 6 s with one thread.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _empty(shape: tuple[int, ...], dtype: torch.dtype, channels_last: bool, offset: int) -> torch.Tensor:
    """offset: bytes after a multiple of 64 at which it begins, where it is not turned."""
    # of 1x1 both layouts are the same numbers, and `Module.to` leaves them alone: other strides, other rounding
    if channels_last and len(shape) == 4 and shape[2:] != (1, 1):
        return torch.empty(shape, dtype=dtype, memory_format=torch.channels_last)
    if not offset or offset % dtype.itemsize:
        return torch.empty(shape, dtype=dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = torch.empty(size + _LINE, dtype=torch.uint8)
    start = (offset - raw.data_ptr()) % _LINE
    return raw[start : start + size].view(dtype).view(shape)


def _read(
    network: InFile,
    wanted: Mapping[str, Source],
    shapes: Mapping[str, tuple[int, ...]],
    empty: Callable[[tuple[int, ...], Tensor], torch.Tensor],
) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights, in the order in which they lie in the file."""
    buffer = torch.empty(_BUFFER, dtype=torch.uint8)
    for path in sorted({network.file_of(source.tensor) for source in wanted.values()}):
        inside = [(name, source) for name, source in wanted.items() if network.file_of(source.tensor) == path]
        inside.sort(key=lambda item: network.tensors[item[1].tensor].start)
        try:
            with path.open("rb", buffering=0) as file:
                for name, source in inside:
                    stored = network.tensors[source.tensor]
                    target = empty(shapes[name][::-1] if source.transposed else shapes[name], stored)
                    scale = _read_scale(file, network.tensors, source)
                    if source.swapped:
                        half = len(target) // 2
                        _fill(file, target[:half], stored, replace(source, part=1, parts=2), buffer, scale)
                        _fill(file, target[half:], stored, replace(source, part=0, parts=2), buffer, scale)
                    else:
                        _fill(file, target, stored, source, buffer, scale)
                    yield name, target.T.contiguous() if source.transposed else target
        except OSError as error:
            raise _refuse(path, f"cannot be read: {error.strerror}") from error
        except EOFError as error:
            raise _refuse(path, "is cut short") from error


def _read_scale(file: BinaryIO, tensors: Mapping[str, Tensor], source: Source) -> torch.Tensor | None:
    """A weight's scale: one number, or one for each row; None where it has none. Raises OSError, EOFError."""
    name = _scale_of(tensors, source.tensor)
    if not name:
        return None
    stored = tensors[name]
    raw = torch.empty(stored.stop - stored.start, dtype=torch.uint8)
    file.seek(stored.start)
    _read_into(file, raw)
    return raw.view(_DTYPES[stored.dtype]).float().flatten()


def _fill(
    file: BinaryIO,
    target: torch.Tensor,
    stored: Tensor,
    source: Source,
    buffer: torch.Tensor,
    scale: torch.Tensor | None,
) -> None:
    """Read a tensor, or the part of it that is wanted, into another. Raises OSError, EOFError.

    scale: see `_read_scale`. What is stored is multiplied by it in float32, and rounded once.
    """
    dtype = _DTYPES[stored.dtype]
    size = (stored.stop - stored.start) // source.parts
    file.seek(stored.start + source.part * size)
    if scale is not None and scale.numel() > 1:
        scale = scale[source.part * (scale.numel() // source.parts) :]
    if scale is None and dtype is target.dtype and target.is_contiguous():
        _read_into(file, target.view(-1).view(torch.uint8))
        return
    rows = target if target.ndim else target.view(1)
    row = rows[0].numel() * dtype.itemsize
    step = max(buffer.numel() // row, 1)
    if row > buffer.numel():
        buffer = torch.empty(row, dtype=torch.uint8)
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        raw = buffer[: len(piece) * row]
        _read_into(file, raw)
        values = raw.view(dtype).view(piece.shape)
        if scale is not None:
            factor = scale if scale.numel() == 1 else scale[start : start + len(piece)]
            values = values.float() * factor.view(-1, *[1] * (piece.ndim - 1))
        piece.copy_(values)


def _read_into(file: BinaryIO, raw: torch.Tensor) -> None:
    view = memoryview(raw.numpy())
    while view:
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]


def _refuse(path: Path, reason: str) -> UserError:
    return UserError(ErrorKind.MODEL, f"{path} {reason}.", "Download the model again, or choose another one.")
