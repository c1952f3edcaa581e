# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on pictures that exist, from the file to the result in the store; and textures that are finished on the way."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from spandrel.architectures.ESRGAN import ESRGAN

from addon.core import results, seams
from addon.core.errors import ErrorKind, UserError
from addon.core.protocol import Cancel, Cancelled, Finished, ImageDone, Phase, Progress, Start
from addon.core.recipe import EXACTLY, PERIODIC, PNG_KEY, Recipe, read_png
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.engine import finish as finish_module
from addon.engine import image_networks, pictures
from addon.engine.generate import make_images
from addon.engine.image_networks import NetworkCache
from addon.engine.models import ModelCache
from addon.engine.picture_job import make_result
from tests.engine.picture_networks import compact, save, span, texture, unshuffled
from tests.engine.test_generate import Stop, Watch
from tests.engine.worker_client import Client

ALL = tuple(MapKind)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """An upscaler's file and a folder of map networks."""
    folder = tmp_path_factory.mktemp("networks")
    (folder / "maps").mkdir()
    save(unshuffled(), folder / "maps" / "normal.safetensors")
    save(span(1, 1), folder / "maps" / "height.safetensors")
    return str(save(compact(), folder / "up.safetensors")), str(folder / "maps")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "Old wall.png"
    Image.fromarray(texture(80, 64)).save(path)
    return path


def run(request, tmp_path, watch=None, cache=None):
    watch = watch or Watch()
    cache = NetworkCache() if cache is None else cache  # an empty one is false
    make_result(cache, Start("j", request, str(tmp_path / "store"), device="cpu"), watch)
    return watch


def test_everything_at_once(networks, source, tmp_path):
    up, maps = networks
    before = source.read_bytes()
    request = PictureRequest(str(source), Finish(4, up, ALL, maps), tileable=True)
    watch = run(request, tmp_path)
    (result,) = watch.done
    assert set(result.files) == {"base_color", "thumbnail", *(kind.value for kind in ALL)}
    expected = {"base_color": (3, "uint8"), "height": (1, "uint16"), "normal": (3, "uint16")}
    for kind in ("base_color", *(kind.value for kind in ALL)):
        pixels = pictures.read(result.path(kind))
        channels, dtype = expected.get(kind, (1, "uint8"))
        assert (pixels.shape, pixels.dtype) == ((320, 256, channels), dtype)
        assert read_png(result.path(kind)) == result.recipe
    assert max(Image.open(result.path("thumbnail")).size) <= 256
    assert result.recipe.request == request
    assert "network up.safetensors" in result.recipe.environment
    assert result.seam_score is not None
    assert any("Seam score" in note for note in result.notes)
    assert source.read_bytes() == before
    assert [path.name for path in (tmp_path / "store").iterdir()] == [result.folder.name]
    phases = list(dict.fromkeys(phase for phase, *_ in watch.phases))
    assert phases == sorted(phases, key=lambda phase: phase.order)
    assert results.load(result.folder) == result


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_depth_and_channels_are_those_of_the_source(networks, tmp_path, channels, bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    path = tmp_path / "a.png"
    pictures.write(path, texture(20, 24, channels, dtype=dtype), dtype, {})
    (result,) = run(PictureRequest(str(path), Finish(2, networks[0])), tmp_path).done
    pixels = pictures.read(result.path())
    assert (pixels.shape, pixels.dtype) == ((40, 48, channels), dtype)
    assert result.seam_score is None  # too small to be judged


def test_floats_become_an_exr_with_all_of_their_range(networks, tmp_path):
    array = texture(32, 32, dtype=np.float32) * 8
    np.save(tmp_path / "a.npy", array)
    request = PictureRequest(str(tmp_path / "a.npy"), Finish(2, networks[0], ALL, "filter"), content=Content.LINEAR)
    (result,) = run(request, tmp_path).done
    assert result.path().suffix == ".exr"
    rows = np.frombuffer(result.path().read_bytes()[-64 * (8 + 64 * 12) :], np.uint8).reshape(64, -1)[:, 8:]
    values = np.ascontiguousarray(rows).view("<f4")
    assert values.max() > 4
    assert values.mean() == pytest.approx(array.mean(), rel=0.02)
    assert pictures.read(result.path("normal")).shape == (64, 64, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "wanted", [{"tileable": True}, {"finish": Finish(maps=ALL, map_networks="filter")}], ids=["tileable", "maps"]
)
def test_fault_6_a_float_picture_with_numbers_that_are_not_finite_is_refused(tmp_path, value, wanted):
    array = texture(96, 96, dtype=np.float32)
    array[5, 7, 1] = value
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match="not finite") as caught:
        run(PictureRequest(str(tmp_path / "a.npy"), content=Content.LINEAR, **wanted), tmp_path)
    assert caught.value.kind is ErrorKind.NUMERICS
    assert list((tmp_path / "store").glob("*")) == []


def test_normals_that_are_made_tileable_have_unit_length(tmp_path):
    picture = texture(96, 96)
    picture[..., 2] = 220
    Image.fromarray(picture).save(tmp_path / "a.png")
    (result,) = run(PictureRequest(str(tmp_path / "a.png"), tileable=True, content=Content.NORMAL), tmp_path).done
    normals = pictures.read(result.path()) / 255 * 2 - 1
    assert np.abs(np.sqrt((normals**2).sum(-1)) - 1).max() < 0.02


def test_each_map_that_is_saved_is_a_sign_of_life(source, tmp_path):
    watch = run(PictureRequest(str(source), Finish(maps=ALL, map_networks="filter")), tmp_path)
    saving = [place for place in watch.phases if place[0] is Phase.SAVING]
    assert len(set(saving)) >= len(ALL)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5000, 1), (1, 5000), (16384, 3)])
def test_extreme_shapes_work(tmp_path, width, height):
    path = tmp_path / "a.png"
    Image.fromarray(texture(height, width)).save(path)
    request = PictureRequest(str(path), Finish(1, maps=ALL, map_networks="filter"), tileable=True)
    (result,) = run(request, tmp_path).done
    assert pictures.read(result.path("occlusion")).shape == (height, width, 1)


@pytest.mark.parametrize(
    ("make", "finish", "told"),
    [
        (None, Finish(2), "cannot be read: No such file"),
        ((16384, 2), Finish(2), "32768 pixels long"),
        ((16385, 2), Finish(2), "16385x2"),
        ((8, 8), Finish(2, "/nowhere/up.safetensors"), "no file"),
        ((8, 8), Finish(2, "/nowhere/up.pt"), "can hold code"),
        ((8, 8), Finish(1, maps=ALL, map_networks="/nowhere"), "/nowhere cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(tmp_path, make, finish, told):
    path = tmp_path / "a.png"
    if make:
        Image.new("RGB", make).save(path)
    with pytest.raises(UserError, match=told) as caught:
        run(PictureRequest(str(path), finish), tmp_path)
    assert caught.value.kind in (ErrorKind.REQUEST, ErrorKind.MODEL)
    assert not list(tmp_path.glob("store/*"))


def test_a_picture_too_large_to_be_made_tileable_says_so(source, tmp_path, monkeypatch):
    monkeypatch.setattr(finish_module, "_MAX_TILEABLE", 1000)
    with pytest.raises(UserError, match="80 pixels are too many"):
        run(PictureRequest(str(source), tileable=True), tmp_path)


def test_a_cancel_anywhere_leaves_nothing(networks, source, tmp_path):
    """FAULTS 4: at drawn places among all at which the job looks up."""
    request = PictureRequest(str(source), Finish(2, networks[0], ALL, networks[1]), tileable=True)
    cache = NetworkCache()
    checks = run(request, tmp_path / "whole", cache=cache).checks
    assert checks > 20
    for stop_at in np.linspace(1, checks, 8).astype(int):
        with pytest.raises(Stop):
            run(request, tmp_path, Watch(stop_at=int(stop_at)), cache)
        assert not list((tmp_path / "store").iterdir())


def test_a_full_disk_is_told_and_leaves_nothing(networks, source, tmp_path, monkeypatch):
    """FAULTS 14."""

    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pictures.PngWriter, "write", full)
    with pytest.raises(UserError, match="No space left") as caught:
        run(PictureRequest(str(source), Finish(2, networks[0])), tmp_path)
    assert caught.value.kind is ErrorKind.DISK
    assert str(tmp_path / "store") in caught.value.message
    assert not list((tmp_path / "store").iterdir())


def test_maps_are_made_in_float32_also_where_other_networks_run_in_float16(networks, source, tmp_path, monkeypatch):
    """On a graphics card: half floats hold 11 bits, of a height map's 16."""
    request = PictureRequest(str(source), Finish(maps=(MapKind.HEIGHT,), map_networks=networks[1]))
    (on_processor,) = run(request, tmp_path).done
    monkeypatch.setattr(image_networks, "precision", lambda device: torch.float16)
    (on_card,) = run(request, tmp_path).done
    assert (pictures.read(on_card.path("height")) == pictures.read(on_processor.path("height"))).all()


@pytest.mark.parametrize(
    ("dtype", "content", "expected"),
    [
        (np.uint8, Content.COLOR, None),  # what suits the device
        (np.uint8, Content.NORMAL, torch.float32),
        (np.uint8, Content.DATA, torch.float32),
        (np.uint16, Content.COLOR, torch.float32),
        (np.uint16, Content.DATA, torch.float32),
        (np.float32, Content.LINEAR, torch.float32),
    ],
)
def test_only_colors_of_8_bits_are_upscaled_in_float16(networks, tmp_path, monkeypatch, dtype, content, expected):
    """On a graphics card: in 16-bit heights its 11 bits would be terraces."""
    cache, asked = NetworkCache(), []
    get = cache.get

    def noting(file, device, dtype=None):
        asked.append(dtype)
        return get(file, device, dtype)

    monkeypatch.setattr(cache, "get", noting)
    path = tmp_path / "a.npy"
    np.save(path, texture(16, 16, dtype=dtype))
    (result,) = run(PictureRequest(str(path), Finish(2, networks[0]), content=content), tmp_path, cache=cache).done
    assert asked == [expected]
    assert ", float32, " in result.recipe.environment["network up.safetensors"]


def exact_texture(path, axes=Axes.XY, environment=None):
    """A texture's file, of a chain that is periodic by construction."""
    environment = {PERIODIC: EXACTLY} if environment is None else environment
    made = Recipe(TextureRequest("bricks", size=Size(64, 64), axes=axes), "0123", environment)
    pictures.write(path, texture(64, 64), np.uint8, {PNG_KEY: made.dumps()})
    return str(path)


@pytest.mark.parametrize(
    ("made", "wanted", "exact"),
    [
        (Axes.XY, {}, True),
        (Axes.XY, {"axes": Axes.X}, True),
        (Axes.X, {"axes": Axes.X}, True),
        (Axes.X, {"axes": Axes.XY}, False),
        (Axes.X, {"axes": Axes.Y}, False),
        (Axes.NONE, {"axes": Axes.Y}, False),
        (Axes.XY, {"tileable": True}, False),
    ],
)
def test_an_exact_texture_is_judged_as_one_after_it_is_upscaled(networks, tmp_path, monkeypatch, made, wanted, exact):
    """Where its score fails by chance, the roll test decides, as it did when it was generated."""
    monkeypatch.setattr(seams, "THRESHOLD", -1)  # every score fails
    request = PictureRequest(exact_texture(tmp_path / "a.png", made), Finish(2, networks[0]), **wanted)
    (result,) = run(request, tmp_path).done
    assert result.recipe.is_exact is exact
    assert (results.RECIPE_P in result.recipe.environment) is exact


def test_exactness_is_handed_on_from_result_to_result(networks, tmp_path):
    path = exact_texture(tmp_path / "a.png")
    for _ in range(2):
        (result,) = run(PictureRequest(path, Finish(2, networks[0])), tmp_path).done
        path = str(result.path())
    assert result.recipe.is_exact


@pytest.mark.parametrize("kind", ["no PNG", "no recipe", "broken recipe", "as measured"])
def test_exactness_is_only_believed_of_the_file_itself(networks, tmp_path, kind):
    """Not of what the request says made it: somebody may have painted over it since."""
    path = tmp_path / "a.png"
    exact_texture(path)
    told = read_png(path).as_source()
    if kind == "no PNG":
        path = path.with_suffix(".npy")
        np.save(path, texture(64, 64))
    elif kind == "as measured":
        exact_texture(path, environment={PERIODIC: "as measured"})
    else:
        pictures.write(path, texture(64, 64), np.uint8, {PNG_KEY: "{"} if kind == "broken recipe" else {})
    (result,) = run(PictureRequest(str(path), Finish(2, networks[0]), source_recipe=told), tmp_path).done
    assert not result.recipe.is_exact


def test_an_upscaler_that_is_not_exact_ends_exactness(networks, tmp_path, monkeypatch):
    load = image_networks.load
    inexact = image_networks.Reach(8, exact=False, error=0.01)
    monkeypatch.setattr(image_networks, "load", lambda *arguments: replace(load(*arguments), reach=inexact))
    (result,) = run(PictureRequest(exact_texture(tmp_path / "a.png"), Finish(2, networks[0])), tmp_path).done
    assert not result.recipe.is_exact
    assert "0.01" in result.recipe.environment[PERIODIC]


def test_the_recipe_says_on_what_it_was_made(source, tmp_path):
    (result,) = run(PictureRequest(str(source), Finish(2, "lanczos")), tmp_path).done
    assert result.recipe.environment["device"] == "processor"


@pytest.mark.parametrize("always", [False, True])
def test_invalid_numbers_are_tried_once_more_in_float32(networks, source, tmp_path, monkeypatch, always):
    """FAULTS 6."""
    load = image_networks.load

    def load_broken(file, device, dtype):
        network = load(file, device, dtype)
        if always or dtype is not torch.float32:
            network.module.forward = lambda picture: torch.full_like(picture, torch.nan).repeat(1, 1, 2, 2)
        return network

    monkeypatch.setattr(image_networks, "load", load_broken)
    monkeypatch.setattr(image_networks, "precision", lambda device: torch.bfloat16)
    watch, request = Watch(), PictureRequest(str(source), Finish(2, networks[0]))
    if always:
        with pytest.raises(UserError) as caught:
            run(request, tmp_path, watch)
        assert caught.value.kind is ErrorKind.NUMERICS
    else:
        run(request, tmp_path, watch)
        assert len(watch.done) == 1
    assert any("float32" in note for note in watch.notes)


def test_memory_that_never_suffices_is_told(networks, source, tmp_path, monkeypatch):
    """FAULTS 5."""

    def exhausted(*_arguments, **_named):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(image_networks._Clamped, "forward", exhausted)
    monkeypatch.setattr(image_networks, "load", lambda file, device, dtype: _unmeasured(file))
    with pytest.raises(UserError) as caught:
        run(PictureRequest(str(source), Finish(2, networks[0])), tmp_path)
    assert caught.value.kind is ErrorKind.MEMORY


def _unmeasured(file):
    descriptor = image_networks.spandrel.ModelLoader(device="cpu").load_from_file(file)
    module, reach = image_networks._Clamped(descriptor), image_networks.Reach(4, exact=True)
    return image_networks.ImageNetwork(Path(file), "Compact", module, 2, (3, 3), 1, reach, "cpu", torch.float32, 400.0)


def test_a_generated_texture_is_finished_on_the_way(networks, sd_folder, tmp_path):
    request = TextureRequest(
        "bricks",
        size=Size(64, 64),
        steps=2,
        seed=3,
        model=str(sd_folder),
        finish=Finish(2, networks[0], ALL, networks[1]),
    )
    watch = Watch()
    make_images(ModelCache(), Start("j", request, str(tmp_path / "store"), device="cpu"), watch)
    (result,) = watch.done
    assert Image.open(result.path()).size == (128, 128)
    assert {kind.value for kind in ALL} < set(result.files)
    assert result.recipe.request == request
    assert {"network up.safetensors", "diffusers"} <= set(result.recipe.environment)
    phases = list(dict.fromkeys(phase for phase, *_ in watch.phases))
    assert phases[-3:] == [Phase.UPSCALING, Phase.MAPPING, Phase.SAVING]


def _generate(sd_folder, tmp_path, finish, watch, **changes):
    request = TextureRequest("bricks", size=Size(64, 64), steps=2, seed=3, model=str(sd_folder), finish=finish)
    request = replace(request, **changes)
    make_images(ModelCache(), Start("j", request, str(tmp_path / "store"), device="cpu"), watch)
    return request


@pytest.mark.parametrize("wrong", ["scale", "channels", "weights", "maps"])
def test_networks_that_cannot_be_used_are_told_before_a_picture_is_made(sd_folder, tmp_path, wrong):
    made = {
        "scale": lambda: span(3),
        "channels": lambda: ESRGAN(in_nc=3, out_nc=1, num_filters=8, num_blocks=1, scale=2),
        "weights": lambda: torch.nn.Linear(3, 3),
        "maps": lambda: compact(2),
    }
    file = save(made[wrong](), tmp_path / "height.safetensors")
    finish = Finish(maps=(MapKind.HEIGHT,), map_networks=str(tmp_path)) if wrong == "maps" else Finish(2, str(file))
    watch = Watch()
    with pytest.raises(UserError, match=r"height\.safetensors|This network enlarges 3 times") as caught:
        _generate(sd_folder, tmp_path, finish, watch)
    assert caught.value.kind is ErrorKind.MODEL
    assert {phase for phase, *_ in watch.phases} == {Phase.LOADING}
    assert not list((tmp_path / "store").iterdir())


@pytest.mark.parametrize("kind", [ErrorKind.MEMORY, ErrorKind.DISK, ErrorKind.NUMERICS])
def test_a_texture_that_cannot_be_finished_is_kept_as_it_was_made(networks, sd_folder, tmp_path, monkeypatch, kind):
    """FAULTS 5, 6, 14: minutes of sampling are not lost to what comes after them."""
    plain = Watch()
    request = _generate(sd_folder, tmp_path / "plain", Finish(), plain, count=2)

    def fail(*_arguments, **_named):
        if kind is ErrorKind.MEMORY:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        if kind is ErrorKind.DISK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise finish_module.NotFinite

    monkeypatch.setattr(finish_module, "make_maps", fail)
    watch = Watch()
    _generate(sd_folder, tmp_path, Finish(2, networks[0], ALL, networks[1]), watch, count=2)
    for index, (result, same) in enumerate(zip(watch.done, plain.done, strict=True)):
        assert result.path().read_bytes() == same.path().read_bytes()
        assert result.recipe == same.recipe
        assert result.recipe.request == request.single(index)
        (note,) = result.notes
        assert "kept as it was made" in note
        assert note in watch.notes
        assert results.load(result.folder) == result
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == sorted(r.folder.name for r in watch.done)


def test_a_texture_that_a_full_disk_cannot_publish_whole_is_kept_as_it_was_made(
    networks, sd_folder, tmp_path, monkeypatch
):
    sync = results.sync

    def full(path):
        if path.name == "height.png":
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        sync(path)

    monkeypatch.setattr(results, "sync", full)
    watch = Watch()
    _generate(sd_folder, tmp_path, Finish(maps=ALL, map_networks=networks[1]), watch)
    (result,) = watch.done
    assert set(result.files) == {"base_color", "thumbnail"}
    assert "kept as it was made" in result.notes[-1]


def test_a_texture_that_cannot_be_written_at_all_is_an_error(networks, sd_folder, tmp_path, monkeypatch):
    def full(_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(results, "sync", full)
    watch = Watch()
    with pytest.raises(UserError, match="No space left") as caught:
        _generate(sd_folder, tmp_path, Finish(2, networks[0]), watch)
    assert caught.value.kind is ErrorKind.DISK
    assert not any("kept" in note for note in watch.notes)
    assert not list((tmp_path / "store").iterdir())


def test_a_cancel_while_a_texture_is_finished_leaves_nothing(networks, sd_folder, tmp_path, monkeypatch):
    def stop(*_arguments, **_named):
        raise Stop

    monkeypatch.setattr(finish_module, "make_maps", stop)
    with pytest.raises(Stop):
        _generate(sd_folder, tmp_path, Finish(maps=ALL, map_networks="filter"), Watch())
    assert not list((tmp_path / "store").iterdir())


def test_the_worker_does_it_and_hears_a_cancel_within_a_second(networks, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(texture(512, 512)).save(path)
    client = Client(tmp_path / "store")
    try:
        client.greet()
        small = PictureRequest(str(path), Finish(2, "lanczos"), axes=Axes.X)
        client.start("a", small, device="cpu")
        assert isinstance(client.ended("a", 180), Finished)
        assert sum(isinstance(message, ImageDone) for message in client.of("a")) == 1
        client.start("b", PictureRequest(str(path), Finish(8, networks[0])), device="cpu")
        client.wait(Progress, 180, job="b", phase=Phase.UPSCALING)
        begun = time.monotonic()
        client.send(Cancel("b"))
        client.wait(Cancelled, job="b")
        assert time.monotonic() - begun < 1
        # the thread hears of it too: the next job is done soon, and of the cancelled one nothing is left
        client.start("c", small, device="cpu")
        assert isinstance(client.ended("c", 180), Finished)
        assert len(client.stored()) == 2
    finally:
        client.close()
