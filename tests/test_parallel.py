"""Many items over the cores: in order, with progress, errors out, and no worker left behind."""

import multiprocessing
import operator

import pytest

from edge_melanoma.parallel import map_over_cores, usable_cores


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items_and_progress_reaches_the_end(workers):
    seen = []
    items = list(range(100))
    assert map_over_cores(operator.neg, items, workers=workers, on_progress=lambda *at: seen.append(at)) == [
        -item for item in items
    ]
    assert seen[0] == (0, 100)
    assert seen[-1] == (100, 100)
    assert seen == sorted(seen)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_comes_out_and_leaves_no_process(workers):
    with pytest.raises(TypeError):
        map_over_cores(operator.neg, [1] * 50 + ["x"] + [1] * 50, workers=workers)
    for child in multiprocessing.active_children():
        child.join(10)
    assert not multiprocessing.active_children()


def test_nothing_to_do_is_fine():
    assert map_over_cores(operator.neg, []) == []


def test_the_cores_are_those_this_process_may_use():
    assert 1 <= usable_cores() <= (multiprocessing.cpu_count() or 1)
