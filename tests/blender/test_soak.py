# SPDX-License-Identifier: GPL-3.0-or-later
"""All of it at once: FAULTS.md's last paragraph."""

import pytest

from addon.core.results import PART
from addon.host.store import Store

from .conftest import Blender


@pytest.fixture
def blender(own_blender: Blender) -> Blender:
    """A process of its own, in which nothing else has left anything."""
    return own_blender


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_thousand_jobs_with_a_hundred_blows_lose_and_leave_nothing(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.0})
    blender.seconds = 300
    told = blender.run("soak.jobs_and_blows", hard_exit=True, jobs=1000, blows=100, seed=1)
    assert sum(told.values()) == 1000
    assert told["finished"] >= 900
    assert told["failed"] > 0
    assert told["cancelled"] > 0
    store = blender.store
    assert not list(store.glob(f"{PART}*"))
    assert len(Store(store).results()) >= told["finished"]
