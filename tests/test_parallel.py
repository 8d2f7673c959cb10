"""Many items over the cores: in order, with progress, errors out, and no worker left behind."""

import multiprocessing
import operator
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_melanoma.errors import RecipeError
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


def test_workers_go_when_their_parent_is_killed():
    code = (
        "import multiprocessing, threading, time\n"
        "from edge_melanoma.parallel import map_over_cores\n"
        "if __name__ == '__main__':\n"
        "    run = threading.Thread(target=map_over_cores, args=(time.sleep, [0.2] * 1000), kwargs={'workers': 2})\n"
        "    run.start()\n"
        "    while len(multiprocessing.active_children()) < 2: time.sleep(0.05)\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "    run.join()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        time.sleep(1)  # they have started
        parent.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 20
    while any(_is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.1)


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_worker_that_is_killed_is_one_sentence_that_says_what_to_do():
    with pytest.raises(RecipeError, match=r"one of 2 worker processes was killed.*fewer workers") as caught:
        map_over_cores(signal.raise_signal, [signal.SIGKILL] * 100, workers=2)
    assert "\n" not in str(caught.value)
    for child in multiprocessing.active_children():
        child.join(10)
    assert not multiprocessing.active_children()


def test_nothing_to_do_is_fine():
    assert map_over_cores(operator.neg, []) == []


def test_the_cores_are_those_this_process_may_use():
    assert 1 <= usable_cores() <= (multiprocessing.cpu_count() or 1)
