"""How many threads help is found by timing them, within a budget, and the fewest that do are taken."""

import itertools
import os
import time
from pathlib import Path

import pytest

from edge_melanoma.bundle import open_bundle
from edge_melanoma.parallel import usable_cores
from edge_melanoma.runtime import Model
from edge_melanoma.runtime.door import MOST_UNTRIED_THREADS
from edge_melanoma.runtime.threads import BUDGET_S, MOST_LAPS, choose_threads, numbers_to_try, threads_that_help

TINY = Path(__file__).parent / "golden" / "tiny"


class Machine:
    """A clock, and a model that takes so many seconds with so many threads; every so often the machine is busy."""

    def __init__(self, seconds, *, busy=lambda lap: 0.0):
        self.seconds, self.busy = seconds, busy
        self.now = 0.0
        self.runs = dict.fromkeys(seconds, 0)

    def opened(self, threads):
        def infer():
            self.runs[threads] += 1
            self.now += self.seconds[threads] + self.busy(self.runs[threads])

        return infer

    def choice(self):
        return choose_threads(self.opened, list(self.seconds), clock=lambda: self.now)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 0.010, 2: 0.006, 4: 0.006}, 2),  # four bring nothing
        ({1: 0.010, 2: 0.006, 4: 0.009}, 2),  # four are in each other's way
        ({1: 0.010, 2: 0.006, 4: 0.004}, 4),
        ({1: 0.0001, 2: 0.0002, 4: 0.0005}, 1),  # done before a second thread has woken up
        ({1: 0.0104, 2: 0.0100}, 1),  # within 5 %
        ({1: 0.0106, 2: 0.0100}, 2),
        ({1: 0.010, 2: 0.0059, 3: 0.0057}, 2),
        ({1: 0.010}, 1),
    ],
)
def test_the_fewest_threads_win_that_are_about_as_fast_as_the_best(seconds, best):
    assert Machine(seconds).choice() == best


def test_a_busy_moment_decides_nothing():
    machine = Machine({1: 0.002, 2: 0.001}, busy=lambda lap: 0.05 if lap % 5 == 2 else 0.0)
    assert machine.choice() == 2


def test_a_fast_model_is_tried_often_but_not_without_end():
    machine = Machine({1: 1e-5, 2: 1e-5, 4: 1e-5})
    machine.choice()
    assert set(machine.runs.values()) == {2 * MOST_LAPS}
    assert machine.now < BUDGET_S


@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.02])
def test_it_ends_soon_after_its_budget(seconds):
    machine = Machine(dict.fromkeys((1, 2, 4), seconds))
    machine.choice()
    one_lap = 2 * 3 * seconds
    assert machine.now <= BUDGET_S + one_lap


def test_a_slow_model_has_two_laps_of_each_and_no_more():
    machine = Machine({1: 3.0, 2: 1.6, 4: 1.0})
    assert machine.choice() == 4
    assert machine.runs == {1: 4, 2: 4, 4: 4}


def test_with_one_core_nothing_is_timed():
    assert choose_threads(lambda threads: pytest.fail("opened"), [1]) == 1


def test_the_numbers_are_doubled_up_to_all_cores():
    assert [numbers_to_try(cores) for cores in (1, 2, 3, 4, 6, 8)] == [
        *([1], [1, 2], [1, 2, 3], [1, 2, 4], [1, 2, 4, 6], [1, 2, 4, 8])
    ]


# on this machine


def test_a_real_model_is_tried_in_less_than_a_second_and_gets_a_number_that_it_has_cores_for():
    bundle = open_bundle(TINY / "tiny_bundle.tflite")
    began = time.process_time()
    found = threads_that_help(bundle)
    assert found in numbers_to_try(usable_cores())
    assert time.process_time() - began < 1
    assert Model(bundle.model, threads=found).threads == found


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs to be held to one core")
def test_who_is_held_to_one_core_gets_one_thread():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, set(itertools.islice(allowed, 1)))
        assert threads_that_help(open_bundle(TINY / "tiny_bundle.tflite")) == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_where_nothing_was_tried_a_model_gets_the_cores_but_no_more_than_four():
    assert Model((TINY / "tiny_int8.tflite").read_bytes()).threads == min(MOST_UNTRIED_THREADS, usable_cores())
