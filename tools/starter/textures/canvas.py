# SPDX-License-Identifier: GPL-3.0-or-later
"""The torus that textures are drawn on: periodic noise and shape primitives. Imports numpy and scipy only.

All lengths are in pixels and all fields are float32 arrays of shape (H, W). Everything made here is a function on the
torus: no primitive knows where the edge of the tile is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Field = NDArray[np.float32]
Ints = NDArray[np.integer[Any]]


def smoothstep(low: float | Field, high: float | Field, value: Field) -> Field:
    """0 below `low`, 1 above `high`, the cubic 3t^2 - 2t^3 between; `low` > `high` falls instead of rising."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0).astype(np.float32, copy=False)
    out: Field = t * t * (3.0 - 2.0 * t)
    return out


def mix(a: Any, b: Any, mask: Field) -> Field:
    """Blend fields or numbers: `a` where mask is 0, `b` where it is 1."""
    out: Field = a + (b - a) * mask
    return out


def blend(a: Any, b: Any, mask: Field) -> NDArray[np.float32]:
    """Blend colours, (3,) or (H, W, 3): `a` where the (H, W) mask is 0, `b` where it is 1."""
    out: NDArray[np.float32] = a + (b - a) * mask[..., None]
    return out


@dataclass(frozen=True)
class Cells:
    """A tiling of the torus: per pixel, which cell, and where in it."""

    index: Ints  # (H, W), 0..count-1
    count: int
    edge: Field  # distance to the cell's border, px
    dx: Field  # offset from the cell's centre, px
    dy: Field

    def pick(self, table: NDArray[Any]) -> Any:
        """Spread a table with one row per cell over the pixels."""
        return np.take(table, self.index, axis=0)


@dataclass
class Canvas:
    """A torus of height x width pixels and the random generator that draws on it."""

    rng: np.random.Generator
    height: int
    width: int
    _grids: dict[str, Field] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def x(self) -> Field:
        """(1, W) pixel centres."""
        return (np.arange(self.width, dtype=np.float32) + np.float32(0.5))[None, :]

    @property
    def y(self) -> Field:
        """(H, 1) pixel centres."""
        return (np.arange(self.height, dtype=np.float32) + np.float32(0.5))[:, None]

    def transposed(self) -> Canvas:
        """The same torus lying on its side; transpose what was drawn to get it back."""
        return Canvas(self.rng, self.width, self.height)

    def full(self, value: float) -> Field:
        return np.full(self.shape, value, np.float32)

    def fits(self, length: float, feature: float, least: int = 2, even: bool = False) -> int:
        """How many features of about `feature` px go into `length` px, as a whole (or even) number."""
        if even:
            return max(2 * round(length / feature / 2), least + least % 2)
        return max(round(length / feature), least)

    def normal(self, *shape: int) -> Field:
        return self.rng.standard_normal(shape, dtype=np.float32)

    def random(self, *shape: int) -> Field:
        return self.rng.random(shape, dtype=np.float32)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def choice(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    # --- noise ---------------------------------------------------------------------------------------------------

    def _spectrum(self, shape: Field) -> Field:
        """Gaussian noise with the given amplitude spectrum (H, W // 2 + 1), mean 0 and deviation 1."""
        h, w = self.shape
        # Uniform coefficients serve as well as normal ones (the sum of so many is normal) and are drawn much faster.
        white = self.random(h, w // 2 + 1, 2) - np.float32(0.5)
        spectrum = white.view(np.complex64)[..., 0] * shape
        spectrum[0, 0] = 0.0
        out: Field = scipy.fft.irfft2(spectrum, s=(h, w), overwrite_x=True)
        out /= np.float32(max(float(np.sqrt(np.vdot(out, out) / out.size)), 1e-9))
        return out

    def _frequencies(self, stretch_x: float, stretch_y: float) -> Field:
        """Squared frequency, cycles per px, of the half spectrum, with axes stretched."""
        fy = np.fft.fftfreq(self.height).astype(np.float32)[:, None] * np.float32(stretch_y)
        fx = np.fft.rfftfreq(self.width).astype(np.float32)[None, :] * np.float32(stretch_x)
        return np.add(fx * fx, fy * fy, dtype=np.float32)

    def noise(self, feature: float, slope: float = 1.6, along_x: float = 1.0, along_y: float = 1.0) -> Field:
        """Cloudy noise with features of about `feature` px and finer detail falling off as frequency**-slope.

        `along_x` and `along_y` stretch it: along_x=20 draws streaks along x.
        """
        f2 = self._frequencies(along_x, along_y)
        return self._spectrum((f2 + np.float32((0.5 / feature) ** 2)) ** np.float32(-slope / 2))

    def blobs(self, feature: float, along_x: float = 1.0, along_y: float = 1.0) -> Field:
        """Smooth noise of one scale only: bumps and dents about `feature` px apart."""
        f2 = self._frequencies(along_x, along_y) * np.float32(feature * feature)
        return self._spectrum(f2 * np.exp(np.float32(-1.2) * f2))

    def grain(self) -> Field:
        """White noise, one value per pixel, deviation 1."""
        return self.normal(*self.shape)

    def blur(self, value: Field, sigma: float) -> Field:
        """Gaussian blur on the torus."""
        f2 = self._frequencies(1.0, 1.0)
        kernel = np.exp(np.float32(-2.0 * np.pi**2 * sigma * sigma) * f2)
        out: Field = scipy.fft.irfft2(scipy.fft.rfft2(value) * kernel, s=self.shape)
        return out

    def shifted(self, value: Field, cells: Cells) -> Field:
        """`value` with each cell looking at another part of it: breaks continuity between cells, not inside them."""
        oy = self.rng.integers(0, self.height, cells.count)
        ox = self.rng.integers(0, self.width, cells.count)
        rows = (np.arange(self.height)[:, None] + oy[cells.index]) % self.height
        columns = (np.arange(self.width)[None, :] + ox[cells.index]) % self.width
        out: Field = value[rows, columns]
        return out

    def sample(self, value: Field, x: Field, y: Field) -> Field:
        """`value` at pixel coordinates (x, y), nearest pixel, wrapped."""
        out: Field = value[self.pixel(x, y)]
        return out

    def pixel(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The index (row, column) of the pixel that holds the point (x, y), wrapped."""
        return np.floor(y).astype(np.int64) % self.height, np.floor(x).astype(np.int64) % self.width

    # --- tilings -------------------------------------------------------------------------------------------------

    def grid(
        self,
        rows: int,
        columns: int,
        shift: str | float = 0.5,
        uneven: float = 0.0,
        offset: tuple[Field | float, Field | float] = (0.0, 0.0),
        round_corners: float = 0.0,
    ) -> Cells:
        """Rows of rectangles. `shift`: fraction of a cell by which odd rows move, or "random" for each row.

        `uneven` varies the heights of rows and the widths of cells by that fraction; `offset` (x, y) in px bends it.
        """
        h, w = self.shape
        heights = 1.0 + uneven * self.rng.uniform(-1.0, 1.0, rows)
        bounds_y = np.concatenate([[0.0], np.cumsum(heights)]) * (h / heights.sum())
        y = np.mod(self.y + offset[1], h)
        row = np.clip(np.searchsorted(bounds_y, y, side="right") - 1, 0, rows - 1)
        shifts = self.rng.random(rows) if shift == "random" else (np.arange(rows) % 2) * float(shift)
        x = np.mod(self.x + offset[0] - (shifts * (w / columns)).astype(np.float32)[row], w)
        widths = 1.0 + uneven * self.rng.uniform(-1.0, 1.0, (rows, columns))
        bounds_x = np.concatenate([np.zeros((rows, 1)), np.cumsum(widths, axis=1)], axis=1)
        bounds_x *= w / widths.sum(axis=1, keepdims=True)
        if uneven:  # one sorted list for all rows: row r occupies r*2w .. r*2w + w
            flat = (bounds_x[:, :-1] + np.arange(rows)[:, None] * 2.0 * w).ravel()
            index = np.searchsorted(flat, x + row * (2.0 * w), side="right") - 1
            index = np.clip(index, row * columns, row * columns + columns - 1)
        else:
            index = row * columns + np.minimum((x * (columns / w)).astype(np.int64), columns - 1)
        index = np.broadcast_to(index, self.shape)
        half_x = (np.diff(bounds_x, axis=1) / 2).astype(np.float32).ravel()
        middle_x = ((bounds_x[:, 1:] + bounds_x[:, :-1]) / 2).astype(np.float32).ravel()
        half_y = (np.diff(bounds_y) / 2).astype(np.float32)
        middle_y = ((bounds_y[1:] + bounds_y[:-1]) / 2).astype(np.float32)
        dx = (x - middle_x[index]).astype(np.float32)
        dy = np.broadcast_to((y - middle_y[row]).astype(np.float32), self.shape)
        ex = half_x[index] - np.abs(dx)
        ey = half_y[row] - np.abs(dy)
        edge = np.minimum(ex, ey)
        if round_corners:
            r = np.float32(round_corners)
            corner = r - np.hypot(np.maximum(r - ex, 0), np.maximum(r - ey, 0))
            edge = np.where((ex < r) & (ey < r), corner, edge)
        return Cells(np.ascontiguousarray(index), rows * columns, edge.astype(np.float32), dx, dy)

    def worley(
        self,
        feature: float,
        jitter: float = 0.8,
        offset: tuple[Field | float, Field | float] = (0.0, 0.0),
        aspect: float = 1.0,
        staggered: bool = True,
        least: int = 2,
        regular: bool = False,
    ) -> Cells:
        """Voronoi cells of jittered points about `feature` px apart (`aspect` times wider than high).

        `edge` is the distance to the bisector with the second nearest point.
        """
        h, w = self.shape
        rows = self.fits(h, feature, least, even=staggered)
        columns = self.fits(w, feature * aspect, least)
        if regular:  # the whole numbers whose cells come closest to the wanted proportions and size
            step = 2 if staggered else 1
            options = [
                (abs(np.log(w * r / (h * n * aspect))) * 3 + abs(np.log(h / (r * feature))), r, n)
                for r in range(step, 3 * rows + 1, step)
                for n in range(2, 3 * columns + 1)
            ]
            _, rows, columns = min(options)
        sy, sx = h / rows, w / columns
        px = (0.5 + jitter * (self.random(rows, columns) - 0.5)).astype(np.float32).ravel()
        py = (0.5 + jitter * (self.random(rows, columns) - 0.5)).astype(np.float32).ravel()
        u = np.broadcast_to((self.x + offset[0]) / np.float32(sx), self.shape)
        v = np.broadcast_to((self.y + offset[1]) / np.float32(sy), self.shape)
        whole = np.floor(v)
        iv, fv = whole.astype(np.int32), (v - whole).astype(np.float32)
        # The candidate's number 0..8 goes into the low bits of its squared distance, read as an integer (whose order
        # is that of positive floats), so that the two nearest are found by minimum and maximum alone.
        best = np.full(self.shape, np.iinfo(np.int32).max, np.int32)
        second, spare = best.copy(), np.empty_like(best)
        slides = []
        for k, oy in enumerate((-1, 0, 1)):
            row = (iv + oy) % rows
            slid = u - np.float32(0.5) * (row % 2).astype(np.float32) if staggered else u
            whole = np.floor(slid)
            iu, fu = whole.astype(np.int32), (slid - whole).astype(np.float32)
            row *= columns
            slides.append((row, iu, fu))
            down = np.float32(oy) - fv
            for j, ox in enumerate((-1, 0, 1)):
                cell = row + (iu + ox) % columns
                dx = (np.take(px, cell, mode="clip") + (np.float32(ox) - fu)) * np.float32(sx)
                dy = (np.take(py, cell, mode="clip") + down) * np.float32(sy)
                code = (dx * dx + dy * dy).view(np.int32)
                code &= ~np.int32(15)
                code |= np.int32(3 * k + j)
                np.maximum(best, code, out=spare)
                np.minimum(second, spare, out=second)
                np.minimum(best, code, out=best)

        def decode(code: NDArray[np.int32]) -> tuple[Field, Field, NDArray[np.int32]]:
            k, j = np.divmod(code & 15, 3)
            row, iu, fu = (np.choose(k, [slide[n] for slide in slides]) for n in range(3))
            cell = row + (iu + j - 1) % columns
            return (px[cell] + (j - 1 - fu)) * np.float32(sx), (py[cell] + (k - 1 - fv)) * np.float32(sy), cell

        bx, by, index = decode(best)
        cx, cy, _ = decode(second)
        apart = np.hypot(cx - bx, cy - by) + 1e-3
        edge = (cx * cx + cy * cy - bx * bx - by * by) / (2.0 * apart)
        return Cells(index, rows * columns, edge.astype(np.float32), (-bx).astype(np.float32), (-by).astype(np.float32))

    def patch(self, x: float, y: float, reach: float) -> tuple[Any, Field, Field]:
        """The pixels within `reach` px (at most half the torus) of (x, y), wrapped.

        Returns an index for arrays of this canvas, and the offsets dx (1, n) and dy (m, 1) from (x, y).
        """
        nx = min(int(reach) + 1, (self.width - 1) // 2)
        ny = min(int(reach) + 1, (self.height - 1) // 2)
        columns, rows = np.arange(-nx, nx + 1) + int(x), np.arange(-ny, ny + 1) + int(y)
        dx, dy = (columns + 0.5 - x).astype(np.float32), (rows + 0.5 - y).astype(np.float32)
        return np.ix_(*self.pixel(columns, rows)), dx[None, :], dy[:, None]
