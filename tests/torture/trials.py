"""The trials of an attack: how many, what is tried first, what is counted. `conftest.py` says how they are used."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def folder_of(attack: str) -> str:
    """The name of an attack as that of a folder."""
    return attack.replace(" ", "-")


@dataclass
class Trial:
    """One trial of an attack: a source of chance, or an input from the corpus."""

    seed: int
    stored: Path | None = None
    """An input that once broke something, to be tried as it is; None in all other trials."""
    input: bytes | None = None
    """What the trial feeds, if that is one file: kept when the trial fails."""
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
    """The seed of the only trial, when one is repeated."""
    corpus: Path = CORPUS
    name: str = ""
    began: float = 0.0
    counts: Counter[str] = field(default_factory=lambda: Counter(trials=0, failures=0))
    under_way: Trial | None = None
    """The trial whose end has not been seen: it failed, if the test is over."""

    def __call__(self, name: str, short: int) -> Iterator[Trial]:
        self.name, self.began = name, time.monotonic()
        for trial in self._all(short):
            self.under_way = trial
            self.counts["trials"] += 1
            yield trial  # a failure in the loop's body does not come back
            self.counts += trial.counts
            self.under_way = None

    def _all(self, short: int) -> Iterator[Trial]:
        if self.only is not None:
            yield Trial(self.only)
            return
        for path in sorted((self.corpus / folder_of(self.name)).glob("*")):
            yield Trial(0, path)
        number = 0
        while number < short or time.monotonic() < self.began + self.seconds:
            yield Trial(random.SystemRandom().randrange(2**32) if self.seconds else number)
            number += 1

    def end(self, build: Path) -> Counter[str]:
        """What was counted; says how a trial that failed is repeated, and keeps its input below ``build``."""
        if self.under_way is not None:
            self._tell_failure(self.under_way, build)
        return self.counts + Counter(seconds=round(time.monotonic() - self.began))

    def _tell_failure(self, trial: Trial, build: Path) -> None:
        self.counts["failures"] += 1
        self.counts += trial.counts
        again = f"it tried {trial.stored}" if trial.stored else f"PATLIB_TORTURE_SEED={trial.seed} repeats it"
        print(f"{self.name}: trial {self.counts['trials']} failed; {again}")
        if trial.input is not None and trial.stored is None:
            path = build / folder_of(self.name) / str(trial.seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(trial.input)
            print(f"its input is {path}: moved to {self.corpus / folder_of(self.name)}, it is always tried first")
