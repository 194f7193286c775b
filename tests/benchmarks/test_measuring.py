import time

import pytest
import torch
from measuring import WARM_UP, Clocked, clocked, device_name, machine, peak_bytes, quartiles, ratios, rounds, shown

CPU = torch.device("cpu")


def test_each_step_runs_once_a_round_in_an_order_drawn_anew():
    ran = []
    times = rounds({name: lambda name=name: ran.append(name) for name in "abc"}, CPU, 10, "test")
    turns = ["".join(ran[start : start + 3]) for start in range(0, len(ran), 3)]
    assert len(turns) == WARM_UP + 10 and all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert len(set(turns)) > 1
    assert {name: len(taken) for name, taken in times.items()} == {"a": 10, "b": 10, "c": 10}


def test_ratios_are_taken_within_rounds():
    """A round in which all is a hundred times slower leaves every ratio as it is."""
    assert ratios([2.0, 200.0, 2.0], [1.0, 100.0, 1.0]) == {"median": 2.0, "q1": 2.0, "q3": 2.0}


def test_ratios_of_unlike_numbers_of_rounds_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_quartiles_are_those_of_the_values_themselves():
    assert quartiles([4.0, 0.0, 1.0, 3.0, 2.0]) == {"median": 2.0, "q1": 1.0, "q3": 3.0}
    assert shown({"median": 2.0, "q1": 1.0, "q3": 3.0}, 1) == "2.0 [1.0, 3.0]"


def test_a_step_that_waits_takes_wall_time_and_no_processor_time():
    taken = clocked(lambda: time.sleep(0.05), CPU)
    assert isinstance(taken, Clocked) and taken.wall >= 0.05 > taken.processor


@pytest.mark.parametrize("together", [True, False])
def test_peak_of_a_step_is_exactly_what_it_held_at_once(together):
    def step():
        first = torch.empty(2**20)
        if not together:
            del first
        second = torch.empty(2**20)
        return second.shape

    assert peak_bytes(step, CPU) == 4 * 2**20 * (2 if together else 1)


def test_what_a_step_keeps_from_its_first_run_is_not_counted():
    kept = {}

    def step():
        if not kept:
            kept["buffer"] = torch.empty(2**20)
        torch.empty(2**10)

    assert peak_bytes(step, CPU) == 4 * 2**10


def test_reports_say_what_they_were_measured_on():
    facts = machine(CPU)
    assert facts["device"].startswith("cpu (") and facts["threads"] == torch.get_num_threads()
    assert device_name(CPU) == "cpu"
