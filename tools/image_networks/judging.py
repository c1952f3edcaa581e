# SPDX-License-Identifier: GPL-3.0-or-later
"""How near maps and enlarged pictures come to real ones. May import the engine, numpy, scipy, torch.

Figures are taken of each surface by itself and averaged over surfaces, of all and by kind of material.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter
from scipy.stats import skew
from torch import nn

from addon.core.image_networks import map_networks
from addon.core.requests.finish import STARTER_NETWORKS, MapKind
from addon.core.requests.picture import Content
from addon.core.requests.texture import Axes
from addon.engine import image_networks
from addon.engine.maps import Source, check_network, make_maps
from addon.engine.resampling import shrink
from addon.engine.tiles import TileLimits
from addon.engine.upscale import Means, upscale

from .degrade import halve, jpeg
from .export import FILES
from .figures import FREE, easel, psnr, spectral
from .networks import with_noise_level
from .real import Real, Surface, Tiles, degrees, difference, slopes

FLAT = np.array([0, 0, 1], np.float32)
LEAST_HEIGHT = 0.004  # deviation, under which a height map is as good as none
KINDS = (MapKind.HEIGHT, MapKind.NORMAL, MapKind.ROUGHNESS, MapKind.METALLIC)
SIGMAS = (0, 0.7, 1.5, 3, 6, 12, 24)  # pixels
GREYS = (0.3, 0.5, 0.6)
SLOPES, UPRIGHT = "slopes' correlation", "slopes' correlation, right way up"
STRENGTHS = (0, 0.25, 0.5, 1, 2, 4, 8)  # as somebody may set the relief who knows the surface
HELD = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)  # of what a filter sees, in the mean
QUALITY = 85  # of the JPEG that a picture is enlarged from
Row = dict[str, float]
Made = Mapping[MapKind, NDArray[np.float32]]  # each (H, W, 1 or 3), 0..1


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Pearson's; 0 where one of them is constant."""
    one, other = (x.ravel().astype(np.float64) - x.mean() for x in (one, other))
    norm = np.linalg.norm(one) * np.linalg.norm(other)
    return float((one * other).sum() / norm) if norm > 1e-9 else 0.0


def surface_figures(made: Made, surface: Surface) -> Row:
    """Those that the surface and what was made allow. "constant": deviation of roughness from its judged median."""
    row: Row = {}
    if surface.normal is not None and MapKind.NORMAL in made:
        normal = made[MapKind.NORMAL] * 2 - 1
        normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        row["angle"], row["flat angle"] = (degrees(one, surface.normal) for one in (normal, FLAT))
        row[SLOPES] = correlation(np.stack(slopes(normal)), np.stack(slopes(surface.normal)))
        row[UPRIGHT] = abs(row[SLOPES])
        row |= by_hand(normal, surface.normal)
    if surface.height is not None and surface.height.std() > LEAST_HEIGHT and MapKind.HEIGHT in made:
        row["height's correlation"] = correlation(made[MapKind.HEIGHT][..., 0], surface.height)
    if surface.roughness is not None and MapKind.ROUGHNESS in made:
        roughness = made[MapKind.ROUGHNESS][..., 0]
        row["roughness error"] = float(np.abs(roughness - surface.roughness).mean())
        row["roughness mean"], row["true roughness mean"] = float(roughness.mean()), float(surface.roughness.mean())
    if surface.metallic is not None and MapKind.METALLIC in made:
        metal, said = surface.metallic > 0.5, made[MapKind.METALLIC][..., 0] > 0.5
        for key, where in (("metal found", metal), ("false metal", ~metal)):
            if where.mean() > 0.01:
                row[key] = float(said[where].mean())
    return row


def by_hand(made: NDArray[np.float32], truth: NDArray[np.float32]) -> Row:
    """The angle between normals (H, W, 3) with the strength that is best for this surface, and with the better sign as
    well: what an artist can have of them with *Relief* and *Invert Relief*. On every ninth pixel."""
    right, down = (rise[::3, ::3] for rise in slopes(made))
    truth = truth[::3, ::3] / np.maximum(np.linalg.norm(truth[::3, ::3], axis=-1, keepdims=True), 1e-6)
    angles = {}
    for strength in {sign * value for sign in (1, -1) for value in STRENGTHS}:
        normal = np.stack((-right * strength, down * strength, np.ones_like(right)), -1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        angles[strength] = degrees(normal, truth)
    upright = min(angle for strength, angle in angles.items() if strength >= 0)
    return {"angle, best strength": upright, "angle, best strength and sign": min(angles.values())}


def means(rows: Iterable[Row]) -> Row:
    """Of each figure over the rows that have it; of roughness' means the correlation."""
    rows = list(rows)
    keys = list(dict.fromkeys(key for row in rows for key in row if "roughness mean" not in key))
    result = {key: float(np.mean([row[key] for row in rows if key in row])) for key in keys}
    pairs = [(row["roughness mean"], row["true roughness mean"]) for row in rows if "roughness mean" in row]
    if len(pairs) > 2:
        result["roughness means' correlation"] = correlation(*np.array(pairs, np.float32).T)
    if "metal found" in result and "false metal" in result:
        result["balanced accuracy"] = (result["metal found"] + 1 - result["false metal"]) / 2
    return result


def constant_error(surfaces: list[Surface]) -> dict[str, float]:
    """Of each surface: how far its roughness lies from the one constant that is best for all of them."""
    known = {surface.name: surface.roughness for surface in surfaces if surface.roughness is not None}
    pooled = np.concatenate([np.quantile(roughness, np.linspace(0, 1, 101)) for roughness in known.values()])
    best = float(np.median(pooled))
    return {name: float(np.abs(roughness - best).mean()) for name, roughness in known.items()}


def watch(network: nn.Module, kinds: tuple[MapKind, ...], surfaces: list[Surface], tiles: Tiles | None) -> Row:
    """Figures for a training's log: of a wrapped network whose outputs are these maps in order."""
    rows = []
    for surface in surfaces:
        rows.append(surface_figures(_split(_run(network, surface.color), kinds), surface))
    figures = means(rows)
    if tiles is not None and MapKind.METALLIC in kinds:
        figures |= tile_figures(lambda color: _run(network, color)[..., 0], tiles)
    return figures


def _split(values: NDArray[np.float32], kinds: tuple[MapKind, ...]) -> Made:
    made, first = {}, 0
    for kind in kinds:
        channels = 3 if kind is MapKind.NORMAL else 1
        made[kind] = values[..., first : first + channels]
        first += channels
    return made


def tile_figures(metallic: Callable[[NDArray[np.float32]], NDArray[np.float32]], tiles: Tiles) -> Row:
    """How much of tiles that are metal all over, and of others, is called metal; and of flat greys."""
    said = np.array([(metallic(color / np.float32(255)) > 0.5).mean() for color in tiles.color])
    greys = [float(metallic(np.full((64, 64, 3), value, np.float32)).max()) for value in GREYS]
    return {
        "tiles: metal found": float(said[tiles.metal == 1].mean()),
        "tiles: false metal": float(said[tiles.metal == 0].mean()),
        "metallic of flat greys": max(greys),
    }


def _run(network: nn.Module, color: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, channels); where 8 does not divide the size, the last rows and columns are repeated."""
    height, width = color.shape[:2]
    padded = np.pad(color, ((0, -height % 8), (0, -width % 8), (0, 0)), "edge")
    device = next(network.parameters()).device
    x = torch.from_numpy(padded).permute(2, 0, 1)[None]
    with torch.inference_mode():
        y = network(with_noise_level(x).to(device).contiguous(memory_format=torch.channels_last))
    return y[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()[:height, :width]


def engine_maps(models: Path | None) -> Callable[[NDArray[np.float32]], Made]:
    """The maps as the extension makes them, with the networks in `models` or by filters."""
    sources: dict[MapKind, Source] = {}
    if models is not None:
        for network in map_networks(STARTER_NETWORKS):
            sources |= check_network(image_networks.load(models / "maps" / network.file.name), network.makes)

    def make(color: NDArray[np.float32]) -> Made:
        with easel() as used:
            made = make_maps(color, KINDS, sources, Axes.XY, Content.COLOR, used, TileLimits(), FREE)
            return {kind: np.array(value.array) for kind, value in made.items()}

    return make


def own_filter(surface: Surface) -> Row:
    """What the slopes of the color say of the surface's at best, linearly: those of its channels at seven scales, with
    weights fitted to its left half, judged on its right. A network has no such weights of a surface that it never saw.
    """
    assert surface.normal is not None
    half, wanted = surface.color.shape[1] // 2, slopes(surface.normal)
    blurred = [gaussian_filter(surface.color, (sigma, sigma, 0), mode="wrap") for sigma in SIGMAS]
    seen = [np.concatenate([difference(one, axis) for one in blurred], -1) for axis in (1, 0)]
    scale = np.stack(seen).std((0, 1, 2)) + 1e-6
    parts = [slice(half), slice(half, None)]
    left, right = (np.concatenate([(one[:, part] / scale).reshape(-1, len(scale)) for one in seen]) for part in parts)
    truths = [np.concatenate([one[:, part].ravel() for one in wanted]) for part in parts]
    ridge = 1e-3 * len(left) * np.eye(len(scale))
    weights = np.linalg.solve(left.T @ left + ridge, left.T @ truths[0])
    rise = (right @ weights).reshape(2, surface.color.shape[0], -1)
    normal = np.stack((-rise[0], rise[1], np.ones_like(rise[0])), -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    truth = surface.normal[:, half:]
    return {
        "angle": degrees(normal, truth),
        "flat angle": degrees(FLAT, truth),
        SLOPES: correlation(right @ weights, truths[1]),
    }


def shared_filter(learned: list[Surface], judged: list[Surface], draws: int = 20) -> Row:
    """The slopes' correlation on `judged` of one linear filter for all, by how many surfaces it was fitted to.

    It sees the luminance's slopes in bands between `SIGMAS`, in each surface's deviations; surfaces count alike. The
    mean over so many draws of each number. "right way up": with the sign that is right for each judged surface.
    """
    seen = [_equations(surface) for surface in learned if surface.normal is not None]
    asked = [_equations(surface) for surface in judged if surface.normal is not None]
    rng = np.random.default_rng(0)

    def correlations(parts: list[_Equations]) -> NDArray[np.float64]:
        square = sum(part.square for part in parts)
        ridge = 1e-3 * np.trace(square) / len(square) * np.eye(len(square))
        weights = np.linalg.solve(square + ridge, sum(part.wanted for part in parts))
        return np.array([part.explained(weights) for part in asked])

    row = {}
    for count in (5, 10, 20, 40):
        if count < len(seen):
            chosen = (rng.permutation(len(seen))[:count] for _ in range(draws))
            row[str(count)] = float(np.mean([correlations([seen[i] for i in some]).mean() for some in chosen]))
    every = correlations(seen)
    return row | {str(len(seen)): float(every.mean()), "right way up": float(np.abs(every).mean())}


def told_filter(learned: list[Surface], judged: list[Surface]) -> Row:
    """The slopes' correlation of that filter where it is also told something of each surface: without the surface
    itself among those that it was fitted to ("left out"), and on `judged`.

    "kind": what it is made of. "skewness": whether what stands out in the finer bands is dark, as cracks and mortar
    are, or bright. What it is told has weights of its own, held back as strongly as is best when left out.
    """
    names = sorted({surface.kind for surface in learned})
    ways: dict[str, Callable[[Surface], list[float]]] = {
        "nothing": lambda surface: [],
        "kind": lambda surface: [float(surface.kind == name) for name in names],
        "skewness": lambda surface: [float(np.tanh(np.mean([skew(band, axis=None) for band in _bands(surface)[1:4]])))],
    }
    seen, asked = ([one for one in part if one.normal is not None] for part in (learned, judged))
    plain = [_equations(one) for one in (*seen, *asked)]
    row: Row = {}
    for way, tell in ways.items():
        told = [part.told(tell(one)) for part, one in zip(plain, (*seen, *asked), strict=True)]
        ours, others = told[: len(seen)], told[len(seen) :]
        left_out = {
            held: float(
                np.mean([one.explained(_weights(ours[:i] + ours[i + 1 :], held)) for i, one in enumerate(ours)])
            )
            for held in HELD
        }
        best = max(left_out, key=left_out.__getitem__)
        row[f"{way}, left out"] = left_out[best]
        row[f"{way}, judged"] = float(np.mean([one.explained(_weights(ours, best)) for one in others]))
    return row


def _weights(parts: list["_Equations"], held: float) -> NDArray[np.float64]:
    square = sum(part.square for part in parts)
    ridge = np.full(len(square), held)
    ridge[: len(SIGMAS)] = 1e-3  # of the filter that is told nothing
    scale = np.trace(square[: len(SIGMAS), : len(SIGMAS)]) / len(SIGMAS)
    return np.linalg.solve(square + scale * np.diag(ridge), sum(part.wanted for part in parts))


@dataclass(frozen=True)
class _Equations:
    """Mean products of what a filter sees (n, n), and with the slopes (n,), these of deviation 1."""

    square: NDArray[np.float64]
    wanted: NDArray[np.float64]

    def told(self, numbers: list[float]) -> "_Equations":
        """Those of a filter that sees what it saw, and that times each of these numbers."""
        factors = np.array([1.0, *numbers])
        return _Equations(np.kron(np.outer(factors, factors), self.square), np.kron(factors, self.wanted))

    def explained(self, weights: NDArray[np.float64]) -> float:
        """The correlation of what a filter makes with the slopes."""
        return float(self.wanted @ weights / np.sqrt(weights @ self.square @ weights))


def _bands(surface: Surface) -> list[NDArray[np.float32]]:
    """The luminance between `SIGMAS`, the finest first, and what is left."""
    blurred = [gaussian_filter(surface.color.mean(-1), sigma, mode="wrap") for sigma in SIGMAS]
    return [*(one - other for one, other in itertools.pairwise(blurred)), blurred[-1]]


def _equations(surface: Surface) -> _Equations:
    luma, bands = surface.color.mean(-1), _bands(surface)
    seen = np.stack([np.stack([difference(band, axis) for band in bands]) for axis in (1, 0)], 1)
    values = seen.reshape(len(bands), -1).astype(np.float64) / max(float(luma.std()), 1e-6)
    rise = np.stack(slopes(surface.normal)).ravel().astype(np.float64)
    return _Equations(values @ values.T / rise.size, values @ rise / (rise.size * max(float(rise.std()), 1e-6)))


def report(models: Path, real: Real, upscaler: bool = True) -> dict[str, Row]:
    """Measure and print all figures on the judged surfaces: group -> figure -> value."""
    result: dict[str, Row] = {}
    constants = constant_error(real.judged)
    for way, make in (("network", engine_maps(models)), ("filter", engine_maps(None))):
        rows = {}
        for surface in real.judged:
            rows[surface.name] = surface_figures(make(surface.color), surface)
            if surface.name in constants:
                rows[surface.name]["constant roughness error"] = constants[surface.name]
            if way == "network":
                _print(f"  {surface.name} ({surface.kind})", rows[surface.name])
        for kind in ("all", *sorted({surface.kind for surface in real.judged})):
            of_kind = [rows[surface.name] for surface in real.judged if kind in ("all", surface.kind)]
            result[f"{way}, {kind}"] = means(of_kind)
            _print(f"{way}, {kind} ({len(of_kind)})", result[f"{way}, {kind}"])
        if real.judged_tiles is not None and way == "network":
            result["tiles"] = tile_figures(lambda color, make=make: make(color)[MapKind.METALLIC], real.judged_tiles)
            _print("tiles", result["tiles"])
    make = engine_maps(models)
    result["learned"] = means(surface_figures(make(surface.color), surface) for surface in real.training)
    _print(f"network, on what it learned from ({len(real.training)})", result["learned"])
    result["own filter"] = means(own_filter(surface) for surface in real.judged if surface.normal is not None)
    _print("a filter fitted to the left half of each, on its right half", result["own filter"])
    result["shared filter"] = shared_filter([*real.training, *real.watched], real.judged)
    _print("slopes' correlation of one filter for all, fitted to so many surfaces", result["shared filter"])
    result["told filter"] = told_filter([*real.training, *real.watched], real.judged)
    _print("slopes' correlation of that filter when it is told more", result["told filter"])
    if upscaler:
        network = image_networks.load(models / FILES["upscaler"])
        result["seconds"] = {"512 to 2048": upscaler_seconds(network)}
        _print(f"on {torch.get_num_threads()} threads, seconds", result["seconds"])
        result["upscaler"] = upscaler_figures(network, [surface.color for surface in real.judged[::2]])
        _print("upscaler", result["upscaler"])
        late = image_networks.load(models / FILES["late"])
        result["eighth"] = late_figures(network, late, [surface.color for surface in real.judged[::2]])
        _print("eighth", result["eighth"])
    return result


def _print(group: str, row: Row) -> None:
    print(f"{group}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()), flush=True)


def upscaler_figures(network: image_networks.ImageNetwork, colors: list[NDArray[np.float32]]) -> Row:
    """Twice from half the size and four times from a quarter, by two kernels, with and without JPEG.

    What is gained over Lanczos in dB, the distances of the local spectra (nepers), and specks (pixels in a million).
    """
    rows: list[Row] = []
    for color in colors:
        height, width = (size // 4 * 4 for size in color.shape[:2])
        large = np.ascontiguousarray(color[:height, :width])
        row: Row = {}
        for kernel in ("lanczos", "area"):
            x = torch.from_numpy(large).permute(2, 0, 1)[None]
            for factor in (2, 4):
                x = halve(x, kernel).clamp(0, 1)
                for name, small in (("", x[0]), (" JPEG", jpeg(x[0], QUALITY))):
                    pixels = np.rint(small.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
                    ours, plain = (_enlarged(pixels, factor, used) for used in (network, None))
                    key = f"{factor}x {kernel}{name}"
                    row[f"{key} gain"] = psnr(ours, large) - psnr(plain, large)
                    row[f"{key} spectrum"], row[f"{key} spectrum by Lanczos"] = (
                        spectral(ours, large),
                        spectral(plain, large),
                    )
                    row[f"{key} specks"] = specks(ours, large)
        rows.append(row)
    return means(rows)


def late_figures(
    first: image_networks.ImageNetwork, late: image_networks.ImageNetwork, colors: list[NDArray[np.float32]]
) -> Row:
    """Eight times from a quarter's corner, with the late network: how far it is from the first one alone, beside
    Lanczos (dB), and the part of what the first one adds to Lanczos that is lost, in the mean and at worst."""
    rows: list[Row] = []
    for color in colors:
        height, width = (size // 4 * 4 for size in color.shape[:2])
        small = np.rint(shrink(np.ascontiguousarray(color[:height, :width]), 4) * 255).astype(np.uint8)[:64, :64]
        alone, both, plain = (_enlarged(small, 8, *used) for used in ((first,), (first, late), (None,)))
        lost = float(np.square(both - alone).mean() / np.square(plain - alone).mean())
        rows.append({"apart (dB)": psnr(both, alone), "Lanczos apart (dB)": psnr(plain, alone), "lost": lost})
    return {**means(rows), "lost at worst": max(row["lost"] for row in rows)}


def upscaler_seconds(network: image_networks.ImageNetwork, runs: int = 3) -> float:
    """The least of some runs of 512 to 2048, in colors."""
    pixels = np.random.default_rng(0).integers(256, size=(512, 512, 3), dtype=np.uint8)
    seconds = []
    for _ in range(runs):
        started = time.monotonic()
        _enlarged(pixels, 4, network)
        seconds.append(time.monotonic() - started)
    return min(seconds)


def _enlarged(
    pixels: NDArray[np.uint8],
    factor: int,
    network: image_networks.ImageNetwork | None,
    late: image_networks.ImageNetwork | None = None,
) -> NDArray[np.float32]:
    how = Means(network, TileLimits(), FREE, late)
    with easel() as used:
        return np.array(upscale(pixels, factor, how, Axes.XY, Content.COLOR, used).array)


def specks(made: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Pixels in a million that stand out of the 3 x 3 around them, by more than all but one in ten thousand do in the
    true picture and by more than an eighth."""
    ours, theirs = (np.abs(x - median_filter(x, (3, 3, 1), mode="wrap")).max(-1) for x in (made, truth))
    return float((ours > max(0.125, float(np.quantile(theirs, 0.9999)))).mean() * 1e6)
