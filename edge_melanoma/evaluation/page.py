"""The page of an evaluation: each figure with its interval, and in plain words what it says and what it does not."""

from __future__ import annotations

from collections.abc import Mapping

from edge_melanoma.decision import DecisionRule
from edge_melanoma.evaluation import words
from edge_melanoma.evaluation.page_groups import add_baseline, add_subgroups
from edge_melanoma.evaluation.page_plots import (
    calibration_plots,
    class_plot,
    decision_plots,
    ranking_plots,
)
from edge_melanoma.evaluation.result import Evaluation
from edge_melanoma.evaluation.rows import OUT_OF_FOLD
from edge_melanoma.evaluation.subgroups import TITLES
from edge_melanoma.evaluation.words import interval, per_cent, value, whole
from edge_melanoma.labels import TASKS
from edge_melanoma.report import Cell, Page


def draw(evaluation: Evaluation, *, look: int | None = None) -> str:
    """The page as HTML; `look` is how often the test part has been looked at, this time included."""
    page = Page(evaluation.title, synthetic=evaluation.synthetic, lead=_lead(evaluation))
    _add_figures(page, evaluation)
    _add_remarks(page, evaluation, look)
    _add_ranking(page, evaluation)
    if evaluation.image.operating_points:
        _add_operating_points(page, evaluation)
    _add_calibration(page, evaluation)
    if evaluation.image.confusion is not None:
        _add_classes(page, evaluation)
    add_subgroups(page, evaluation)
    add_baseline(page, evaluation)
    _add_origin(page, evaluation)
    return page.to_html()


def _lead(evaluation: Evaluation) -> str:
    image = evaluation.image
    by_lesion = f" of {evaluation.lesion.rows:,} lesions" if evaluation.lesion else ""
    return (
        f"Task `{evaluation.task.name}`: {TASKS[evaluation.task.name]}. {image.rows:,} pictures{by_lesion}, "
        f"{image.positives:,} positive ({per_cent(image.prevalence)})."
    )


def _add_figures(page: Page, evaluation: Evaluation) -> None:
    names = {
        "roc_auc": "ROC-AUC",
        "pauc80": "pAUC80 (0.2 is perfect)",
        "refer.sensitivity": "sensitivity of `refer`",
        "refer.specificity": "specificity of `refer`",
        "classes.balanced_accuracy": f"balanced accuracy over {len(evaluation.task.classes)} classes",
    }
    figures = [
        (value(estimate), f"{names[name]} ({interval(estimate)})")
        for name, estimate in evaluation.headline().items()
        if name in names
    ]
    baseline, worst = evaluation.baseline, evaluation.worst
    if baseline is not None and baseline.best is not None:
        figures.append((value(baseline.auc[baseline.best]), f"AUC of {baseline.best} without a pixel"))
    if evaluation.histology is not None:
        figures.append((value(evaluation.histology), "AUC on pictures confirmed by histology"))
    if worst is not None and worst.group.sensitivity is not None:
        group = f"{TITLES[worst.group.attribute]} {worst.group.value}"
        where = f"sensitivity in the worst group of people ({group}); gap {worst.gap:.3f}"
        figures.append((f"{worst.group.sensitivity.value:.3f}", where))
    if evaluation.synthetic_ceiling is not None:
        figures.append((f"{evaluation.synthetic_ceiling:.3f}", "the best AUC that these synthetic pictures allow"))
    page.figures(figures)


def _add_remarks(page: Page, evaluation: Evaluation, look: int | None) -> None:
    if look is not None:
        logged = (
            f"This is look number {look} at this test part by this model; every look is logged in `test_opened.json`, "
            "those by other models with them."
        )
        later = (
            "What was chosen after an earlier look is fitted to these pictures, so these figures are too good for it."
        )
        blind = "Only its first is blind, and not if a choice was made by the looks of others."
        first = look == 1
        page.note(f"{logged} {blind if first else later}", tone="info" if first else "warn")
    for remark in evaluation.remarks:
        page.note(remark.text[:1].upper() + remark.text[1:] + ".", tone=remark.tone)


def _add_ranking(page: Page, evaluation: Evaluation) -> None:
    image = evaluation.image
    page.heading("Ranking")
    page.paragraph(
        "How well scores put positives above negatives, with no threshold chosen. Average precision depends on the "
        f"prevalence, which is {per_cent(image.prevalence)} here, so it is not comparable with that of other sets."
    )
    with page.columns():
        for png, alt in ranking_plots(evaluation):
            page.plot(png, alt=alt)
    _add_metrics(page, evaluation, words.WITHOUT_THRESHOLD)
    page.paragraph(
        f"Check: DeLong's interval of the AUC, which shares nothing with the bootstrap, is {image.delong} by picture"
        + (f" and {evaluation.lesion.delong} by lesion." if evaluation.lesion else ".")
    )


def _add_operating_points(page: Page, evaluation: Evaluation) -> None:
    rule = evaluation.rule
    if rule is None:
        return
    page.heading("Decisions")
    where = _chosen_on(rule, evaluation.split)
    page.paragraph(
        f"Thresholds were chosen {where}: `refer` from {per_cent(rule.threshold_refer.value, 2)} on "
        f"({rule.threshold_refer.chosen_for}), `low` below {per_cent(rule.threshold_low.value, 2)} "
        f"({rule.threshold_low.chosen_for}). What lies between is `uncertain`. A `low` never rules anything out."
    )
    _add_counts(page, evaluation)
    with page.columns():
        for png, alt in decision_plots(evaluation):
            page.plot(png, alt=alt)
    page.paragraph(
        "The decision curve: at the probability at which one would refer, the gain in positives found, less false "
        "alarms at their price, per 100 pictures; the model is of use where it lies above both other lines. Risk and "
        "coverage: how many decisions are wrong if the least sure pictures get none; a curve that does not fall to the "
        "left says that abstaining does not help."
    )
    with page.details("Every figure of `refer` and `low`"):
        prior = per_cent(rule.prior_deploy)
        for name, text in (("refer", "Referred or not"), ("low", "Low or not")):
            named = {
                f"{name}.{key}": (title.format(prior=prior), meaning.format(prior=prior))
                for key, (title, meaning) in words.OF_DECISION.items()
            }
            page.heading(text, level=3)
            _add_metrics(page, evaluation, named)
        page.heading("Abstaining", level=3)
        _add_metrics(page, evaluation, words.SELECTIVE)


def _chosen_on(rule: DecisionRule, split: str) -> str:
    part = rule.fitted_on.get("split", "?")
    if part == split:
        return "on these very rows"
    if split == OUT_OF_FOLD:
        return f"on the {part} parts of the folds (pictures that are measured here too, judged by other models)"
    return f"on the {part} part, and frozen"


def _add_counts(page: Page, evaluation: Evaluation) -> None:
    image = evaluation.image
    counts: list[list[Cell]] = [
        [f"`{name}`", positives, negatives, per_cent((positives + negatives) / image.rows)]
        for name, (positives, negatives) in image.decisions.items()
    ]
    page.table(["decision", "positive", "negative", "share of all"], counts, caption="What the rule says")
    level = round(100 * evaluation.level)
    rows: list[list[Cell]] = []
    for point, what in zip(image.operating_points, ("referred", "not low"), strict=True):
        for name in ("sensitivity", "specificity", "ppv", "npv"):
            rate = getattr(point, name)
            rows.append(
                [
                    f"`{point.name}` ({what})",
                    words.OF_DECISION[name][0],
                    whole(rate),
                    f"{rate.successes:,}",
                    rate.trials,
                ]
            )
    page.table(
        ["threshold", "rate", f"value ({level} % interval)", "hits", "of"],
        rows,
        caption="Counted; Wilson intervals over as many independent pictures as the groups are worth",
    )


def _add_calibration(page: Page, evaluation: Evaluation) -> None:
    image, rule = evaluation.image, evaluation.rule
    page.heading("Calibration")
    if rule is None:
        page.paragraph(
            "The plain probabilities of the model; they were not calibrated, so nothing good is to be expected."
        )
    else:
        t = rule.temperature
        page.paragraph(
            f"Is one in ten of the pictures that are given 10 % positive? Temperature {t.value:.2f} ({t.low:.2f}–"
            f"{t.high:.2f}), learned at {per_cent(rule.prior_train)} positives, shown here for "
            f"{per_cent(float(rule.fitted_on.get('prevalence', rule.prior_deploy)))}, as in the "
            f"{rule.fitted_on.get('split', '?')} part. Thresholds and the probabilities that a user sees are for "
            f"{per_cent(rule.prior_deploy)}."
        )
    with page.columns():
        for png, alt in calibration_plots(evaluation):
            page.plot(png, alt=alt)
    _add_metrics(page, evaluation, words.OF_PROBABILITY)
    page.paragraph(
        f"With so few pictures, perfect probabilities would show a calibration error of {image.ece_floor:.3f} by "
        "chance, and drawing pictures again adds to it: its percentile interval lies too high."
    )


def _add_classes(page: Page, evaluation: Evaluation) -> None:
    image = evaluation.image
    page.heading("Classes")
    which = "with the highest logit" if evaluation.rule is None else "that would be likeliest if all were as common"
    page.paragraph(
        f"Each picture is called the one class of {len(image.classes)} {which}. Accuracy is above all that of the most "
        "frequent class; balanced accuracy counts each class alike."
    )
    page.plot(class_plot(evaluation), alt="confusion matrix: rows are the truth, columns what was called")
    _add_metrics(page, evaluation, words.OF_CLASSES)
    rows: list[list[Cell]] = []
    counts = [] if image.confusion is None else image.confusion.sum(axis=1).tolist()
    for name, count in zip(image.classes, counts, strict=True):
        found = [image.metrics.get(f"classes.{key}.{name}") for key in ("recall", "precision", "auc")]
        rows.append([name, count, *map(whole, found)])
    page.table(["class", "pictures", "recall", "precision", "AUC against the rest"], rows)


def _add_metrics(page: Page, evaluation: Evaluation, named: Mapping[str, tuple[str, str]]) -> None:
    """A table of metrics: by picture with both intervals, and by lesion."""
    image, lesion = evaluation.image.metrics, evaluation.lesion.metrics if evaluation.lesion else {}
    level = f"({round(100 * evaluation.level)} % interval)"
    rows: list[list[Cell]] = []
    for name, (title, meaning) in named.items():
        if name in image:
            by_lesion: list[Cell] = [whole(lesion.get(name))] if lesion else []
            rows.append([title, whole(image[name]), interval(image[name], bca=True), *by_lesion, meaning])
    headers = ["metric", f"by picture {level}", "BCa", *([f"by lesion {level}"] if lesion else []), "meaning"]
    page.table(headers, rows)


def _add_origin(page: Page, evaluation: Evaluation) -> None:
    image = evaluation.image
    page.heading("How it was measured")
    how = (
        "Every picture was scored by a model that had not learned from its fold."
        if evaluation.split == OUT_OF_FOLD
        else f"No patient, lesion or file of the {evaluation.split} part is among the rows that the model learned "
        "from; that was checked again here."
    )
    if any("leak" in remark.text for remark in evaluation.remarks):
        how = "Some of these pictures were known from training; see the remark above."
    page.paragraph(
        f"{how} Intervals: {evaluation.rounds:,} bootstrap rounds that draw whole patients, or lesions where patients "
        f"are not known ({image.groups:,} groups), apart for each class; percentiles, and BCa, which corrects bias and "
        "skew. By lesion: the mean logits of all its pictures."
    )
    facts = [
        *(f"{name.replace('_', ' ')}: `{what}`" for name, what in evaluation.about.items()),
        *(f"model, {name.replace('_', ' ')}: `{what}`" for name, what in evaluation.model.items()),
        f"seed {evaluation.seed}",
        "Every number of this page is in `metrics.json`; scores and decisions of each picture are in "
        "`predictions.parquet`, which holds ids and no paths.",
    ]
    page.items(facts)
