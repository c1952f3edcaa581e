# SPDX-License-Identifier: GPL-3.0-or-later
"""From an image in the .blend to a file that the worker reads, and back to an image. Imports bpy and core.

Most images are files already, and are named. What is packed is written out as it is; what exists in Blender only
(generated, painted on, float) is written as its pixels, which takes a moment for large ones.
"""

import os
import re
import struct
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import bpy
from mathutils import Matrix

from ...core.errors import ErrorKind, UserError
from ...core.requests.picture import Content
from ...core.results import Result, disk_errors
from ..common.languages import rpt_
from ..common.targets import Look

# What the worker reads as it is, since it finds in it what Blender shows. Others (EXR, HDR, Cineon ...) go through
# Blender; TIFF too, which has more kinds of alpha, depth and pages than any two programs agree about.
_READ_BY_WORKER = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tga"}
# as Blender calls it since 4.0, and before; as the ACES studio configurations do
_LINEAR_REC709 = ["Linear Rec.709", "Linear", "Linear Rec.709 (sRGB)", "Utility - Linear - sRGB", "lin_rec709"]
_STARTS = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"\x76\x2f\x31\x01": ".exr",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"BM": ".bmp",
    b"#?RADIANCE": ".hdr",
    b"DDS ": ".dds",
}
_STRIP = 1 << 20  # pixels that are converted at once
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_NO_PICTURES = {"MOVIE": "a movie", "SEQUENCE": "a sequence", "TILED": "a set of UDIM tiles", "VIEWER": "a viewer"}


def problem(image: bpy.types.Image | None) -> UserError | None:
    """Why nothing can be made of an image, for greyed buttons. Touches no file."""
    if image is None:
        return _refusal("There is no image.", "Open one in the Image Editor, or put one into the active material.")
    if image.source in _NO_PICTURES:
        words = rpt_("{name} is {kind}, not one picture.")
        kind = rpt_(_NO_PICTURES[image.source])
        return _refusal(words.format(name=image.name, kind=kind), "Choose another image.")
    if image.source == "FILE" and not image.packed_file and not image.filepath:
        return _refusal(rpt_("{name} has no file.").format(name=image.name), "Choose another image.")
    return None


def new_folder() -> Path:
    """For `prepare`; it goes with this Blender at the latest. Raises `UserError` (kind `DISK`)."""
    place = Path(bpy.app.tempdir)
    with disk_errors(place):
        return Path(tempfile.mkdtemp(prefix="picture-", dir=place))


def prepare(image: bpy.types.Image, folder: Path) -> tuple[Path, Content]:
    """The file to read, and what its numbers mean. What has to be written goes into `folder`.

    The image is not changed. Raises `UserError` where its file is missing, it has no pixels, or they cannot be written
    (kind `DISK` or `MEMORY`); what is written in part is left.
    """
    if error := problem(image):
        raise error
    path = _path(image)
    if image.source == "FILE" and not image.packed_file and not os.path.isfile(path):  # unlike Path's it never raises
        words = rpt_("The file of {name} is missing: {path}.")
        raise _refusal(words.format(name=image.name, path=path), "Find it with File, External Data.")
    if not _is_read_as_it_is(image) or image.packed_file:
        with _writing_errors(image, folder):
            path = _write(image, folder)
    if image.colorspace_settings.is_data:
        return path, Content.DATA
    # Blender's float pixels are linear, whatever the file held
    return path, Content.LINEAR if path.suffix == ".npy" else Content.COLOR


def look(image: bpy.types.Image) -> Look:
    """How Blender is to read a result whose pixels are made from those that `prepare` names."""
    # what is premultiplied is written out, divided, see `_is_read_as_it_is`
    divided = image.alpha_mode == "PREMUL"
    return Look(image.colorspace_settings.name, "STRAIGHT" if divided else image.alpha_mode)


@contextmanager
def _writing_errors(image: bpy.types.Image, folder: Path) -> Iterator[None]:
    try:
        with disk_errors(folder):
            yield
    except RuntimeError as error:  # Blender's own, in several lines that name another file
        raise UserError(
            ErrorKind.DISK,
            rpt_("Cannot write the pixels of {name} to {folder}.").format(name=image.name, folder=folder),
            "Free some space there, or choose another folder in the preferences.",
        ) from error
    except MemoryError as error:
        raise UserError(
            ErrorKind.MEMORY,
            rpt_("Not enough memory for the pixels of {name}.").format(name=image.name),
            "Choose a smaller image, or close other programs.",
        ) from error


def _write(image: bpy.types.Image, folder: Path) -> Path:
    """Write its pixels, or the file that is packed in it. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (re.sub(r"\W+", "-", image.name).strip("-") or "image")
    if _is_read_as_it_is(image):
        target = target.with_suffix(_suffix(image))
        target.write_bytes(image.packed_file.data)
    elif _suffix(image) == ".exr" and not all(image.size):
        with _combined(image, target.with_suffix(".exr")) as combined:
            target = target.with_suffix(".npy")
            _write_array(combined, target)
    elif image.is_float:
        target = target.with_suffix(".npy")
        _write_array(image, target)
    else:
        target = target.with_suffix(".png")
        _write_png(image, target)
    return target


def _path(image: bpy.types.Image) -> Path:
    return Path(bpy.path.abspath(image.filepath, library=image.library))


def _is_read_as_it_is(image: bpy.types.Image) -> bool:
    """Whether the worker reads the image's own file."""
    if image.source != "FILE" or image.is_dirty or _suffix(image) not in _READ_BY_WORKER:
        return False
    # The worker takes 8-bit colors as not premultiplied. Blender divides them by alpha, so its own pixels never are.
    return image.alpha_mode != "PREMUL"


def _suffix(image: bpy.types.Image) -> str:
    """What its file is by its first bytes, or else by its name: Blender packs painted floats as EXR named .png."""
    head = b""
    if image.packed_file:
        head = image.packed_file.data[:12]
    else:
        with suppress(OSError), _path(image).open("rb") as file:
            head = file.read(12)
    found = next((suffix for start, suffix in _STARTS.items() if head.startswith(start)), "")
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        found = ".webp"
    return found or _path(image).suffix.lower()


def has_layers(image: bpy.types.Image) -> bool:
    """Whether it is an EXR of several layers or passes, once `prepare` has read it: its result is of the first."""
    return image.type == "MULTILAYER"


@contextmanager
def _combined(image: bpy.types.Image, path: Path) -> Iterator[bpy.types.Image]:
    """An image of what an EXR of several layers shows first, the Combined pass of its first layer; it goes again.

    Such an image has neither size nor pixels in Python, but what Blender writes of it as a render has them (4.2 to
    5.2, every compression), in linear colors and without the scene's view. Writes `path`, of floats.
    """
    scene = bpy.data.scenes.new("Tilewright")
    try:
        settings: Any = scene.render.image_settings
        if hasattr(settings, "media_type"):  # from 5.0 on
            settings.media_type = "IMAGE"
        settings.file_format, settings.color_mode = "OPEN_EXR", "RGBA"
        settings.color_depth, settings.exr_codec = "32", "NONE"
        try:
            image.save_render(str(path), scene=scene)
        except RuntimeError:
            if not image.has_data:  # a broken file
                _refuse_without_pixels(image)
            raise
    finally:
        bpy.data.scenes.remove(scene)
    combined = bpy.data.images.load(str(path), check_existing=False)
    try:
        combined.colorspace_settings.is_data = image.colorspace_settings.is_data
        if not any(_pixels_of(combined)):  # 5.0 writes zeros where the file is its own, which has a part for each pass
            words = rpt_("Blender {version} cannot read the Combined of {name}.")
            raise _refusal(
                words.format(version=bpy.app.version_string, name=image.name),
                "Use Blender 4.5 or 5.2, or save it as a plain OpenEXR.",
            )
        yield combined
    finally:
        bpy.data.images.remove(combined)


def _write_png(image: bpy.types.Image, path: Path) -> None:
    """The 8-bit pixels as they are seen, painted ones too.

    A twin is written. The format would have to be set, and that of some files cannot be set back: of a DDS it reads "",
    and Blender's own Save wrote PNG bytes into it from then on.
    """
    _refuse_without_pixels(image)
    twin = _twin(image)
    try:
        twin.file_format = "PNG"
        twin.save(filepath=str(path))
    finally:
        bpy.data.images.remove(twin)
    _refuse_half(path)


def _twin(image: bpy.types.Image) -> bpy.types.Image:
    if not image.is_dirty and not image.library:
        twin = image.copy()  # which reads the same file
        if tuple(twin.size) == tuple(image.size):
            return twin
        bpy.data.images.remove(twin)
    twin = bpy.data.images.new(image.name, *image.size, alpha=image.depth == 32)
    try:
        twin.colorspace_settings.is_data = image.colorspace_settings.is_data
        pixels = array("f", [0.0]) * (4 * image.size[0] * image.size[1])  # an 8-bit image has four channels
        _pixels(image).foreach_get(pixels)
        _pixels(twin).foreach_set(pixels)
    except BaseException:  # such as a lack of memory
        bpy.data.images.remove(twin)
        raise
    return twin


def _pixels(image: bpy.types.Image) -> Any:
    return image.pixels  # the types say it is a number


def _refuse_half(path: Path) -> None:
    """Raise RuntimeError where a PNG has no end: of a full disk Blender (4.5) says nothing."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(_PNG_END), 0))
        if file.read() != _PNG_END:
            raise RuntimeError(f"{path} is not whole")


def _write_array(image: bpy.types.Image, path: Path) -> None:
    """A .npy file of float32, (height, width, channels) from the top; by hand, since some Blenders have no numpy."""
    _refuse_without_pixels(image)
    width, height = image.size
    shape = (height, width, image.channels)
    row = 4 * width * image.channels  # bytes
    pixels = array("f", [0.0]) * (row * height // 4)  # not of bytes, which would be there a second time
    _pixels(image).foreach_get(pixels)
    matrix = None if image.colorspace_settings.is_data else _to_rec709()
    if matrix and image.channels >= 3:
        _multiply(pixels, image.channels, matrix)
    if sys.byteorder == "big":
        pixels.byteswap()
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}"
    header += " " * (-(len(header) + 11) % 64) + "\n"  # the data begins at a multiple of 64 (numpy.lib.format)
    values = memoryview(pixels).cast("B")
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("ascii"))
        for y in reversed(range(height)):  # Blender counts from the bottom
            file.write(values[y * row : (y + 1) * row])


def read_array(path: Path) -> bpy.types.Image:
    """A new float image of a file that `_write_array` wrote. Raises `UserError` where it is none."""
    try:
        data = path.read_bytes()
        length = struct.unpack("<H", data[8:10])[0]
        height, width, channels = map(
            int, re.findall(r"[0-9]+", data[10 : 10 + length].decode("ascii").split("shape")[1])
        )
        pixels = array("f", data[10 + length :])
        if len(pixels) != width * height * channels or not 1 <= channels <= 4:
            raise ValueError("other numbers than its header names")
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise _refusal(rpt_("Cannot read the picture {path}.").format(path=path), "Choose another one.") from error
    if sys.byteorder == "big":
        pixels.byteswap()
    matrix = _to_rec709()
    if matrix and channels >= 3:
        _multiply(pixels, channels, matrix.inverted_safe())
    whole = array("f", [1.0]) * (4 * width * height)  # a new image has four channels
    for channel in range(4 if channels in (2, 4) else 3):
        plane = min(channel, channels - 1) if channels > 2 else channel // 3
        whole[channel::4] = pixels[plane::channels]
    image = bpy.data.images.new(path.stem, width, height, alpha=channels in (2, 4), float_buffer=True)
    row = 4 * width
    turned = array("f")
    for y in reversed(range(height)):
        turned.extend(whole[y * row : (y + 1) * row])
    _pixels(image).foreach_set(turned)
    return image


def working_space() -> str:
    """The color space that float pixels are in. From 5.0 on the user may choose it, for each file.

    Before, nothing names it: a new image is in the color management's default for floats, which may be another one
    (seen in 4.2 and 4.5 with a configuration of one's own). So it is the first space that changes no color.
    """
    chosen = getattr(bpy.data, "colorspace", None)
    if chosen is not None and chosen.working_space:
        return str(chosen.working_space)
    with _probe() as probe:
        new, before = probe.colorspace_settings.name, _pixels_of(probe)
        spaces: Any = probe.colorspace_settings.bl_rna.properties["name"]
        for name in (new, *spaces.enum_items.keys()):
            probe.colorspace_settings.name = name
            if not probe.colorspace_settings.is_data and _pixels_of(probe) == before:
                return str(name)
        return str(new)


def _to_rec709() -> Matrix | None:
    """What takes colors of the working space to linear Rec.709, None where it is that, or there is no such space.

    Blender is asked by itself, so this holds for every color management that has the space under a name we know.
    """
    with _probe() as probe:
        if not set_color_space(probe, *_LINEAR_REC709) or probe.colorspace_settings.name == working_space():
            return None
        pixels = _pixels_of(probe)
    columns = Matrix([pixels[start : start + 3] for start in (0, 4, 8)])
    return columns.transposed().inverted_safe().to_4x4()


@contextmanager
def _probe() -> Iterator[bpy.types.Image]:
    """A float image of a red, a green and a blue pixel of the working space, which goes again."""
    probe = bpy.data.images.new("Tilewright", 3, 1, float_buffer=True)
    try:
        _pixels(probe).foreach_set((1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0))
        probe.pack()  # what is not packed is lost when its color space is set
        yield probe
    finally:
        bpy.data.images.remove(probe)


def _pixels_of(image: bpy.types.Image) -> "array[float]":
    pixels = array("f", [0.0]) * len(_pixels(image))
    _pixels(image).foreach_get(pixels)
    return pixels


def _multiply(pixels: "array[float]", channels: int, matrix: Matrix) -> None:
    """Multiply the first three of each pixel's channels by a matrix.

    By Blender, as the vertices of a mesh: without numpy Python itself would take a minute for 4096x4096.
    """
    mesh = bpy.data.meshes.new("Tilewright")
    try:
        for start in range(0, len(pixels), channels * _STRIP):
            strip = pixels[start : start + channels * _STRIP]
            count = len(strip) // channels
            if len(mesh.vertices) != count:
                mesh.clear_geometry()
                mesh.vertices.add(count)
            points = array("f", bytes(12 * count))
            for channel in range(3):
                points[channel::3] = strip[channel::channels]
            place = _positions(mesh)  # 400 times as quick as `vertices` (4.5, 5.2)
            place.foreach_set("vector", points)
            mesh.transform(matrix)
            place = _positions(mesh)
            place.foreach_get("vector", points)
            for channel in range(3):
                strip[channel::channels] = points[channel::3]
            pixels[start : start + len(strip)] = strip
    finally:
        bpy.data.meshes.remove(mesh)


def _positions(mesh: bpy.types.Mesh) -> Any:
    return cast(Any, mesh.attributes["position"]).data


def _refuse_without_pixels(image: bpy.types.Image) -> None:
    if not image.has_data and not all(image.size):
        raise _refusal(rpt_("{name} has no pixels.").format(name=image.name), "Choose another image.")


def settle(image: bpy.types.Image, result: Result, source: Look | None = None) -> None:
    """Give the image of a picture's result the color space that its numbers are in, and the meaning of its alpha.

    source: the look of what it was made from, where that is known.
    """
    request = result.recipe.request
    is_exr = result.path().suffix == ".exr"
    if request.holds_data:
        _make_data(image)
    elif is_exr:
        # where there is no such space, the colors were left in the working space, see `_to_rec709`
        set_color_space(image, *_LINEAR_REC709, working_space())
    elif source:
        set_color_space(image, source.color_space)
    if source and not is_exr:
        image.alpha_mode = cast(Any, source.alpha_mode)


def _make_data(image: bpy.types.Image) -> None:
    """Non-Color, whatever this color management calls it."""
    if not image.colorspace_settings.is_data:
        image.colorspace_settings.is_data = True
        if image.has_data and not image.is_dirty:
            image.buffers_free()  # before 5.0 they stay as they were read, unlike where the space's name is set


def set_color_space(image: bpy.types.Image, *names: str) -> bool:
    """Set the first of these that this color management has; where it has none, the image's stays. True if it has."""
    space: Any = image.colorspace_settings
    for name in names:
        if space.name == name:
            return True
        with suppress(TypeError):
            space.name = name
            return True
    return False


def _refusal(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
