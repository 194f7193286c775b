"""Splits drawn by seed: nothing lost, nothing twice, nothing left to the order of the files."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from patlib.datasets.splits import grouped, pooled, val_from_train

names = st.sets(st.text("abc123_", min_size=1, max_size=6), min_size=10, max_size=60)
seeds = st.integers(0, 5)
many = settings(derandomize=True, deadline=None, database=None, max_examples=30)


@many
@given(names, seeds)
def test_a_pool_is_split_8_1_1_without_loss(every: set[str], seed: int) -> None:
    splits = pooled(every, seed)
    assert list(splits) == ["train", "val", "test"]
    assert sorted(name for part in splits.values() for name in part) == sorted(every)
    assert len(splits["train"]) == 8 * len(every) // 10
    assert abs(len(splits["val"]) - len(splits["test"])) <= 1


@many
@given(names, seeds)
def test_val_is_a_tenth_of_train_and_test_is_left_alone(every: set[str], seed: int) -> None:
    splits = val_from_train(every, ["t2", "t1"], seed)
    assert splits["test"] == ["t2", "t1"] and len(splits["val"]) == len(every) // 10
    assert sorted(splits["train"] + splits["val"]) == sorted(every)


def test_a_fraction_of_an_image_goes_to_the_later_part() -> None:
    every = [str(number) for number in range(15)]  # 0.8 of them are 12, 0.9 are 13.5, and a tenth is 1.5
    assert [len(part) for part in pooled(every, 0).values()] == [12, 1, 2]
    assert [len(part) for part in val_from_train(every, [], 0).values()] == [14, 1, 0]


@many
@given(names, seeds)
def test_only_names_and_seed_count(every: set[str], seed: int) -> None:
    mixed = random.Random(seed).sample(sorted(every), len(every))
    assert pooled(mixed, seed) == pooled(every, seed)
    assert val_from_train(mixed, [], seed) == val_from_train(every, [], seed)


def test_another_seed_draws_another_split() -> None:
    every = [str(i) for i in range(50)]
    assert pooled(every, 0) != pooled(every, 1) and val_from_train(every, [], 0) != val_from_train(every, [], 1)


@many
@given(st.integers(3, 12), st.integers(1, 9), seeds)
def test_three_groups_or_more_leave_no_split_empty(groups: int, size: int, seed: int) -> None:
    every = [f"{group:02}-{number}" for group in range(groups) for number in range(size)]
    splits = grouped(every, (0.8, 0.1, 0.1), seed, lambda name: name[:2])
    assert all(splits.values()) and sorted(name for part in splits.values() for name in part) == sorted(every)
    held = [{name[:2] for name in part} for part in splits.values()]
    assert sum(map(len, held)) == groups  # each group in one split
    if groups < 10:  # a tenth is less than a group
        assert [len(part) for part in held] == [groups - 2, 1, 1]


def test_an_empty_split_takes_the_smallest_group_of_the_split_with_most() -> None:
    every = [
        f"{group}{number}" for group, size in zip("abcdef", (9, 9, 2, 9, 9, 1), strict=True) for number in range(size)
    ]
    for seed in range(20):
        splits = grouped(every, (0.98, 0.01, 0.01), seed, lambda name: name[0])
        assert {splits["val"][0][0], splits["test"][0][0]} == {"c", "f"}
    assert not all(grouped(["a1", "a2", "b1"], (0.8, 0.1, 0.1), 0, lambda name: name[0]).values())
