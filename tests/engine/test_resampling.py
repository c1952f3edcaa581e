# SPDX-License-Identifier: GPL-3.0-or-later
"""Between sizes by any ratio: as by whole factors where there is one, flat where the picture is flat."""

import numpy as np
import pytest
import torch

from addon.engine.resampling import Lanczos, lanczos_taps, mean_taps, resample, shrink


def test_a_whole_factor_gives_what_blocks_and_the_convolution_give():
    picture = np.random.default_rng(0).random((12, 20, 3), np.float32)
    rows, columns = mean_taps(slice(0, 3), 3, 12), mean_taps(slice(1, 5), 5, 20)
    assert np.abs(resample(picture[:, 4:], rows, columns) - shrink(picture[:, 4:], 4)).max() < 1e-6
    rows, columns = lanczos_taps(slice(12, 36), 12, 48), lanczos_taps(slice(16, 60), 20, 80)
    enlarged = resample(picture[rows.start : rows.stop, columns.start : columns.stop], rows, columns)
    expected = Lanczos(4)(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(enlarged - expected[12:36, 16:60]).max() < 1e-6


@pytest.mark.parametrize(("small", "large"), [(512, 2047), (3, 7), (7, 7), (1, 5)])
def test_all_pixels_count_alike(small, large):
    taps = mean_taps(slice(0, small), small, large)
    assert (taps.start, taps.stop) == (0, large)
    assert np.abs(taps(np.ones((large, 1), np.float32)) - 1).max() < 1e-5
    ramp = np.arange(large, dtype=np.float32)[:, None]
    assert taps(ramp).mean() == pytest.approx(ramp.mean(), rel=1e-5)
    wide = lanczos_taps(slice(0, large), small, large)
    assert np.abs(wide(np.ones((wide.stop - wide.start, 1), np.float32)) - 1).max() < 1e-5
