"""The display of a grid at work: how many runs are left and how long they take, what failed, and what is running."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

from patlib.experiments.cell import Outcome


class GridProgress:
    """A bar over the runs of a grid, with the names of those under way; nothing where tqdm is switched off."""

    def __init__(self, total: int, there: int, shown: bool) -> None:
        self.running: list[str] = []
        self.there, self.done, self.failed, self.elsewhere = there, 0, 0, 0
        self.waited_for: set[str] = set()
        self.began = time.monotonic()
        quiet = {} if shown else {"disable": True}  # not disable=False, which would overrule the variable TQDM_DISABLE
        self.bar = tqdm(
            total=total,
            initial=there,
            desc="cells",
            dynamic_ncols=True,
            bar_format="{desc} {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            **quiet,
        )

    def started(self, name: str) -> None:
        """Show that a run has begun; this is called again if its worker died and it begins anew elsewhere."""
        if name not in self.running:
            self.running.append(name)
        self._show()

    def finished(self, name: str, outcome: Outcome) -> None:
        """Show that a run has ended, or that another process is making it and it will be tried again."""
        if name in self.running:
            self.running.remove(name)
        self.there += outcome.state == "there"
        self.done += outcome.state == "done"
        self.failed += outcome.state == "failed"
        self.elsewhere += outcome.state == "busy"
        if outcome.state == "failed" and not self.bar.disable:
            tqdm.write(f"failed: {name}: {one_line(outcome.error)}", file=sys.stderr)
        if outcome.state == "busy" and name not in self.waited_for and not self.bar.disable:
            tqdm.write(one_line(outcome.error), file=sys.stderr)
            self.waited_for.add(name)
        self.bar.n += outcome.state != "busy"
        self._show()

    def retrying(self) -> None:
        """Show that the runs that another process was making are tried again."""
        self.elsewhere = 0

    def _show(self) -> None:
        numbers = {"there already": self.there, "failed": self.failed, "run elsewhere": self.elsewhere}
        parts = [f"{number} {what}" for what, number in numbers.items() if number]
        left = self.bar.total - self.bar.n
        if self.done and left:
            parts.append(f"about {spoken(left * (time.monotonic() - self.began) / self.done)} left")
        if self.running:
            parts.append(f"running: {', '.join(self.running)}")
        self.bar.set_postfix_str(" | ".join(parts))

    def __enter__(self) -> GridProgress:
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()


def one_line(error: str) -> str:
    """The most telling line of an error: the last line of a traceback, or else the first line that is not empty."""
    lines = [line.strip() for line in error.splitlines() if line.strip()] or [error]
    return lines[-1 if "Traceback (most recent call last)" in error else 0]


def spoken(seconds: float) -> str:
    """A duration as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
