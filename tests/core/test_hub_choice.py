# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository are wanted, what is stored of them, and the table of models worth having."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from addon.core.errors import UserError
from addon.core.families import worth_having
from addon.core.families.worth_having import WORTH_HAVING, Use, known, use_of
from addon.core.hub import stored
from addon.core.hub.choice import choose, loose_files
from addon.core.hub.messages import HubAction, HubModel, HubOutcome, HubProgress, HubStage, HubTask, decode, encode
from addon.core.hub.stored import HubFile, Plan

SMALL = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
}
UNET, VAE, TEXT = "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"
TEXTS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
)


def files(*paths: str) -> list[HubFile]:
    return [HubFile(path, 100, "git:" + "0" * 40) for path in paths]


def chosen(paths: Sequence[str], index: Any = SMALL, **fields: Any) -> list[str]:
    data = None if index is None else json.dumps(index).encode()
    return [file.path for file in choose("a/b", files(*paths), data, **fields)]


def weights(suffix: str) -> list[str]:
    return [f"{stem}{suffix}" for stem in (TEXT, UNET, VAE)]


def test_a_model_is_its_configurations_its_tokenizer_and_one_set_of_weights() -> None:
    others = [
        ".gitattributes",
        "v1-5-pruned.ckpt",
        "v1-5-pruned.safetensors",
        "pipeline.py",
        "safety_checker/model.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/code.py",
        "images/a.png",
        "tokenizer/special.pkl",
        "README.md",
        "LICENSE",
        "LICENSE.py",
        *weights(".non_ema.safetensors"),
    ]
    found = chosen([*TEXTS, *weights(".safetensors"), *others])
    assert found == sorted([*TEXTS, *weights(".safetensors"), "README.md", "LICENSE"])


def test_half_precision_is_preferred_where_it_is_complete() -> None:
    plain, half = weights(".safetensors"), weights(".fp16.safetensors")
    assert [path for path in chosen([*TEXTS, *plain, *half]) if path not in TEXTS] == half
    assert [path for path in chosen([*TEXTS, *plain, half[1]]) if path not in TEXTS] == plain
    mixed = [plain[0], half[1], plain[2]]
    assert [path for path in chosen([*TEXTS, *mixed]) if path not in TEXTS] == mixed


@pytest.mark.parametrize(
    ("pieces", "list_"),
    [
        (f"{UNET}-0000{{n}}-of-00002.safetensors", f"{UNET}.safetensors.index.json"),
        (f"{UNET}.fp16-0000{{n}}-of-00002.safetensors", f"{UNET}.safetensors.index.fp16.json"),
        (f"{UNET}-0000{{n}}-of-00002.fp16.safetensors", f"{UNET}.safetensors.index.fp16.json"),
    ],
)
def test_weights_in_pieces_come_with_their_list(pieces: str, list_: str) -> None:
    suffix = ".fp16.safetensors" if "fp16" in pieces else ".safetensors"
    parts = [pieces.format(n=n) for n in (1, 2)]
    found = chosen([*TEXTS, TEXT + suffix, VAE + suffix, *parts, list_])
    assert {*parts, list_} <= set(found)


@pytest.mark.parametrize(
    ("index", "paths", "words"),
    [
        (SMALL, [*TEXTS, *weights(".safetensors")[::2], f"{UNET}.bin"], rf"{UNET}\.bin only as a pickle"),
        (SMALL, [*TEXTS, *weights(".safetensors")[:2]], "no safetensors weights for its vae"),
        (SMALL | {"_class_name": "SomethingPipeline"}, TEXTS, "is a 'SomethingPipeline', which Tilewright cannot run"),
        (SMALL | {"unet": ["unet", "MyUNet"]}, TEXTS, "MyUNet.* as its unet, which is not on the list of safe classes"),
        (SMALL | {"_class_name": ["x"]}, TEXTS, "cannot run"),
        ([], TEXTS, "model_index.json of a/b is damaged"),
        (None, ["weights.ckpt", "README.md"], "weights.ckpt only as a pickle"),
        (None, ["README.md"], "holds no safetensors"),
        (None, ["a.safetensors", "b.safetensors"], "several models: a.safetensors, b.safetensors"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(index: Any, paths: Sequence[str], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        chosen(paths, index)
    assert error.value.hint


def test_single_files_and_parts_of_models() -> None:
    assert chosen(["x.safetensors", "samples/y.safetensors", "a.bin"], None) == ["x.safetensors"]
    part = ["config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"]
    assert chosen(part, None) == [part[0], part[2]]
    several = ["a.safetensors", "sub/b.safetensors", "sub/config.json", "c.bin"]
    assert chosen(several, None, wanted=("sub/b.safetensors", "sub/config.json")) == several[1:3]
    assert loose_files(files(*several)) == ("a.safetensors",)
    for wanted in ("c.bin", "d.safetensors", "../x.safetensors", "e.py"):
        with pytest.raises(UserError, match=r"pickle|no file|safetensors"):
            chosen([*several, "e.py", "../x.safetensors"], None, wanted=(wanted,))


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/x",
        "a/../x",
        "C:/x",
        "a\\x",
        "a//x",
        "",
        "a/",
        ".git/x",
        "nul.json",
        "a/con",
        "x.",
        "x ",
        "a\nx",
        "é.json",
    ],
)
def test_fault_21_odd_names_of_files_are_not_safe(path: str) -> None:
    assert not stored.is_safe(path)


PLAN = Plan("a/b", "0" * 40, tuple(files("unet/config.json")), "mit", gated=True)


def test_what_is_stored_reads_back_and_what_is_broken_does_not(tmp_path: Path) -> None:
    stored.save(tmp_path, PLAN)
    assert stored.load(tmp_path) == PLAN
    assert [path.name for path in tmp_path.iterdir()] == [stored.FILE]
    sound = PLAN.to_json()
    for change in (
        {"format": 2},
        {"repository": "../b"},
        {"revision": "main"},
        {"files": {"../x": [1, "git:" + "0" * 40]}},
        {"files": {"x": [-1, "git:" + "0" * 40]}},
        {"files": {"x": [1, "md5:0"]}},
        {"files": []},
        {"licence": 3},
    ):
        (tmp_path / stored.FILE).write_text(json.dumps(sound | change))
        assert stored.load(tmp_path) is None


def test_messages_read_back() -> None:
    task = HubTask(HubAction.LOOK, repository="a/b", wanted=("x",), plan=PLAN, token="hf_secret")
    assert HubTask.loads(task.dumps()) == task
    assert "hf_secret" not in repr(task)
    progress = HubProgress(HubStage.DOWNLOADING, "x", 1, 4, 3.0)
    assert decode(encode(progress).strip()) == progress
    assert progress.fraction == 0.25
    outcome = HubOutcome(None, (HubModel("a/b", 3, "mit", True),), PLAN, "/x", ("y",))
    assert decode(encode(outcome).strip()) == outcome


def test_every_row_of_the_table_is_sound() -> None:
    assert len({(row.repository, row.wanted, row.title) for row in WORTH_HAVING}) == len(WORTH_HAVING)
    for row in WORTH_HAVING:
        assert stored.is_repository(row.repository)
        assert row.title
        assert row.what
        assert row.revision == "" or re.fullmatch("[0-9a-f]{40}", row.revision)
        assert all(stored.is_safe(path) and path.endswith((".safetensors", ".json")) for path in row.wanted)
        assert row.note.endswith(".") or not row.note
        assert row.refused.endswith(".") or not row.refused
        assert known(row.repository, row.wanted) is not None
        assert use_of(row.licence) in (row.use, Use.READ), "a table that says less than the licence's name"


@pytest.mark.parametrize(
    ("licence", "use"),
    [
        ("apache-2.0", Use.YES),
        ("MIT", Use.YES),
        ("openrail++", Use.READ),
        ("other", Use.READ),
        ("", Use.READ),
        ("cc-by-nc-4.0", Use.NO),
        ("sai-nc-community", Use.NO),
        ("flux-1-dev-non-commercial-license", Use.NO),
    ],
)
def test_what_a_licences_name_says_of_commercial_use(licence: str, use: Use) -> None:
    assert use_of(licence) is use


def test_a_repository_with_several_rows_is_known_by_its_files() -> None:
    row = known("H94/ip-adapter", ("sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors", *WORTH_HAVING[-4].wanted[1:]))
    assert row is not None
    assert "SDXL" in row.title
    assert known("nobody/nothing") is None
    assert worth_having.WORTH_HAVING is WORTH_HAVING
