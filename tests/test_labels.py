"""The label scheme against what the sources publish and the tasks' own definitions."""

import pytest

from edge_melanoma import labels
from edge_melanoma.decision import positive_classes
from edge_melanoma.errors import RecipeError


def test_every_vocabulary_speaks_of_known_diagnoses_only():
    for name, words in labels.VOCABULARIES.items():
        assert set(words.values()) <= set(labels.DIAGNOSES), name


def test_a_label_outside_the_vocabulary_is_not_guessed():
    assert labels.canonical("ham10000", "mel") == "MEL"
    assert labels.canonical("ham10000", "MEL") is None
    assert labels.canonical("ham10000", "melanoma?") is None


def test_unknown_of_isic_2020_is_benign_but_never_a_nevus():
    assert labels.canonical("isic2020", "unknown") == "OTHER_BEN"
    assert labels.task("melnv").answer("OTHER_BEN") is None
    assert labels.task("mel").answer("OTHER_BEN") == 0


def test_dermamnist_order_is_not_the_order_of_the_hmnist_tables():
    assert labels.canonical("dermamnist", "4") == "MEL"
    assert labels.canonical("dermamnist", "5") == "NV"


def test_mel_is_melanoma_against_everything_that_has_an_answer():
    task = labels.task()
    assert [dx for dx in labels.DIAGNOSES if task.answer(dx) == 1] == ["MEL"]
    assert set(task.left_out) == {"IND", "UNK"}


@pytest.mark.parametrize(
    ("policy", "ak", "akiec"), [("mixed", 0, 1), ("benign", 0, 0), ("malignant", 1, 1), ("drop", None, None)]
)
def test_the_ak_policy_places_actinic_keratosis_in_mal(policy, ak, akiec):
    task = labels.task("mal", ak_policy=policy)
    assert (task.answer("AK"), task.answer("AKIEC")) == (ak, akiec)
    assert [task.answer(dx) for dx in ("MEL", "BCC", "SCC", "NV", "BKL")] == [1, 1, 1, 0, 0]


def test_refer_adds_actinic_keratosis_to_cancer():
    task = labels.task("refer")
    assert {dx for dx in labels.DIAGNOSES if task.answer(dx) == 1} == {"MEL", "BCC", "SCC", "OTHER_MAL", "AK", "AKIEC"}


def test_the_seven_classes_have_the_order_of_dermamnist():
    task = labels.task("dx7")
    for raw, dx in labels.VOCABULARIES["dermamnist"].items():
        assert task.answer(dx) == int(raw)


@pytest.mark.parametrize("name", labels.TASKS)
def test_melanoma_is_always_in_the_class_that_is_decided_on(name):
    task = labels.task(name)
    assert (task.answer("MEL"),) == positive_classes(task.classes)


def test_dx8_leaves_out_what_cannot_be_told_apart():
    task = labels.task("dx8")
    assert task.answer("AKIEC") is None
    assert len(task.classes) == 8
    assert {task.answer(dx) for dx in labels.VOCABULARIES["isic2019"].values()} == {*range(8), None}


def test_an_unknown_task_policy_or_vocabulary_names_the_known_ones():
    with pytest.raises(RecipeError, match="known: mel, mal"):
        labels.task("cancer")
    with pytest.raises(RecipeError, match="known: mixed, benign"):
        labels.task("mal", ak_policy="perhaps")
    with pytest.raises(RecipeError, match="ham10000"):
        labels.known_labels("kaggle")


def test_the_hash_changes_with_the_scheme(monkeypatch):
    before = labels.labels_sha256()
    assert before == labels.labels_sha256()
    monkeypatch.setattr(labels, "VOCABULARIES", {**labels.VOCABULARIES, "ph2": {"0": "NV", "1": "NV", "2": "NV"}})
    assert labels.labels_sha256() != before
