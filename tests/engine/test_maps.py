# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from color: periodic, the same in tiles, of the right shape and meaning, with networks and without."""

import numpy as np
import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.image_networks import HEIGHT_DEPTH, map_networks
from addon.core.pbr import angles, normals_of_height
from addon.core.requests.finish import STARTER_NETWORKS, MapKind
from addon.core.requests.picture import Content
from addon.core.requests.texture import Axes
from addon.engine import image_networks
from addon.engine import maps as maps_module
from addon.engine.canvas import canvases
from addon.engine.maps import base_scale, check_network, make_maps
from addon.engine.resampling import lanczos_taps, resample
from addon.engine.tiles import TileLimits
from tests.engine.picture_networks import compact, save, span, texture, unshuffled

ALL = tuple(MapKind)
FREE = 8 << 30


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """As in a user's folder: a network a map, of three architectures."""
    folder = tmp_path_factory.mktemp("networks")
    files = {
        "1x Height": (span(1, 1), (MapKind.HEIGHT,)),
        "1x Normal": (unshuffled(), (MapKind.NORMAL,)),
        "1x Roughness": (compact(1), (MapKind.ROUGHNESS,)),
    }
    made = {}
    for name, (network, makes) in files.items():
        made |= check_network(image_networks.load(save(network, folder / f"{name}.safetensors")), makes)
    return made


def make(color, sources, tmp_path, kinds=ALL, axes=Axes.XY, content=Content.COLOR, tile=None, invert=False):
    limits = TileLimits({"cpu": tile} if tile else {})
    with canvases(tmp_path) as easel:
        made = make_maps(color, kinds, sources, axes, content, easel, limits, FREE, invert=invert)
        return {kind: np.array(value.array) for kind, value in made.items()}


@pytest.mark.parametrize("color", [(0, 0, 0), (0.5, 0.5, 0.5), (0.9, 0.9, 0.9), (0.8, 0.5, 0.35), (0.2, 0.4, 0.8)])
def test_a_plain_picture_is_flat_and_no_metal(color, tmp_path):
    """By the networks in the package."""
    sources = {}
    for network in map_networks(STARTER_NETWORKS):
        sources |= check_network(image_networks.load(network.file), network.makes)
    made = make(np.full((64, 64, 3), color, np.float32), sources, tmp_path)
    assert angles(made[MapKind.NORMAL], np.array([0.5, 0.5, 1.0])).max() < 1
    assert made[MapKind.HEIGHT].std() < 0.002
    assert made[MapKind.METALLIC].max() < 0.5
    assert made[MapKind.OCCLUSION].min() > 0.99


@pytest.mark.parametrize("way", ["networks", "filters"])
def test_every_map_is_periodic_where_the_color_is(way, networks, tmp_path):
    sources, color = networks if way == "networks" else {}, texture(64, 48)
    plain = make(color, sources, tmp_path)
    rolled = make(np.roll(color, (12, 20), (0, 1)), sources, tmp_path)  # the unshuffling network's grid is 4
    assert set(plain) == set(ALL)
    for kind, value in plain.items():
        assert value.shape == (64, 48, 3 if kind is MapKind.NORMAL else 1)
        assert 0 <= value.min() <= value.max() <= 1
        assert np.abs(np.roll(value, (12, 20), (0, 1)) - rolled[kind]).max() <= 1e-5


def test_maps_do_not_depend_on_the_tile(networks, tmp_path):
    color = texture(60, 52)
    one, other = make(color, networks, tmp_path, tile=16), make(color, networks, tmp_path)
    for kind in ALL:
        assert np.abs(one[kind] - other[kind]).max() <= 1e-5


def test_normals_have_unit_length(networks, tmp_path):
    for sources in (networks, {}):
        normal = make(texture(48, 48), sources, tmp_path)[MapKind.NORMAL] * 2 - 1
        assert np.abs(np.linalg.norm(normal, axis=-1) - 1).max() < 1e-5


def test_without_a_network_the_normal_is_the_heights(tmp_path):
    made = make(texture(64, 64), {}, tmp_path)
    expected = normals_of_height(made[MapKind.HEIGHT][..., 0], HEIGHT_DEPTH)
    assert angles(made[MapKind.NORMAL], expected).max() < 0.01


@pytest.mark.parametrize("way", ["networks", "filters"])
def test_an_inverted_relief_is_high_where_it_was_deep(way, networks, tmp_path):
    """Height and normals stand for the same ground as before, seen from below; what is no relief stays as it is."""
    sources, color = networks if way == "networks" else {}, texture(64, 48)
    plain, inverted = (make(color, sources, tmp_path, invert=invert) for invert in (False, True))
    assert np.abs(inverted[MapKind.HEIGHT] - (1 - plain[MapKind.HEIGHT])).max() < 1e-6
    for channel, sign in enumerate((-1, -1, 1)):
        one, other = (made[MapKind.NORMAL][..., channel] * 2 - 1 for made in (plain, inverted))
        assert np.abs(other - sign * one).max() < 1e-4
    for kind in (MapKind.ROUGHNESS, MapKind.METALLIC):
        assert np.array_equal(inverted[kind], plain[kind])


def test_where_the_relief_is_inverted_hills_are_occluded_no_more(tmp_path):
    color = np.full((96, 96, 3), 30, np.uint8)
    color[40:48] = 200
    plain, inverted = (
        make(color, {}, tmp_path, (MapKind.OCCLUSION,), invert=invert)[MapKind.OCCLUSION][44, 50, 0]
        for invert in (False, True)
    )
    assert plain > 0.99
    assert inverted < 0.65


def test_metal_is_decided_and_keeps_its_side():
    values = np.linspace(0, 1, 101, dtype=np.float32)
    sharp = maps_module.decided(values)
    assert ((sharp > 0.5) == (values > 0.5)).all()
    assert sharp[33] < 0.05
    assert sharp[67] > 0.95
    assert (np.diff(sharp) >= 0).all()


def test_hollows_are_occluded_and_plains_are_not(tmp_path):
    color = np.full((96, 96, 3), 200, np.uint8)
    color[40:48] = 30
    occlusion = make(color, {}, tmp_path, (MapKind.OCCLUSION,))[MapKind.OCCLUSION][..., 0]
    assert occlusion[44, 50] < 0.65
    assert occlusion[0].min() > 0.99


@pytest.mark.parametrize("side", [96, 1100])
def test_grain_is_no_hollow(tmp_path, side):
    """Single dark pixels, as grains and noise are, make no black specks: they are less dark than a groove as deep."""
    color = np.full((side, side, 3), 200, np.uint8)
    color[42:46] = color[70:80:5, ::24] = 150
    occlusion = make(color, {}, tmp_path, (MapKind.OCCLUSION,))[MapKind.OCCLUSION][..., 0]
    assert occlusion[70:80].min() > occlusion[42:46].min()


def test_a_large_picture_takes_its_low_frequencies_from_the_small_one(networks, tmp_path, monkeypatch):
    """Shrunk back, the maps of a picture enlarged are about those of the picture."""
    monkeypatch.setattr(maps_module, "BASE_SIDE", 32)
    small = texture(32, 32)
    large = small.repeat(4, 0).repeat(4, 1)
    assert base_scale(128, 128) == 4
    low, high = make(small, networks, tmp_path), make(large, networks, tmp_path)
    rolled = make(np.roll(large, (16, 32), (0, 1)), networks, tmp_path)
    for kind in (MapKind.HEIGHT, MapKind.ROUGHNESS):
        back = high[kind].reshape(32, 4, 32, 4, -1).mean((1, 3))
        smooth = [np.fft.ifft2(np.fft.fft2(x[..., 0])[:6, :6], (8, 8)).real for x in (back, low[kind])]
        assert np.abs(smooth[0] - smooth[1]).max() < 0.15 * np.abs(smooth[1]).max()
    for kind in ALL:
        assert np.abs(np.roll(high[kind], (16, 32), (0, 1)) - rolled[kind]).max() <= 2e-5


@pytest.mark.parametrize("way", ["networks", "filters"])
def test_a_pixel_less_changes_no_map_by_much(networks, tmp_path, monkeypatch, way):
    """Of 127 pixels as of 128, although no power of two divides them."""
    monkeypatch.setattr(maps_module, "BASE_SIDE", 32)
    sources, kinds = networks if way == "networks" else {}, ALL
    smooth = 0.5 + 0.3 * np.sin(np.arange(8)[:, None] * np.pi / 4) * np.cos(np.arange(8)[None] * np.pi / 4)

    def picture(side):
        taps = lanczos_taps(slice(0, side), 32, side)
        tiled = np.pad(np.tile(smooth, (4, 4)), 6, "wrap").astype(np.float32)[..., None].repeat(3, -1)
        part = slice(6 + taps.start, 6 + taps.stop)
        return resample(tiled[part, part], taps, taps)

    whole, less = make(picture(128), sources, tmp_path, kinds), make(picture(127), sources, tmp_path, kinds)
    for kind in kinds:
        assert less[kind].std() == pytest.approx(whole[kind].std(), rel=0.1, abs=1e-3)
        assert less[kind].mean() == pytest.approx(whole[kind].mean(), rel=0.02)


@pytest.mark.parametrize("way", ["networks", "filters"])
def test_maps_are_periodic_also_where_the_base_size_divides_nothing(networks, tmp_path, monkeypatch, way):
    """150 pixels at a base of 38: the same phase comes round after 75, and nothing shows where the picture repeats."""
    monkeypatch.setattr(maps_module, "BASE_SIDE", 32)
    sources = {kind: networks[kind] for kind in (MapKind.HEIGHT, MapKind.ROUGHNESS)} if way == "networks" else {}
    color = texture(150, 150)
    plain = make(color, sources, tmp_path)
    half = make(np.roll(color, (75, 75), (0, 1)), sources, tmp_path)
    for kind in ALL:
        assert np.abs(np.roll(plain[kind], (75, 75), (0, 1)) - half[kind]).max() <= 2e-5
        jumps = np.abs(plain[kind] - np.roll(plain[kind], 1, 0)).mean((1, 2))
        assert jumps[0] <= 1.2 * jumps[1:].max()


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(512, 512, 1), (1024, 1024, 2), (4096, 2048, 4), (2047, 2047, 4), (1000, 2048, 1), (8192, 8192, 16)],
)
def test_the_base_is_about_the_size_that_was_taught(height, width, scale):
    assert base_scale(height, width) == scale


@pytest.mark.parametrize("way", ["networks", "filters"])
@pytest.mark.parametrize("kinds", [ALL, (MapKind.OCCLUSION,), (MapKind.NORMAL,), (MapKind.METALLIC,)])
@pytest.mark.parametrize("side", [60, 128, 130])
def test_every_map_tells_of_its_progress(networks, tmp_path, monkeypatch, way, kinds, side):
    """The worker is ended when it says nothing for long: each block of a large picture is a sign of life."""
    monkeypatch.setattr(maps_module, "BASE_SIDE", 32)
    monkeypatch.setattr(maps_module, "_BLOCK", 64)
    sources, seen = networks if way == "networks" else {}, []
    with canvases(tmp_path) as easel:
        make_maps(
            texture(side, side),
            kinds,
            sources,
            Axes.XY,
            Content.COLOR,
            easel,
            TileLimits({"cpu": 32}),
            FREE,
            step=lambda *place: seen.append(place),
        )
    total = seen[-1][1]
    counted = [done for done, _ in dict.fromkeys(seen)]
    assert counted == list(range(counted[0], total + 1))
    assert counted[0] <= 1


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize(("dtype", "content"), [(np.uint16, Content.COLOR), (np.float32, Content.LINEAR)])
def test_pictures_of_every_kind_work(networks, tmp_path, channels, dtype, content):
    made = make(texture(24, 16, channels, dtype=dtype), networks, tmp_path, content=content)
    assert all(np.isfinite(value).all() for value in made.values())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (3, 2)])
def test_tiny_pictures_work(networks, tmp_path, height, width):
    made = make(texture(height, width), networks, tmp_path)
    assert made[MapKind.NORMAL].shape == (height, width, 3)


def test_a_network_that_enlarges_makes_no_maps(tmp_path):
    network = image_networks.load(save(compact(2), tmp_path / "height.safetensors"))
    with pytest.raises(UserError, match="2x from 3 to 3") as caught:
        check_network(network, (MapKind.HEIGHT,))
    assert caught.value.kind is ErrorKind.MODEL


def test_one_network_makes_several_maps(tmp_path):
    network = image_networks.load(save(span(1, 4), tmp_path / "relief.safetensors"))
    sources = check_network(network, (MapKind.HEIGHT, MapKind.NORMAL))
    color, both = texture(32, 24), (MapKind.HEIGHT, MapKind.NORMAL)
    made = make(color, sources, tmp_path, both)
    for kind in both:
        assert np.array_equal(make(color, sources, tmp_path, (kind,))[kind], made[kind])
    assert np.allclose(np.linalg.norm(made[MapKind.NORMAL] * 2 - 1, axis=2), 1, atol=1e-5)


def test_a_folders_files_are_found_by_their_names(tmp_path):
    for name in ("1x-PBRify_Height.pth", "1x-PBRify_Height.safetensors", "1x_NormalV3.safetensors", "readme.txt"):
        (tmp_path / name).write_bytes(b"")
    found = {network.makes: network.file.name for network in map_networks(str(tmp_path))}
    assert found == {
        (MapKind.HEIGHT,): "1x-PBRify_Height.safetensors",
        (MapKind.NORMAL,): "1x_NormalV3.safetensors",
    }


def test_a_file_for_one_map_takes_the_place_of_one_for_two(tmp_path):
    """The last network that makes a map is the one that does."""
    for name in ("height-normal.safetensors", "Roughness_metallic.pth", "my normal.pth", "other normal.pth"):
        (tmp_path / name).write_bytes(b"")
    both, *others = ((network.file.name, network.makes) for network in map_networks(str(tmp_path)))
    assert both == ("Roughness_metallic.pth", (MapKind.ROUGHNESS, MapKind.METALLIC))
    assert others == [
        ("height-normal.safetensors", (MapKind.HEIGHT, MapKind.NORMAL)),
        ("my normal.pth", (MapKind.NORMAL,)),
    ]
    (tmp_path / "a height.pth").write_bytes(b"")
    assert "height-normal.safetensors" not in [network.file.name for network in map_networks(str(tmp_path))]


@pytest.mark.parametrize("make_folder", [True, False])
def test_a_folder_without_networks_is_told(tmp_path, make_folder):
    folder = tmp_path / "maps"
    if make_folder:
        folder.mkdir()
    with pytest.raises(UserError) as caught:
        map_networks(str(folder))
    assert caught.value.kind is ErrorKind.MODEL
    assert str(folder) in caught.value.message
