# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam metric: does a texture show an edge where it repeats? Imports numpy and core only.

Two ratios, each comparing the cut between the last and the first pixels with the picture's own interior, so that no
threshold depends on the material:

*step*: how far the brightness jumps across the cut beyond what its slopes on both sides explain, over what interior
cuts reach; sees edges in smooth and in grainy textures.
*novelty*: how unlike anything else in the picture the patches astride the cut are, over the same for interior cuts;
sees a brick cut in two, where there is no step.

A value above `THRESHOLD` means a visible seam, but where the chain that made the picture is exactly periodic: there the
seam is one cut among equals, and how it does among random ones decides (`roll_p`). Work is bounded by sampling rows and
patches, always the same ones for the same size: a picture of any size takes about as long as one of 512 pixels, and the
same picture has the same score.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import results
from .requests.texture import Axes

THRESHOLD = results.SEAM_THRESHOLD

_SCALES = (1, 2, 4, 8)  # pixels: width of the strips that are compared
_REACH = 2 * max(_SCALES)  # pixels on either side of a cut that the step looks at
_BLOCK = 16  # rows that a local jump must span to be seen as an edge
_STRIP_BLOCKS = 16  # blocks of rows looked at
_RUN, _RUNS = 160, 4  # pixels and number of the runs of columns that are looked at in wide pictures
_INVISIBLE = 1.0  # of 255: a jump below that is rounding, however even the interior is
_INVISIBLE_DISTANCE = 4.0  # between two patches: a quarter of one in 255 in each of their 256 pixels
_PATCH = 16  # pixels: side of the patches whose novelty is measured
_MOST_ROLLED = 1 << 24  # pixels; larger pictures would be copied whole for each roll
_INTERIOR_CUTS = 32
_PATCHES_PER_CUT = 24
_NOVELTY_SLACK = 1.1  # distances estimated from so few patches scatter by that much
_BANK = 1500  # patches to find neighbours among
_FEATURES = 5  # cosine frequencies a side that a patch is described by
_NOVELTY_SIDE = 512  # pixels; larger pictures are thinned out to about that for the patches


@dataclass(frozen=True)
class SeamScore:
    """Both ratios, the worse axis of each. 1 is what the picture's own interior reaches; no upper limit."""

    step: float
    novelty: float

    @property
    def value(self) -> float:
        """The worse of both: the number that people are shown."""
        return max(self.step, self.novelty)

    @property
    def seamless(self) -> bool:
        return self.value <= THRESHOLD


def measure(image: NDArray[np.uint8], axes: Axes = Axes.XY) -> SeamScore:
    """Score the seams of a picture, shape (height, width, 3), 8-bit, each side at least 64.

    axes: the axes to judge; with `NONE` both are judged, to tell what tiling it anyway would look like.
    """
    step, novelty = 0.0, 0.0
    rng = np.random.default_rng(0)
    # the cut of the x axis is a column: rows are the samples along it; the y axis is the same on the transposed picture
    for wanted, view in ((axes.x, image), (axes.y, image.transpose(1, 0, 2))):
        if wanted or axes is Axes.NONE:
            step = max(step, _step(view, rng))
            novelty = max(novelty, _novelty(view, rng))
    return SeamScore(step, novelty)


def judge(image: NDArray[np.uint8], axes: Axes, exact: bool) -> tuple[float, dict[str, str]]:
    """The score of a picture, and both figures in words for its recipe.

    exact: whether the chain that made it is periodic by construction. A score that fails is then a false alarm, or a
    fault of ours: only then the roll test is worth its time. It ends at the first roll that is as bad: half of the
    false alarms take two, a seam 99, some seconds. Of large pictures it sees a part.
    """
    score = measure(image, axes).value
    words = {results.RECIPE_SCORE: f"{score:.3f}"}
    if exact and score > THRESHOLD and axes is not Axes.NONE:
        words[results.RECIPE_P] = f"{roll_p(_thinned(image), axes, np.random.default_rng(0), enough=1):.3f}"
    return score, words


def _thinned(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th pixel of a picture that is too large to be rolled; n divides the sides, so it stays periodic."""
    height, width = image.shape[:2]
    step = 1
    while height // step * (width // step) > _MOST_ROLLED and height % (2 * step) == width % (2 * step) == 0:
        step *= 2
    return image[::step, ::step]


def roll_p(image: NDArray[np.uint8], axes: Axes, rng: np.random.Generator, rolls: int = 99, enough: int = 3) -> float:
    """How likely a random cut through a picture that is periodic scores as its seam does, or worse.

    The cuts keep off the seam itself. Stops when `enough` have (Besag and Clifford, Sequential Monte Carlo p-values,
    1991).
    """
    here, worse = measure(image, axes).value, 0
    height, width = image.shape[:2]
    for roll in range(1, rolls + 1):
        down, right = (int(rng.integers(_REACH, side - _REACH)) for side in (height, width))
        shift = (down * axes.y, right * axes.x)
        worse += measure(np.roll(image, shift, (0, 1)), axes).value >= here
        if worse == enough:
            return worse / roll
    return (worse + 1) / (rolls + 1)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return pixels.astype(np.float32) @ weights


def _step(view: NDArray[np.uint8], rng: np.random.Generator) -> float:
    height, width = view.shape[:2]
    rows = _block_rows(height, rng)
    if width <= _RUNS * _RUN:
        starts, length = [0], width
    else:
        starts, length = sorted(rng.permutation(np.arange(0, width - _RUN, _RUN))[:_RUNS].tolist()), _RUN
    interior = np.concatenate([_jumps(view[rows, start : start + length]) for start in starts], axis=1)
    seam = _jumps(np.concatenate([view[rows, -_REACH:], view[rows, :_REACH]], axis=1))[:, 0]
    return _against(seam, interior, 0.995, _INVISIBLE)


def _against(seam: NDArray[np.float32], interior: NDArray[np.float32], quantile: float, least: float) -> float:
    """The seam's worst statistic over what interior cuts reach: shapes (statistics,) and (statistics, cuts).

    Each interior cut is judged by its own worst statistic too: otherwise the seam would have as many chances to fail
    as there are statistics, and the more we look at the more often a good texture would be blamed.
    """
    usual = np.maximum(np.quantile(interior, quantile, axis=1), least)
    worst = (interior / usual[:, None]).max(0)
    return float((seam / usual).max() / max(float(np.quantile(worst, quantile)), 1.0))


def _jumps(strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """For each scale two statistics of every cut that has whole strips on both sides: shape (2 * scales, cuts).

    With the means of two strips on either side, L2, L1 | R1, R2, the jump is |(R1 - L1) - ((L1 - L2) + (R2 - R1)) / 2|.
    """
    sums = np.zeros((strip.shape[0], strip.shape[1] + 1), np.float32)
    np.cumsum(_grey(strip), axis=1, out=sums[:, 1:])
    cuts = strip.shape[1] - 2 * _REACH + 1
    statistics = []
    for scale in _SCALES:
        e = [sums[:, _REACH + offset * scale :][:, :cuts] for offset in (-2, -1, 0, 1, 2)]
        # 1.5 (R1 - L1) - 0.5 (R2 - L2), with the strips' sums written as differences of `sums`
        jump = np.abs(1.5 * (e[3] - 2 * e[2] + e[1]) - 0.5 * (e[4] - e[3] - e[1] + e[0])) / scale
        blocks = jump.reshape(-1, _BLOCK, cuts).mean(1)
        statistics += [blocks.mean(0), np.quantile(blocks, 0.9, axis=0)]
    jumps: NDArray[np.float32] = np.stack(statistics).astype(np.float32)
    return jumps


def _block_rows(height: int, rng: np.random.Generator) -> NDArray[np.intp]:
    starts = np.arange(0, height - _BLOCK + 1, _BLOCK)
    if len(starts) > _STRIP_BLOCKS:
        starts = np.sort(rng.permutation(starts)[:_STRIP_BLOCKS])
    return (starts[:, None] + np.arange(_BLOCK)).ravel()


def _novelty(view: NDArray[np.uint8], rng: np.random.Generator) -> float:
    stride = max(min(view.shape[0], view.shape[1]) // _NOVELTY_SIDE, 1)
    thin = view[::stride, ::stride][:, :, 1].astype(np.float32)
    scales = [_novelty_at(thin, rng)]
    if min(thin.shape) >= 6 * _PATCH:
        even = thin[: thin.shape[0] // 2 * 2, : thin.shape[1] // 2 * 2]
        scales.append(_novelty_at((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4, rng))
    both = np.stack(scales)
    return _against(both[:, 0], both[:, 1:], 1.0, _INVISIBLE_DISTANCE) / _NOVELTY_SLACK


def _novelty_at(grey: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mean distance of each cut's patches to their nearest neighbours elsewhere; the seam's comes first."""
    height, width = grey.shape
    half = _PATCH // 2
    # left edges of the patches: the seam's (half a patch before the edge), then interior ones
    lefts = np.concatenate([[-half], np.linspace(half, width - _PATCH - half, _INTERIOR_CUTS).astype(int)])
    tops = rng.integers(0, height - _PATCH + 1, _PATCHES_PER_CUT)
    x, y = np.meshgrid(lefts, tops, indexing="ij")
    bank_x = rng.integers(0, width - _PATCH + 1, _BANK)
    bank_y = rng.integers(0, height - _PATCH + 1, _BANK)
    queries = _features(grey, x.ravel(), y.ravel())
    bank = _features(grey, bank_x, bank_y)
    squares = queries @ (-2 * bank.T)
    squares += (queries**2).sum(1)[:, None]
    squares += (bank**2).sum(1)
    squares = squares.reshape(len(lefts), len(tops), _BANK)
    # a patch that shares pixels is no neighbour
    near_x, near_y = _near(lefts, bank_x, width), _near(tops, bank_y, height)
    np.putmask(squares, near_x[:, None] & near_y[None], np.inf)
    nearest: NDArray[np.float32] = np.sqrt(np.maximum(squares.min(2), 0)).mean(1)
    return nearest


def _near(places: NDArray[np.intp], bank: NDArray[np.intp], period: int) -> NDArray[np.bool_]:
    distance = np.abs(places[:, None] - bank[None])
    return np.minimum(distance, period - distance) < _PATCH


def _features(grey: NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp]) -> NDArray[np.float32]:
    """The patches at those corners, in their lowest cosine frequencies: shape (patches, _FEATURES**2)."""
    height, width = grey.shape
    wrapped = np.concatenate([grey, grey[:, :_PATCH]], 1)
    wrapped = np.concatenate([wrapped, wrapped[:_PATCH]])
    patches = np.lib.stride_tricks.sliding_window_view(wrapped, (_PATCH, _PATCH))[y % height, x % width]
    # two large products in place of two small ones for each patch
    across = (patches.reshape(-1, _PATCH) @ _COSINES).reshape(len(x), _PATCH, _FEATURES).transpose(0, 2, 1)
    features: NDArray[np.float32] = (across.reshape(-1, _PATCH) @ _COSINES).reshape(len(x), -1)
    return features


def _cosines() -> NDArray[np.float32]:
    """The first columns of the orthonormal DCT-II matrix: shape (_PATCH, _FEATURES)."""
    place, frequency = np.mgrid[:_PATCH, :_FEATURES]
    basis = np.cos(np.pi * (place + 0.5) * frequency / _PATCH) * np.sqrt(2 / _PATCH)
    basis[:, 0] /= np.sqrt(2)
    cosines: NDArray[np.float32] = basis.astype(np.float32)
    return cosines


_COSINES = _cosines()
