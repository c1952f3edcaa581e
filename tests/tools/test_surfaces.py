# SPDX-License-Identifier: GPL-3.0-or-later
"""Real surfaces: read, measured, judged and shown, on a folder that is made here."""

import numpy as np
import pytest
from PIL import Image

from addon.core.pbr import normals_of_height
from addon.core.surface_kinds import FACTS, SurfaceKind, surface_of
from tools.surfaces import kinds, page, real, relit

SIDE = 64
CAPTIONS = {"Steel01": "brushed steel", "Bricks02": "brick wall", "Wool03": "red wool", "Oak04": "oak", "Odd05": "red"}


def height():
    """In pixels: one wave each way."""
    places = 2 * np.pi * (np.arange(SIDE) + 0.5) / SIDE
    return (1.5 * np.sin(places)[None] + 0.5 * np.cos(2 * places)[:, None]).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    columns = ["name", "maps", "caption", "licence", "author", "asset", "repository"]
    lines = ["\t".join(columns)]
    rng = np.random.default_rng(2)
    for number, (asset, caption) in enumerate(CAPTIONS.items()):
        place = tmp_path / "sets" / asset.lower()
        place.mkdir(parents=True)
        maps = {
            "color": rng.random((SIDE, SIDE, 3)),
            "normal": normals_of_height(height(), 1.0),
            "roughness": np.full((SIDE, SIDE), 0.2 + 0.1 * number),
            "metallic": np.full((SIDE, SIDE), float(asset == "Steel01")),
            "ao": np.ones((SIDE, SIDE)),
            "height": np.zeros((SIDE // 2, SIDE)),  # of another size than its color
        }
        for kind, values in maps.items():
            Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(place / f"{kind}.webp", lossless=True)
        repository = "https://github.com/somebody/things"
        lines.append("\t".join((asset.lower(), ",".join(maps), caption, "CC0-1.0", "Ada", asset, repository)))
    (tmp_path / "index.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def cache(folder):
    """Where the networks' maps are kept: these are the true ones, but for roughness and metallic."""
    for surface in real.read(folder):
        made = {kind: values.astype(np.float16) for kind, values in surface.maps.items() if kind != "occlusion"}
        made["roughness"] = np.full_like(made["roughness"], 0.5)
        made["metallic"] = np.full_like(made["metallic"], 0.6)
        made["height"] = np.zeros((SIDE, SIDE, 1), np.float16)
        (folder / "cache").mkdir(exist_ok=True)
        np.savez(folder / "cache" / f"{surface.name}.npz", **made)
    return folder / "cache"


def test_a_surface_is_read_whole_and_maps_of_other_sizes_are_left_out(folder):
    first, *others = real.read(folder)
    assert (first.name, first.caption, first.author, len(others)) == ("steel01", "brushed steel", "Ada", 4)
    assert set(first.maps) == {"normal", "roughness", "metallic", "occlusion"}
    assert (first.color.shape, first.maps["normal"].shape) == ((SIDE, SIDE, 3), (SIDE, SIDE, 3))
    assert [surface.name for surface in real.read(folder, ("oak04",))] == ["oak04"]
    assert first.is_judged is real.read(folder, ("steel01",))[0].is_judged, "the halves are the same each time"


def test_a_height_comes_back_from_its_normals(folder):
    found = kinds.relief(normals_of_height(height(), 1.0))
    assert np.abs(found - (height() - height().mean())).max() < 0.02
    low, high = np.percentile(height(), (1, 99))
    assert kinds.depth(normals_of_height(height(), 1.0)) == pytest.approx((high - low) / SIDE, rel=0.02)


def test_a_kinds_numbers_are_those_of_its_surfaces(folder):
    found = kinds.fit(real.read(folder))
    count, roughness, deep = found[SurfaceKind.WOOD]
    assert (count, roughness) == (1, pytest.approx((0.5, 0.5), abs=0.01))
    assert deep[0] == deep[1] == pytest.approx(kinds.depth(normals_of_height(height(), 1.0)), rel=0.05)
    assert len(found) == 4, "nothing is learnt from what names no kind"


def test_states_move_measured_bounds_as_they_move_the_tables(folder):
    wet = surface_of(SurfaceKind.AUTO, "wet asphalt")
    table = FACTS[SurfaceKind.STONE].roughness
    assert kinds.settled(wet, {SurfaceKind.STONE: table}) == pytest.approx(wet.roughness)
    assert kinds.settled(wet, {}) == wet.roughness
    assert kinds.settled(wet, {SurfaceKind.STONE: (0.2, 0.4)})[1] < 0.4


def test_kinds_are_judged_beside_the_networks(folder, cache):
    figures = kinds.judge(real.read(folder), cache)
    assert figures["metallic balanced accuracy, networks"] == pytest.approx(0.5)  # all of it is called metal
    assert figures["metallic said where none is, kinds"] == pytest.approx(0.25)  # the one without a kind
    assert figures["roughness error, networks"] == pytest.approx(np.mean([0.3, 0.2, 0.1, 0.0, 0.1]), abs=0.01)


def test_the_page_gets_its_table_its_picture_and_its_sources(folder, cache, tmp_path, monkeypatch):
    text = f"before\n{page.MARKS[0]}\nold\n{page.MARKS[1]}\nafter\n"
    monkeypatch.setattr(page, "PAGE", tmp_path / "maps.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "maps.webp")
    monkeypatch.setattr(page, "SHOWN", ("bricks02", "wool03"))
    monkeypatch.setattr("sys.argv", ["page", "--real", str(folder), "--cache", str(cache)])
    page.PAGE.write_text(text, encoding="utf-8")
    page.main()
    made = page.PAGE.read_text(encoding="utf-8")
    assert made.startswith("before\n")
    assert made.endswith("\nafter\n")
    assert "old" not in made
    assert "| **all** | 5 | 0." in made, "the normals are the true ones"
    assert "Bricks02 by Ada, from somebody/things" in made
    with Image.open(page.PICTURE) as image:
        assert image.size == (7 * 148 - 4, 2 * 148 - 4)


def test_what_is_rendered_has_its_margin_and_its_height_in_pixels(folder, tmp_path):
    (surface,) = real.read(folder, ("oak04",))
    relit.prepare(surface, 32, tmp_path)
    with np.load(tmp_path / "oak04.npz") as file:
        assert file["height"].shape == file["roughness"].shape == (160, 160)
        assert file["color"].shape == (160, 160, 3)
        assert file["height"].max() - file["height"].min() == pytest.approx(height().max() - height().min(), rel=0.05)
    text = relit._SCENE.read_text(encoding="utf-8")
    assert f"MARGIN = {relit._MARGIN} " in text, "both know the same margin"
