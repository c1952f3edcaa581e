# SPDX-License-Identifier: GPL-3.0-or-later
"""The real packages from the real index, and a texture made with them. Only where $TILEWRIGHT_REAL_INSTALL is set.

Downloads 3 GB and needs 9 GB of disk for a while.
"""

import os
from pathlib import Path

import pytest

from addon.core import lock as locks
from addon.core.requests.texture import Size, TextureRequest
from addon.host import environment, probe, runtime
from addon.host.environment import Condition
from addon.host.installer import Installer
from addon.host.installer_messages import InstallerAction, InstallerTask
from addon.host.process import local_workers
from addon.host.session import Session
from addon.host.store import Store

from .conftest import until

LIST = Path(environment.__file__).resolve().parent / "locks" / "index.json"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not os.environ.get("TILEWRIGHT_REAL_INSTALL"), reason="TILEWRIGHT_REAL_INSTALL is not set")
def test_the_real_packages_make_a_texture(tmp_path: Path) -> None:
    lock = locks.load(LIST, locks.this_target())
    installer = Installer(
        InstallerTask(InstallerAction.INSTALL, str(LIST), str(tmp_path / "engine"), online=True), tmp_path / "log"
    )
    until(lambda: installer.pump() is not None and installer.outcome is not None, 3000, "the installer's end")
    assert installer.outcome
    assert installer.outcome.error is None, installer.outcome.error
    verdict = environment.inspect(tmp_path / "engine", lock)
    assert verdict.condition is Condition.READY
    python = environment.executable(verdict.folder)
    assert probe.ask(python).packages["torch"]
    store = Store(tmp_path / "store")
    session = Session(
        store=store,
        find_runtime=lambda: runtime.find("", lambda: python),
        start_worker=local_workers(tmp_path / "engine.log", store.clean_parts),
        product="test",
    )
    try:
        job = session.submit(TextureRequest("red brick wall", size=Size(256, 256), steps=10, guidance_scale=3.0))
        session.wait(job, 600)
        assert job.error is None
        assert job.results[0].seam_score is not None
    finally:
        session.close()
