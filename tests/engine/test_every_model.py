# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pipeline and denoiser of the installed diffusers is exact, measured or refused, and somebody has looked at it.

A new version of diffusers fails here until each new name stands in `every_model`.
"""

import json
from pathlib import Path

import diffusers
import pytest

from addon.core import families as core_families
from addon.core.errors import ErrorKind, UserError
from addon.core.families import catalogue
from addon.engine import families
from tests.engine import every_model

# What is there to import, by the names of diffusers' own index: nothing is imported for it.
INDEX = diffusers._import_structure


def names(text: str) -> list[str]:
    return text.split()


RUN = dict.fromkeys(names(every_model.EXACT), True) | dict.fromkeys(names(every_model.MEASURED), False)
NOT_RUN = [name for part in ("NOT_RUN", "REFUSED", "OTHER") for name in names(getattr(every_model, part))]


def test_every_pipeline_has_been_looked_at() -> None:
    there = {name for name in INDEX["pipelines"] if "Pipeline" in name and not name.endswith("Output")}
    there = {name for name in there if not name.startswith("AutoPipeline")}  # they choose among the others
    listed = [*RUN, *NOT_RUN]
    assert sorted(listed) == sorted(set(listed))
    assert there - set(listed) == set(), "new: are they exact, measured, or refused?"
    assert set(listed) - there <= set(names(every_model.OPTIONAL)), "gone"


def test_every_network_has_been_looked_at() -> None:
    listed = [
        name for part in ("NETWORKS", "REFUSED_NETWORKS", "NO_DENOISERS") for name in names(getattr(every_model, part))
    ]
    assert sorted(listed) == sorted(INDEX["models"])


@pytest.mark.parametrize("name", RUN)
def test_a_pipeline_that_is_run_is_as_exact_as_is_said(name: str) -> None:
    family = core_families.by_pipeline(name)
    assert family is not None
    assert family.exact is RUN[name]
    adapter = families.adapter_of(family)
    assert adapter.rolls is not RUN[name]
    for part in (family.denoiser, "vae"):
        assert all(families.periodic(network) is not None for network in family.components[part].classes)


def test_whatever_is_not_run_is_refused_by_name(tmp_path: Path) -> None:
    for name in NOT_RUN:
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}), encoding="utf-8")
        with pytest.raises(UserError) as caught:
            catalogue.resolve(str(tmp_path))
        assert caught.value.kind is ErrorKind.MODEL
        assert name in caught.value.message


def test_denoisers_are_periodic_or_refused_as_is_said() -> None:
    for name in names(every_model.NETWORKS):
        assert families.periodic(name) is not None, name
    for name in names(every_model.REFUSED_NETWORKS):
        assert families.periodic(name) is None, name
