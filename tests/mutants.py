"""Which mistakes would the tests not notice? Changes the library in one place at a time and runs the tests on each.

python tests/mutants.py patlib/trainer --tests tests/trainer --count 20

A mutant is a copy of the library with one operator swapped, one number one larger, one truth value or condition turned
round, or one statement left out. A drawn sample of them is run, each until its first failing test; those that pass all
tests survive and are listed at the end. A survivor is either a line that no test guards, or a change that makes no
difference (say so to yourself, and leave it).

The tests are collected once and run once unchanged, which says what lines each of them reaches. A mutant is then a fork
of that process, in which the functions that are already there get the mutant's code, and it runs the tests that reach
its line: those that noticed most before, then those of its own module, then the quickest. What runs at import is
imported again.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from mutant_operators import Mutant, mutants

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "lightning_fabric", "torchmetrics", "torchvision", "pandas", "safetensors.torch", "pydantic")
OPTIONS = ["-x", "-q", "-s", "-p", "pytest_timeout", "-p", "no:cacheprovider"]


class Reached:
    """Notes the lines of the library that run: while the tests are collected, and then in each test."""

    def __init__(self, library: Path) -> None:
        self.library = str(library)
        self.lines: set[tuple[str, int]] = set()
        self.by_fixture: dict[str, set[tuple[str, int]]] = {}
        self.by_test: dict[str, tuple[float, list[tuple[str, int]]]] = {}

    def trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self.library):
            return None
        self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self.trace

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        before, self.lines = self.lines, set()
        try:
            return (yield)
        finally:
            self.by_fixture.setdefault(fixturedef.argname, set()).update(self.lines)
            self.lines |= before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        began, self.lines = time.process_time(), set()
        sys.settrace(self.trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            # A fixture that several tests share is set up in the first of them.
            lines = self.lines.union(*(self.by_fixture.get(name, ()) for name in item.fixturenames))
            self.by_test[item.nodeid] = time.process_time() - began, sorted(lines)


class Trials:
    """In place of the one run of the tests, one for each mutant, in a fork of the process that has collected them."""

    def __init__(self, place: Path, drawn: list[Mutant]) -> None:
        self.place, self.drawn = place, drawn
        self.outcomes: dict[Mutant, str] = {}
        self.functions: list[FunctionType] = []
        self.reached = Reached(place / "patlib")
        sys.settrace(self.reached.trace)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session) -> bool | None:
        sys.settrace(None)
        at_import = set(self.reached.lines)
        if (code := self._fork(None)) == "forked":
            session.config.pluginmanager.register(self.reached)
            session.config.add_cleanup(lambda: (self.place / "reached").write_text(json.dumps(self.reached.by_test)))
            return None
        if code != "SURVIVED":
            pytest.exit(f"the tests fail without a mutant:\n{self._output()}", 1)
        known = json.loads((self.place / "reached").read_text())
        items = {item.nodeid: item for item in session.items}
        self.functions = [
            object for object in gc.get_objects()
            if type(object) is FunctionType and object.__code__.co_filename.startswith(self.reached.library)
        ]  # fmt: skip
        gc.freeze()  # a collection in a fork would touch, and so copy, all memory
        noticed: Counter[str] = Counter()
        print(f"{len(items)} tests, {sum(seconds for seconds, _ in known.values()):.0f} s", flush=True)
        for mutant in self.drawn:
            file = str(self.place / mutant.path)
            again = not mutant.called or (file, mutant.line) in at_import
            own = f"test_{mutant.path.stem}.py"
            # What runs at import is also seen by tests that call nothing of it.
            naming = {
                path for path in {item.path for item in session.items}
                if again and re.search(rf"\b{mutant.path.stem}\b", path.read_text(encoding="utf-8"))
            }  # fmt: skip
            near = [
                test for test, (_, lines) in known.items()
                if items[test].path in naming
                or any(path == file and (again or line == mutant.line) for path, line in lines)
            ] or [test for test in known if own in test]  # fmt: skip
            near.sort(key=lambda test: (-noticed[test], own not in test, known[test][0]))
            if (outcome := self._fork(mutant, 10 + 4 * sum(known[test][0] for test in near))) == "forked":
                if again or not self._patch(mutant):
                    self._import_again(near)
                session.items[:] = [items[test] for test in near]
                return None
            self.outcomes[mutant] = outcome
            by = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", self._output(), re.MULTILINE)
            noticed.update([by[1]] if by else [])
            print(f"{outcome:9} {mutant}{'  by ' + by[1] if by else ''}", flush=True)
        return True

    def _fork(self, mutant: Mutant | None, seconds: float = 1e6) -> str:
        """The outcome of the tests in a copy of this process: SURVIVED if all pass, noticed if one fails, else
        TIMED OUT, of a mutant that may never end; in that copy itself, "forked"."""
        if mutant:
            (self.place / mutant.path).write_text(mutant.text, encoding="utf-8")  # for the processes that tests start
        sys.stdout.flush()
        if (process := os.fork()) == 0:
            os.setpgid(0, 0)  # with what its tests start
            output = os.open(self.place / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            resource.setrlimit(resource.RLIMIT_CPU, (int(min(seconds, 1e6)), int(1e6)))
            return "forked"
        try:
            ended, end = 0, time.monotonic() + 30 * seconds
            while not ended and time.monotonic() < end:
                time.sleep(0.02)
                ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                os.killpg(process, signal.SIGKILL)
                _, status = os.waitpid(process, 0)
            code = os.waitstatus_to_exitcode(status)
            late = code in (-signal.SIGKILL, -signal.SIGXCPU)
            return "TIMED OUT" if late else "noticed" if code else "SURVIVED"
        finally:
            if mutant:
                shutil.copyfile(ROOT / mutant.path, self.place / mutant.path)

    def _patch(self, mutant: Mutant) -> bool:
        """Give the functions of the mutant's file its code; False if that cannot be."""
        file, codes = str(self.place / mutant.path), [compile(mutant.text, str(self.place / mutant.path), "exec")]
        for code in codes:
            codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        new = {(code.co_qualname, code.co_firstlineno): code for code in codes}
        if len(new) < len(codes):
            return False
        for function in self.functions:
            if function.__code__.co_filename == file:
                code = new[function.__code__.co_qualname, function.__code__.co_firstlineno]
                if len(code.co_freevars) != len(function.__code__.co_freevars):
                    return False
                function.__code__ = code
        return True

    def _import_again(self, tests: list[str]) -> None:
        """Forget the library and the tests, and run those tests; does not return."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(self.place)):
                del sys.modules[name]
        order = {test: place for place, test in enumerate(tests)}

        class Chosen:
            def pytest_collection_modifyitems(self, items) -> None:
                items[:] = sorted((item for item in items if item.nodeid in order), key=lambda i: order[i.nodeid])

        files = sorted({test.partition("::")[0] for test in tests})
        _end(pytest.main([*OPTIONS, f"--basetemp={self.place / 'temporary'}", *files], plugins=[Chosen()]))

    def _output(self) -> str:
        return (self.place / "output").read_text(errors="replace")


def _end(code: int) -> None:
    sys.stdout.flush()
    os._exit(code)


def run(drawn: list[Mutant], tests: list[Path]) -> dict[Mutant, str]:
    """The outcome of each mutant, printed as it comes."""
    # Two versions of a file can have one size and one second: stored bytecode would be taken for that of either.
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # a faster start
    for name in HEAVY:
        import_module(name)
    with tempfile.TemporaryDirectory(prefix="patlib-mutants-") as folder:
        place, parent = Path(folder), os.getpid()
        for entry in ROOT.iterdir():
            if entry.name in ("patlib", "tests"):
                shutil.copytree(entry, place / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif not entry.name.startswith("."):
                (place / entry.name).symlink_to(entry)
        os.chdir(place)
        sys.path.insert(0, str(place))
        os.environ["PYTHONPATH"] = str(place)
        trials = Trials(place, drawn)
        code = pytest.main([*OPTIONS, f"--basetemp={place / 'temporary'}", *map(str, tests)], plugins=[trials])
        if os.getpid() != parent:
            _end(code)
        os.chdir(ROOT)
        if code:
            sys.exit(int(code))
    return trials.outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", nargs="+", type=Path, help="files or folders of the library, from the repository root")
    parser.add_argument("--tests", nargs="+", type=Path, required=True, help="test files, or folders of them")
    parser.add_argument("--count", type=int, default=20, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.chdir(ROOT)
    files = sorted(path for code in asked.code for path in ([code] if code.is_file() else code.rglob("*.py")))
    every = [mutant for path in files for mutant in mutants(path, path.read_text(encoding="utf-8"))]
    drawn = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    print(f"{len(drawn)} of {len(every)} mutants of {len(files)} files")
    outcomes = run(sorted(drawn, key=lambda mutant: (mutant.path, mutant.line)), asked.tests)
    count = Counter(outcomes.values())
    print(f"\n{count['noticed']} of {len(drawn)} noticed, {count['TIMED OUT']} timed out; survivors:")
    print(*(mutant for mutant, outcome in outcomes.items() if outcome == "SURVIVED"), sep="\n")


if __name__ == "__main__":
    main()
