# SPDX-License-Identifier: GPL-3.0-or-later
"""The making of upscaler and map networks, on data small enough for seconds."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from spandrel.architectures.Compact import Compact
from torch import nn

from addon.core.pbr import normals_of_height
from addon.engine import image_networks
from tools.image_networks import curve, degrade, export, figures, judging, maps, material, networks, pairs, real, relief
from tools.image_networks.crops import Changes, Examples, Origin, PaintedSource, Source, plain
from tools.image_networks.real import Surface
from tools.image_networks.train import TRAININGS
from tools.starter import cache
from tools.starter.textures import FAMILIES
from tools.starter.torus import wrap

COUNTS = {64: 3, 128: 4, 256: 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    pairs.make_pairs(folder, COUNTS, seed=3)
    return pairs.read_pairs(folder, COUNTS)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Nine rocks of 64 px."""
    folder = tmp_path_factory.mktemp("sets")
    rng, rows = np.random.default_rng(5), ["name\ttiles"]
    for number in range(9):
        place = folder / "sets" / f"rock{number:03d}"
        place.mkdir(parents=True)
        height = rng.random((64, 64)).astype(np.float32)
        maps_of_it = {
            "color": rng.random((64, 64, 3)),
            "normal": normals_of_height(height, 2.0),
            "roughness": np.repeat(height[..., None], 3, -1),
        }
        for name, values in maps_of_it.items():
            Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(place / f"{name}.webp", lossless=True)
        rows.append(f"{place.name}\tyes (seam ratio 1.0)")
    (folder / "index.tsv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Color tiles of rocks and metals, of noise."""
    folder = tmp_path_factory.mktemp("tiles")
    rng, files, labels, sources = np.random.default_rng(6), [], [], []
    for category in ("Rock", "Metal"):
        for number in range(20):
            file = io.BytesIO()
            Image.fromarray(rng.integers(256, size=(128, 128, 3), dtype=np.uint8)).save(file, "JPEG")
            files.append(file.getvalue())
            labels.append({"category": category})
            sources.append(f"previews/{category}.webp#{category.lower()}_{number:03d}.png")
    data = np.frombuffer(b"".join(files), np.uint8)
    np.savez(folder / "real128.npz", data=data, sizes=[len(file) for file in files])
    (folder / "real128.json").write_text(json.dumps(labels))
    (folder / "sources128.json").write_text(json.dumps(sources))
    return folder


def test_pairs_are_the_textures_at_one_size(made):
    assert made.color.shape == (9, 128, 128, 3)
    assert made.magnification.tolist() == [2, 2, 2, 1, 1, 1, 1, 0.5, 0.5]
    texture = pairs.draw(3, 128, 1)
    assert np.abs(made.height[4] / 65535 - texture.height).max() < 1e-4
    assert np.abs(made.color[4] / 255 - texture.color).max() < 0.003


def test_held_out_families_are_real_and_never_drawn():
    assert set(pairs.HELD_OUT) < set(FAMILIES)
    assert set(pairs.METALS) < set(FAMILIES)
    assert not {pairs.draw(1, 64, index).family for index in range(60)} & set(pairs.HELD_OUT)
    assert {texture.family for texture in pairs.held_out(1, 1, 64)} == set(pairs.HELD_OUT)


@pytest.mark.parametrize("size", [64, 256])
def test_resizing_keeps_centres_and_repeats(size):
    """A wave stays where it is, in parts of the tile."""
    places = (np.arange(size) + 0.5) / size
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * places)[None] * np.cos(4 * np.pi * places)[:, None]
    there = (np.arange(128) + 0.5) / 128
    expected = 0.5 + 0.3 * np.sin(2 * np.pi * there)[None] * np.cos(4 * np.pi * there)[:, None]
    assert np.abs(pairs.to_side(wave.astype(np.float32)) - expected).max() < 1e-3


@pytest.mark.parametrize("kernel", ["area", "bicubic", "lanczos"])
def test_halving_is_periodic_and_keeps_the_mean(kernel):
    x = torch.rand(2, 3, 32, 48)
    half = degrade.halve(x, kernel)
    assert half.shape == (2, 3, 16, 24)
    assert float(half.mean()) == pytest.approx(float(x.mean()), abs=1e-5)
    assert torch.allclose(degrade.halve(x.roll((4, 6), (2, 3)), kernel), half.roll((2, 3), (2, 3)), atol=1e-6)


def test_blur_is_periodic_and_each_example_has_its_own():
    x = torch.rand(2, 3, 32, 32)
    soft = degrade.blur(x, torch.tensor([0.0, 2.0]))
    assert torch.allclose(soft[0], x[0], atol=1e-5)
    assert soft[1].std() < 0.3 * x[1].std()
    rolled = degrade.blur(x.roll((5, 9), (2, 3)), torch.tensor([0.0, 2.0]))
    assert torch.allclose(rolled, soft.roll((5, 9), (2, 3)), atol=1e-5)


def test_foreign_pictures_stay_pictures():
    torch.manual_seed(0)
    worse = maps.worsen(torch.rand(6, 3, 32, 32))
    assert worse.shape == (6, 3, 32, 32)
    assert 0 <= worse.min() <= worse.max() <= 1


def test_the_normals_trained_for_are_those_of_the_engine():
    height = np.random.default_rng(0).random((16, 24)).astype(np.float32)
    ours = maps.normals(torch.from_numpy(height)[None, None], torch.tensor([8.0]))[0].permute(1, 2, 0).numpy()
    assert np.abs((ours + 1) / 2 - normals_of_height(height, 8.0)).max() < 1e-6


def test_turned_and_mirrored_maps_still_belong_together(made):
    np.random.seed(0)
    drawn = maps.draw(made, np.random.default_rng(0), 4)
    color, surface, normal = drawn.color, drawn.surface, drawn.normal
    assert color.shape == surface.shape == normal.shape == (4, 3, 128, 128)
    assert torch.allclose(normal.square().sum(1), torch.ones(4, 128, 128), atol=1e-5)
    rows = np.sort(np.random.default_rng(0).integers(len(made), size=4))
    depth = torch.from_numpy(pairs.DEPTH * made.magnification[rows])
    assert torch.equal(normal, maps.normals(surface[:, :1], depth))


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """A batch's folder of two pictures, one of them not square."""
    folder = tmp_path_factory.mktemp("painted")
    rng = np.random.default_rng(7)
    for name, shape in (("bricks-1", (64, 64, 3)), ("knit-2", (64, 128, 3))):
        (folder / name).mkdir()
        Image.fromarray(rng.integers(256, size=shape, dtype=np.uint8)).save(folder / name / f"{name}.png")
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / name / "thumbnail.png")
    return folder


def test_training_goes_on_where_it_stopped_and_is_exported_for_the_engine(made, sets, tiles, painted, tmp_path):
    steps, read = [], real.read_real(sets, tiles, painted)
    for _ in range(2):  # the second finds its time used up
        for train in TRAININGS.values():
            train(tmp_path, maps.Options(0.01, 1), made, read)
        steps.append([cache.load(tmp_path / f"{name}.ckpt")["step"] for name in TRAININGS])
    assert steps[0] == steps[1]
    files = export.export(tmp_path, tmp_path / "models")
    assert sum(file.stat().st_size for file in files[1:]) <= 5e6
    assert files[0].stat().st_size <= 3e6
    loaded = [image_networks.load(file) for file in files]
    assert [(network.scale, network.channels) for network in loaded] == [(2, (1, 1))] * 2 + [(1, (3, 4)), (1, (3, 3))]
    assert all(network.exact for network in loaded)


def test_what_is_written_may_lie_between_the_shipped_weights_and_new_ones(tmp_path):
    old = export.shipped("material")
    cache.save(tmp_path / "material.ckpt", {"average": {name: value + 0.5 for name, value in old.items()}})
    for share in (0.0, 0.25, 1.0):
        export.export(tmp_path, tmp_path / "models", ("material",), {"material": share})
        made = export.shipped("material", tmp_path / "models")
        for name, value in old.items():
            assert torch.allclose(made[name], value + 0.5 * share, atol=2e-3), name


def test_a_new_network_is_evened_out():
    """Each layer gives what it should on the pictures that it is shown, in the root mean square."""
    torch.manual_seed(0)
    network = wrap(networks.make_material_network())
    pictures = networks.with_noise_level(torch.rand(2, 3, 32, 32))
    networks.even_out(network, pictures)
    seen = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, _inputs, y, name=name: seen.update({name: float(y.square().mean())}))
    with torch.no_grad():
        network(pictures)
    assert len(seen) == 36
    for name, square in seen.items():
        aim = 0.1 if name == "m_tail" else 0.25 if name.endswith("res.2") else 1
        assert square == pytest.approx(aim**2, rel=0.02), name


def test_what_is_hardly_ever_metal_is_not_called_metal():
    """Of a pixel that is metal in one case of forty, the least loss says less than a half; in ten of forty, more."""
    values = torch.linspace(0, 1, 101)
    y = values.view(101, 1, 1, 1).expand(101, 3, 1, 40)
    for metals, metal in ((1, False), (10, True)):
        surface = torch.zeros(1, 3, 1, 40)
        surface[:, 2, :, :metals] = 1
        losses = []
        for i in range(101):
            surface[:, 1] = values[i]
            of = Examples(Origin.DRAWN, torch.zeros_like(surface), torch.zeros_like(surface), surface)
            losses.append(float(material.loss(y[i : i + 1], of)[0]))
        assert (values[int(np.argmin(losses))] > 0.5) == metal


@pytest.mark.parametrize("turns", range(8))
def test_normals_turn_with_the_crop(turns):
    """Those of the turned height are the turned ones: nothing is mirrored where it must not be."""
    size = 48
    rng = np.random.default_rng(turns)
    waves = rng.normal(size=(size, size)).astype(np.float32)
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    height = np.fft.ifft2(np.fft.fft2(waves) * np.exp(-400 * (fx**2 + fy**2))).real.astype(np.float32)
    normal = normals_of_height(height, 8.0) * 2 - 1
    color = np.full((size, size, 3), 0.5, np.float32)
    surface = Surface("rock001", "stone", True, color, normal)
    crop = Source([surface]).draw(rng, 1, size, lit=0)
    ours = maps.normals(crop.surface[:, :1], torch.tensor([8.0]))
    assert real.degrees(ours[0].permute(1, 2, 0).numpy(), crop.normal[0].permute(1, 2, 0).numpy()) < 1.5


def test_a_part_of_the_surfaces_leaves_the_split_as_it_is(sets):
    whole, half = real.read_real(sets), real.read_real(sets, share=0.5)
    names = [[surface.name for surface in read.training] for read in (whole, half)]
    assert len(names[1]) == round(len(names[0]) / 2)
    assert set(names[1]) < set(names[0])
    for part in ("watched", "judged"):
        assert [s.name for s in getattr(half, part)] == [s.name for s in getattr(whole, part)]


def test_painted_pictures_are_crops_that_wrap_without_maps(painted):
    read = [np.asarray(picture) for picture in real.read_painted(painted)]
    assert sorted(picture.shape for picture in read) == [(64, 64, 3), (64, 128, 3)]
    crops = PaintedSource(read).draw(np.random.default_rng(0), 3, 96)
    assert crops.color.shape == (3, 3, 96, 96)
    assert crops.origin is Origin.PAINTED
    assert bool(crops.normal.isnan().all())
    assert bool(crops.surface.isnan().all())


def test_other_colors_lie_on_the_same_ground():
    """Bright for dark keeps the mean; hollows only get darker; grain keeps what a color is in the mean."""
    rng = np.random.default_rng(0)
    color = torch.rand(1, 3, 32, 32) * 0.4 + 0.3
    height = torch.rand(1, 32, 32)
    tiles = rng.integers(100, 156, size=(2, 128, 128, 3), dtype=np.uint8)
    none = {"inverted": 0.0, "hollowed": 0.0, "dressed": 0.0, "swapped": 0.0}
    yes, no = np.array([True]), np.array([False])

    def changed(name: str, of: np.ndarray = yes) -> torch.Tensor:
        return Changes(tiles, **none | {name: 1.0})(rng, color, height, of)

    inverted = changed("inverted")
    assert torch.allclose(inverted.mean((2, 3)), color.mean((2, 3)), atol=1e-5)
    assert torch.allclose(inverted + color, 2 * color.mean((2, 3), keepdim=True), atol=1e-5)
    assert torch.equal(changed("inverted", no), color)  # where color is shadow, dark stays dark
    hollowed = changed("hollowed")
    assert bool((hollowed <= color).all())
    assert bool((hollowed < color - 1e-3).any())
    dressed = changed("dressed")
    assert not torch.equal(dressed, color)
    assert torch.allclose(dressed.mean((2, 3)), color.mean((2, 3)), atol=0.01)
    assert sorted(changed("swapped").mean((2, 3))[0].tolist()) == pytest.approx(
        sorted(color.mean((2, 3))[0].tolist()), abs=1e-5
    )


def test_relief_is_learned_flatter_than_it_is_and_plain_pictures_flat():
    """The least loss of a real crop is at slopes `CERTAIN` times as steep as the true ones."""
    torch.manual_seed(0)
    waves = torch.randn(1, 1, 48, 48)
    height = 0.5 + 0.05 * waves
    normal = maps.normals(height, torch.tensor([8.0]))
    of = Examples(Origin.REAL, torch.rand(1, 3, 48, 48), normal, torch.cat((height, height, height), 1))
    rise = normal[:, :2] / normal[:, 2:]
    losses = {}
    for scale in (0.4, relief.CERTAIN, 0.8, 1.0):
        vector = torch.nn.functional.normalize(torch.cat((rise * scale, torch.ones(1, 1, 48, 48)), 1), dim=1)
        y = torch.cat((0.5 + (height - 0.5) * relief.CERTAIN, (vector + 1) / 2), 1)
        losses[scale] = float(relief.loss(y, of)[0])
    assert min(losses, key=losses.__getitem__) == relief.CERTAIN
    flat = plain(np.random.default_rng(0), 2, 16)
    assert bool((flat.color == flat.color[..., :1, :1]).all())
    level = torch.full((2, 4, 16, 16), 0.5)
    assert float(relief.loss(level, flat)[0]) == 0 < float(relief.loss(level + 0.1, flat)[0])


@pytest.mark.parametrize("stage", [material, relief])
def test_what_the_shipped_network_makes_of_drawings_is_kept(stage, made):
    drawn = maps.draw(made, np.random.default_rng(0), 2)
    y = torch.rand(2, 4, 128, 128)
    same, other = (float(stage.loss(y, drawn, before)[0]) for before in (y, 1 - y))
    assert other > same + 0.1


def test_a_height_comes_back_from_its_normals():
    places = 2 * np.pi * np.arange(64) / 64
    height = (3 * np.sin(places)[None] + 2 * np.cos(2 * places)[:, None]).astype(np.float32)
    normal = normals_of_height(height, 1.0) * 2 - 1
    assert np.abs(real.integral(*real.slopes(normal)) - height).max() < 0.05


def test_the_split_is_by_surface(sets, tiles):
    """A third of each kind, twins together, and none of the color tiles that may be one of them is trained on."""
    names = [f"rock{number:03d}" for number in range(9)] + ["tiles011", "tiles107", "tiles001", "tiles002"]
    judged = real.held_out(names)
    assert len([name for name in judged if name.startswith("rock")]) == 3
    assert ("tiles011" in judged) == ("tiles107" in judged)
    assert judged == real.held_out(names[::-1])
    read = real.read_real(sets, tiles)
    parts = [{surface.name for surface in part} for part in (read.training, read.watched, read.judged)]
    assert parts[2]
    assert sum(len(part) for part in parts) == len(set().union(*parts)) == 9
    assert read.tiles is not None
    suspects = {f"rock_{int(name[4:]) - back:03d}" for name in parts[2] for back in (0, 1)}
    assert suspects & {f"rock_{number:03d}" for number in range(20)}
    assert not suspects & set(read.tiles.names)


def test_maps_of_a_set_are_read_for_what_they_are(sets):
    surface = real.read_sets(sets)[0]
    assert surface.kind == "stone"
    assert surface.color.shape == (64, 64, 3)
    assert np.allclose(np.linalg.norm(surface.normal, axis=-1), 1, atol=1e-4)
    assert surface.metallic.max() == 0  # nothing says that a rock is metal
    assert surface.height is None
    assert surface.relief.std() > 0


def test_the_truth_is_judged_as_such(sets):
    surface = real.read_sets(sets)[0]
    made = {
        judging.MapKind.NORMAL: (surface.normal + 1) / 2,
        judging.MapKind.ROUGHNESS: surface.roughness[..., None],
        judging.MapKind.METALLIC: surface.metallic[..., None],
    }
    row = judging.surface_figures(made, surface)
    assert row["angle"] < 0.1 < row["flat angle"]
    assert row["slopes' correlation"] == pytest.approx(1)
    assert row["roughness error"] == row["false metal"] == 0


def test_by_hand_a_relief_that_is_only_too_flat_or_inside_out_is_made_right():
    rng = np.random.default_rng(0)
    height = gaussian_filter(rng.normal(size=(48, 48)), 2, mode="wrap").astype(np.float32)
    truth = normals_of_height(height, 4.0) * 2 - 1
    for depth, low, high in ((1.0, 0, 0.5), (-2.0, 5, 90)):
        row = judging.by_hand(normals_of_height(height, depth) * 2 - 1, truth)
        assert low <= row["angle, best strength"] < high
        assert row["angle, best strength and sign"] < 0.5


def test_the_curve_is_made_once_and_only_of_what_is_learned(made, sets, tiles, painted, tmp_path, monkeypatch, capsys):
    """Each point is trained on so many surfaces of those that are not judged, and is not made again."""
    monkeypatch.setattr(curve, "read_pairs", lambda folder, counts: made)
    arguments = ["--sets", str(sets), "--tiles", str(tiles), "--painted", str(painted), "--output", str(tmp_path)]
    arguments += ["--steps", "relief=2", "material=2", "--sizes", "2", "0", "--draws", "2"]
    curve.main(arguments)
    first = capsys.readouterr().out
    read = real.read_real(sets)
    learned = [*read.training, *read.watched]
    assert {path.name for path in tmp_path.iterdir()} == {"0", "2-0", "2-1", f"{len(learned)}-0"}
    assert {surface.name for surface in curve.chosen(learned, 2, 0)} < {surface.name for surface in learned}
    monkeypatch.setattr(curve, "SUBJECTS", {name: replace(one, train=None) for name, one in curve.SUBJECTS.items()})
    curve.main(arguments)
    assert capsys.readouterr().out == first
    assert "| 2 | 2 |" in first
    assert cache.load(tmp_path / "2-1" / "relief.ckpt")["step"] == 2


def test_a_wider_upscaler_begins_as_the_narrow_one():
    narrow = Compact(num_in_ch=1, num_out_ch=1, num_feat=16, num_conv=8, upscale=2)
    wide = networks.make_upscaler()
    networks.widen(wide, narrow.state_dict())
    x = torch.rand(1, 1, 12, 12)
    with torch.no_grad():
        assert torch.allclose(wide(x), narrow(x), atol=1e-6)


def test_specks_are_counted():
    truth = np.full((64, 64, 3), 0.5, np.float32)
    made = truth.copy()
    made[10, 10] = 0.9
    assert judging.specks(truth, truth) == 0
    assert judging.specks(made, truth) == pytest.approx(1e6 / 64**2)


def test_a_filter_of_its_own_finds_what_the_color_shows():
    """All there is to see where the color is the height, nothing where it has nothing to do with it."""
    rng = np.random.default_rng(0)
    fields = [gaussian_filter(rng.normal(size=(64, 64)), 2, mode="wrap").astype(np.float32) for _ in range(2)]
    shown, hidden = (field / field.std() for field in fields)
    color = np.repeat((0.5 + 0.1 * shown)[..., None], 3, -1)
    for height, low, high in ((shown, 0.95, 1.0), (hidden, -0.6, 0.6)):
        surface = Surface("rock001", "stone", True, color, normals_of_height(height, 0.5) * 2 - 1)
        row = judging.own_filter(surface)
        assert low < row["slopes' correlation"] <= high
        assert (row["angle"] < 0.5 * row["flat angle"]) == (height is shown)


def test_a_filter_for_all_finds_what_they_have_in_common():
    """Where bright is high on all of them; and where that is turned round on every second one, only with its sign."""
    rng = np.random.default_rng(0)
    surfaces = []
    for number in range(8):
        field = gaussian_filter(rng.normal(size=(64, 64)), 2, mode="wrap").astype(np.float32)
        color = np.repeat((0.5 + 0.1 * field / field.std())[..., None], 3, -1)
        normal = normals_of_height(field / field.std(), 0.5) * 2 - 1
        surfaces.append(Surface(f"rock{number:03d}", "stone", True, color, normal))
    turned = [replace(one, color=1 - one.color) for one in surfaces[6:]]
    row = judging.shared_filter(surfaces[:6], [*surfaces[6:], *turned], draws=3)
    assert set(row) == {"5", "6", "right way up"}
    assert abs(row["6"]) < 0.05
    assert row["right way up"] > 0.95
    assert judging.shared_filter(surfaces[:6], surfaces[6:], draws=3)["5"] > 0.95


def test_a_filter_that_is_told_the_kind_knows_which_way_up_it_is():
    """Bright is high on rocks and low on metals: nothing to learn for all, all of it with the kind."""
    rng = np.random.default_rng(0)
    surfaces = []
    for number in range(12):
        field = gaussian_filter(rng.normal(size=(48, 48)), 2, mode="wrap").astype(np.float32)
        field /= field.std()
        kind, sign = (("stone", 1), ("metal", -1))[number % 2]
        color = np.repeat((0.5 + 0.1 * sign * field)[..., None], 3, -1)
        surfaces.append(Surface(f"{kind}{number}", kind, True, color, normals_of_height(field, 0.5) * 2 - 1))
    row = judging.told_filter(surfaces[:8], surfaces[8:])
    assert abs(row["nothing, judged"]) < 0.3
    assert row["kind, left out"] > 0.9
    assert row["kind, judged"] > 0.9


def test_the_cards_figures_are_measured(tmp_path):
    """Of the shipped networks, on one small texture; each map and way has its own."""
    texture = pairs.held_out(1, 1, 64)[:1]
    upscaled = figures.upscaler_figures(export.MODELS, texture)
    assert upscaled["upscaler: psnr lanczos network"] != upscaled["upscaler: psnr lanczos lanczos"]
    mapped = figures.map_figures(export.MODELS, texture)
    for kind in ("height (RMSE)", "normal (degrees)", "roughness (RMSE)"):
        assert mapped[f"maps: clean {kind}, network"] != mapped[f"maps: clean {kind}, filter"]
