"""Splits drawn by seed: nothing lost, nothing twice, nothing left to the order of the files."""

import itertools
import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from patlib.datasets.splits import pooled, stratified, val_from_train

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
    every = {f"{group:02}-{number}": {0} for group in range(groups) for number in range(size)}
    splits = stratified(every, (0.8, 0.1, 0.1), seed, lambda name: name[:2])
    assert all(splits.values()) and sorted(name for part in splits.values() for name in part) == sorted(every)
    held = [{name[:2] for name in part} for part in splits.values()]
    assert sum(map(len, held)) == groups  # each group in one split
    if groups < 10:  # a tenth is less than a group
        assert [len(part) for part in held] == [groups - 2, 1, 1]


def test_small_groups_go_to_the_splits_that_would_be_empty() -> None:
    sizes = zip("abcdef", (9, 9, 2, 9, 9, 1), strict=True)
    every: dict[str, set[int]] = {f"{group}{number}": set() for group, size in sizes for number in range(size)}
    for seed in range(20):
        splits = stratified(every, (0.98, 0.01, 0.01), seed, lambda name: name[0])
        assert {splits["val"][0][0], splits["test"][0][0]} == {"c", "f"}
    two = {"a1": {0}, "a2": {0}, "b1": {0}}
    assert not all(stratified(two, (0.8, 0.1, 0.1), 0, lambda name: name[0]).values())
    assert stratified({}, (0.8, 0.1, 0.1), 0) == {"train": [], "val": [], "test": []}


tails = st.lists(st.integers(0, 5), min_size=8, max_size=80)  # beside the background, 0, each image has a class or none
parts = st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.05, 0.05, 0.9)])


@many
@given(tails, parts, seeds)
def test_a_class_of_three_images_is_in_every_split(
    tail: list[int], fractions: tuple[float, float, float], seed: int
) -> None:
    held = {f"{place:02}": {0, label} for place, label in enumerate(tail)}
    splits = stratified(held, fractions, seed)
    assert sorted(name for part in splits.values() for name in part) == sorted(held)
    for label in set(tail):
        found = [sum(label in held[name] for name in part) for part in splits.values()]
        assert all(found) or sum(found) < 3, (label, found)
        if sum(found) < 3 and fractions[0] > 0.5:
            assert found[0]  # what can be in one split alone is learnt
        if sum(found) > 3 / min(fractions):  # else the tail decides
            assert all(abs(n - share * sum(found)) < 6 for n, share in zip(found, fractions, strict=True))


def test_three_of_two_hundred_images_are_shared_out_and_the_fractions_kept() -> None:
    for seed in range(10):
        held = {
            f"{place:03}": {0, 1, *([2] * (place % 4 == 0)), *([3] * (place in (11, 76, 140)))} for place in range(200)
        }
        splits = stratified(held, (0.8, 0.1, 0.1), seed)
        assert [sum(3 in held[name] for name in part) for part in splits.values()] == [1, 1, 1]
        assert [len(part) for part in splits.values()] == [160, 20, 20]
        assert [sum(2 in held[name] for name in part) for part in splits.values()] == [40, 5, 5]


@many
@given(st.lists(st.sets(st.integers(0, 3)), min_size=3, max_size=7), seeds)
def test_where_masks_hold_several_classes_nothing_is_missed_that_need_not_be(held: list[set[int]], seed: int) -> None:
    def missed(places: Sequence[int]) -> int:
        classes = [{-1} | classes for classes in held]  # -1 is in every image: no split is empty
        return sum(
            min(3, sum(label in of_one for of_one in classes))
            - len({place for place, of_one in zip(places, classes, strict=True) if label in of_one})
            for label in range(-1, 4)
        )

    splits = stratified({str(place): classes for place, classes in enumerate(held)}, (0.6, 0.2, 0.2), seed)
    split_of = {name: index for index, part in enumerate(splits.values()) for name in part}
    ours = [split_of[str(place)] for place in range(len(held))]
    assert missed(ours) == min(map(missed, itertools.product(range(3), repeat=len(held))))


def test_a_draw_that_misses_a_class_is_drawn_again() -> None:
    classes = [{1, 2}, {0, 2}, {0, 1}, {2}, {0, 1}, {0, 1}]
    held = {str(place): of_one for place, of_one in enumerate(classes)}
    splits = stratified(held, (0.8, 0.1, 0.1), 0)  # its first draw leaves a split without a class
    assert all(set().union(*(held[name] for name in part)) == {0, 1, 2} for part in splits.values())


def test_a_group_stays_together_even_if_a_split_then_lacks_a_class() -> None:
    held = {f"{drive}{frame}": {0, 1} if drive == "a" else {0} for drive in "abcd" for frame in range(5)}
    splits = stratified(held, (0.6, 0.2, 0.2), 0, lambda name: name[0])
    assert [len({name[0] for name in part}) for part in splits.values()] == [2, 1, 1]
    assert "a0" in splits["train"]


@many
@given(tails, seeds)
def test_the_order_of_the_files_draws_no_other_split(tail: list[int], seed: int) -> None:
    held = {f"{place:02}": {label} for place, label in enumerate(tail)}
    mixed = {name: held[name] for name in random.Random(seed).sample(sorted(held), len(held))}
    assert stratified(mixed, (0.8, 0.1, 0.1), seed) == stratified(held, (0.8, 0.1, 0.1), seed)
