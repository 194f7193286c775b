"""The trials of an attack: how many, what is tried first, what is counted. `conftest.py` says how they are used."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, strategies

CORPUS = Path(__file__).parent / "corpus"
AT_ONCE = 200
"""Inputs that hypothesis draws from one seed of the long form: it begins with the smallest each time."""

Input = tuple[str, bytes]
"""A file: what its name ends in, such as "png" or "manifest.json", and its content."""


def folder_of(attack: str) -> str:
    """The name of an attack as that of a folder."""
    return attack.replace(" ", "-")


@dataclass
class Trial:
    """One trial of an attack: a source of chance."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    """What else is to be counted, such as kills."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)


@dataclass
class Trials:
    """The trials of one test. Called with the attack's name and the number of trials of its short form."""

    seconds: float = 0.0
    """How long they go on, at least; 0 for the short form."""
    only: int | None = None
    """The only seed, when a trial is repeated."""
    corpus: Path = CORPUS
    name: str = ""
    began: float = 0.0
    counts: Counter[str] = field(default_factory=lambda: Counter(trials=0, failures=0))
    seed: int = 0
    under_way: Trial | None = None
    """The trial whose end has not been seen: it failed, if the test is over."""
    broke: Input | None = None
    """The smallest input known that breaks something."""

    def __call__(self, name: str, short: int) -> Iterator[Trial]:
        for seed in self._seeds(name, short):
            self.under_way = Trial(seed)
            self.counts["trials"] += 1
            yield self.under_way  # a failure in the loop's body does not come back
            self.counts += self.under_way.counts
            self.under_way = None

    def fuzz(
        self, name: str, inputs: strategies.SearchStrategy[Input], check: Callable[[str, bytes], str], short: int
    ) -> None:
        """Feed a check with what the corpus holds, then with inputs that are drawn.

        It returns what is to be counted, and raises for an input that breaks something, which hypothesis then makes as
        small as it can.
        """

        def feed(one: Input) -> None:
            try:
                what = check(*one)
            except Exception:
                self.broke = one
                raise
            if self.broke is None:  # what is made smaller is no further trial
                self.counts += Counter({"trials": 1, what: 1})

        stored = sorted((self.corpus / folder_of(name)).glob("*")) if self.only is None else []
        for path in stored:
            feed = hypothesis.example((path.name.partition(".")[2], path.read_bytes()))(feed)
        settings = hypothesis.settings(
            max_examples=short if not self.seconds and self.only is None else AT_ONCE,
            database=None, deadline=None, suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        for seed in self._seeds(name, 1):
            settings(hypothesis.seed(seed)(hypothesis.given(inputs)(feed)))()

    def _seeds(self, name: str, short: int) -> Iterator[int]:
        self.name, self.began, number = name, time.monotonic(), 0
        while number < (short if self.only is None else 1) or time.monotonic() < self.began + self.seconds:
            self.seed = number if not self.seconds else random.SystemRandom().randrange(2**32)
            self.seed = self.seed if self.only is None else self.only
            yield self.seed
            number += 1

    def end(self, build: Path) -> Counter[str]:
        """What was counted; says how a trial that failed is repeated, and keeps its input below ``build``."""
        if self.under_way is not None or self.broke is not None:
            self.counts["failures"] += 1
            self.counts += self.under_way.counts if self.under_way else Counter(trials=1)
            print(f"{self.name}: trial {self.counts['trials']} failed; PATLIB_TORTURE_SEED={self.seed} repeats it")
        if self.broke is not None:
            path = build / folder_of(self.name) / f"{self.seed}.{self.broke[0]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.broke[1])
            print(f"the smallest such input is {path}: moved to {self.corpus / folder_of(self.name)} under a name that")
            print("says what was wrong, it is always tried first")
        return self.counts + Counter(seconds=round(time.monotonic() - self.began))
