"""`data synth`: a data set without a single person in it, and with a known best possible result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_melanoma.cli.options import Force, Json, Out, Workers


def synth(
    out: Out,
    lesions: Annotated[int, typer.Option(help="How many lesions.")] = 600,
    size: Annotated[int, typer.Option(help="Width and height of the pictures.")] = 160,
    seed: Annotated[int, typer.Option(help="Same version, seed and lesion number: same bytes.")] = 0,
    views: Annotated[int, typer.Option(help="Pictures of one lesion, at most.")] = 2,
    classes: Annotated[int, typer.Option(help="2 (melanoma, nevus) or 7 (those of HAM10000).")] = 2,
    others: Annotated[str, typer.Option(help="Shares of seven classes: even, or as in HAM10000 (ham).")] = "even",
    p_mel: Annotated[float | None, typer.Option(help="Share of melanomas.", show_default="an even share")] = None,
    difficulty: Annotated[str, typer.Option(help="easy, standard or hard.")] = "standard",
    delta: Annotated[
        float | None, typer.Option(help="How far the classes lie apart, instead of --difficulty.", show_default=False)
    ] = None,
    rho: Annotated[float, typer.Option(help="How closely what is seen follows the severity.")] = 0.8,
    label_noise: Annotated[float, typer.Option(help="Share of labels turned round.")] = 0.0,
    age_auc: Annotated[float, typer.Option(help="How well age alone tells melanoma.")] = 0.66,
    nuisance: Annotated[float, typer.Option(help="Scales artefacts, light, blur and noise; 0: none.")] = 1.0,
    mimics: Annotated[float, typer.Option(help="Share of lesions with a look-alike structure.")] = 0.18,
    tone_weights: Annotated[
        tuple[float, float, float, float, float, float],
        typer.Option(help="Shares of the six skin tones, very light to dark."),
    ] = (0.20, 0.25, 0.25, 0.15, 0.10, 0.05),
    jpeg_quality: Annotated[tuple[int, int], typer.Option(help="Lowest and highest.")] = (70, 95),
    confound: Annotated[
        str | None,
        typer.Option(metavar="ARTEFACT", help="Let an artefact tell the class: a shortcut, on purpose."),
    ] = None,
    confound_p_benign: Annotated[float, typer.Option(help="Share of benign lesions that get it.")] = 0.5,
    confound_p_mel: Annotated[float, typer.Option(help="Share of melanomas that get it.")] = 0.03,
    counterfactuals: Annotated[
        list[str] | None,
        typer.Option("--counterfactual", metavar="ARTEFACT", help="Write a twin of every picture; repeatable."),
    ] = None,
    plant_defects: Annotated[
        bool, typer.Option("--plant-defects", help="Plant what `data audit` must find, and list it.")
    ] = False,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw a synthetic dermoscopy data set in the layout of HAM10000, with a known ceiling for every model.

    Artefacts: hair, ruler, ink, bubble, patch, vignette. Nothing here has any clinical meaning.
    """
    from edge_melanoma.cli.console import print_json, progress_bar, say
    from edge_melanoma.data import synth as stage

    recipe = stage.SynthRecipe(
        lesions=lesions,
        size=size,
        seed=seed,
        views=views,
        classes=classes,
        others=others,
        p_mel=p_mel,
        difficulty=difficulty,
        delta=delta,
        rho=rho,
        label_noise=label_noise,
        age_auc=age_auc,
        nuisance=nuisance,
        mimics=mimics,
        tone_weights=tone_weights,
        jpeg_quality=jpeg_quality,
        confound=confound,
        confound_p_benign=confound_p_benign,
        confound_p_mel=confound_p_mel,
        counterfactuals=tuple(counterfactuals or ()),
        plant_defects=plant_defects,
    )
    with progress_bar("drawing pictures") as on_progress:
        result = stage.run(recipe, out, force=force, workers=workers, on_progress=on_progress)
    if as_json:
        print_json(result.to_json())
        return
    _print(result.to_json(), out)
    say(f"next: edge-melanoma data ingest synth {out} --out INDEX" + (" --keep-defects" if plant_defects else ""))


def _print(facts: dict[str, Any], out: Path) -> None:
    from edge_melanoma.cli.console import out as console

    counts = ", ".join(f"{dx} {n:,}" for dx, n in facts["counts"].items())
    numbers = ", ".join(f"{facts[key]:,} {key}" for key in ("pictures", "lesions", "patients"))
    console.print(f"{out}: {numbers} ({counts})", markup=False)
    if facts["twins"]:
        console.print(f"  {facts['twins']:,} counterfactual twins beside them")
    if facts["planted"]:
        kinds = len({planted["check"] for planted in facts["planted"]})
        console.print(f"  {len(facts['planted'])} defects of {kinds} kinds are planted and listed in synth.json")
    ceiling = facts["ceiling"]
    bound = "is" if ceiling["exact"] else "is at most"
    console.print(f"  the best possible AUC {bound} {ceiling['mel_auc']:.3f} (melanoma against the rest)")
    if ceiling["shortcut_auc"] is not None:
        console.print(f"  with the planted shortcut a model can seem to reach {ceiling['shortcut_auc']:.3f}")
    console.print(f"  {facts['notice']}", markup=False)
