# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks out of files that are not in diffusers' names: read in place, nothing is written. Imports core and torch.

Each weight is read straight to where it stays, in the precision that it is to have: besides the network itself a
buffer of some megabytes is all that it takes. The file is read, not mapped: mapped pages would count as the process's
own, and one that is cut short while it is read would end the process.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from ..core.model_files.header import Tensor

_BUFFER = 16 << 20  # bytes that are read at once
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
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
    expected = {name: tuple(tensor.shape) for name, tensor in empty.state_dict(keep_vars=True).items()}
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
    empty_like = functools.partial(_empty, dtype=dtype, channels_last=channels_last)
    with _one_thread():
        tensors = dict(_read(network, wanted, expected, empty_like))
    empty.load_state_dict(tensors, assign=True)
    for parameter in empty.parameters():
        parameter.requires_grad_(False)
    return empty.eval()


def _build(part: Part) -> Any:
    """A network without weights; small tables that no file holds are computed."""
    cls = _CLASSES[part.cls]()
    with no_init_weights(), init_empty_weights(include_buffers=False):  # random numbers for nothing take their time
        if part.library == "diffusers":
            return cls.from_config(dict(part.config))
        return cls(cls.config_class(**part.config))


def _fits(shape: tuple[int, ...], source: Source, expected: tuple[int, ...]) -> bool:
    """Whether what is stored in this shape can be a weight of that one. A convolution of 1x1 may be a linear layer."""
    if source.transposed:
        return shape == expected[::-1]
    if source.parts > 1:
        return bool(shape) and (shape[0] // source.parts, *shape[1:]) == expected and shape[0] % source.parts == 0
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


def _empty(shape: tuple[int, ...], dtype: torch.dtype, channels_last: bool) -> torch.Tensor:
    layout = torch.channels_last if channels_last and len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, memory_format=layout)


def _read(
    network: InFile,
    wanted: Mapping[str, Source],
    shapes: Mapping[str, tuple[int, ...]],
    empty: Callable[[tuple[int, ...]], torch.Tensor],
) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights, in the order in which they lie in the file."""
    path = network.path
    buffer = torch.empty(_BUFFER, dtype=torch.uint8)
    try:
        with path.open("rb", buffering=0) as file:
            for name, source in sorted(wanted.items(), key=lambda item: network.tensors[item[1].tensor].start):
                target = empty(shapes[name][::-1] if source.transposed else shapes[name])
                _fill(file, target, network.tensors[source.tensor], source, buffer)
                yield name, target.T.contiguous() if source.transposed else target
    except OSError as error:
        raise _refuse(path, f"cannot be read: {error.strerror}") from error
    except EOFError as error:
        raise _refuse(path, "is cut short") from error


def _fill(file: BinaryIO, target: torch.Tensor, stored: Tensor, source: Source, buffer: torch.Tensor) -> None:
    """Read a tensor, or the part of it that is wanted, into another. Raises OSError, EOFError."""
    dtype = _DTYPES[stored.dtype]
    size = (stored.stop - stored.start) // source.parts
    file.seek(stored.start + source.part * size)
    if dtype is target.dtype and target.is_contiguous():
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
        piece.copy_(raw.view(dtype).view(piece.shape))


def _read_into(file: BinaryIO, raw: torch.Tensor) -> None:
    view = memoryview(raw.numpy())
    while view:
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]


def _refuse(path: Path, reason: str) -> UserError:
    return UserError(ErrorKind.MODEL, f"{path} {reason}.", "Download the model again, or choose another one.")
