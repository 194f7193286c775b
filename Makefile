# Needs git, make, Python 3.11-3.13 and a package index. Everything else goes into .venv.
#
# make is also the cache: a notebook is executed again only when its source, the library
# or (for the pages that read them) the recorded results are newer than its executed copy.

PYTHON ?= python3
BIN    := .venv/bin
CPUS   := $(shell $(PYTHON) -c "import os; print(os.cpu_count() or 1)" 2>/dev/null || echo 1)
JOBS   ?= $(shell n=$(CPUS); [ $$n -gt 4 ] && n=4; echo $$n)

# One thread in each process: notebooks and tests run side by side, start-up and not
# arithmetic dominates them, and sums come out the same on every machine.
export OMP_NUM_THREADS ?= 1
# Progress bars are for people who watch; in a stored notebook they are noise.
export TQDM_DISABLE ?= 1
# Hundreds of interpreters are started here. Each would compile the packages anew where the compiled files are not kept,
# which doubles the time that torch takes to import.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Notebooks run in their own folder, so a path relative to this one would mean another there.
ifdef PATLIB_DATA
export PATLIB_DATA := $(shell $(PYTHON) -c 'import os, sys; print(os.path.abspath(sys.argv[1]))' '$(subst ','\'',$(PATLIB_DATA))')
endif

ALONE    := $(BIN)/python book/alone.py build/.lock
SOURCES  := $(sort $(wildcard notebooks/*.md))
EXECUTED := $(SOURCES:notebooks/%.md=build/notebooks/%.ipynb)
LIBRARY  := $(shell find patlib -name '*.py' -o -name 'film.*')
READERS  := $(shell grep -l 'book/results' $(SOURCES))
BENCHED  := $(shell grep -l '\.\./benchmarks' $(SOURCES))
RESULTS  := $(shell find book/results -type f 2>/dev/null)
PAGES    := $(filter-out $(RESULTS),$(shell find book -type f -not -path '*/__pycache__/*'))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env book check-book notebooks exercises gpu test check coverage mutants torture lab format lock clean pages executed

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

env: .venv/.ok  ## create .venv with the locked packages

# uv and not pip: it reads no pip settings from the machine, which may mix a CPU build of
# torch with a CUDA build of torchvision.
.venv/.ok: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("patlib needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d.\nName another one, for example: make PYTHON=python3.12 book" % v)'
	@echo "Making .venv (5 GB with the CUDA libraries of torch; a minute or two)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q "uv>=0.9"
	$(BIN)/uv pip install -q --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@$(BIN)/python -c 'import torch, torchvision' || { echo "torch and torchvision do not load together: see the error above. Remove .venv, unset UV_* and PIP_* variables that name other package sources, and try again."; exit 1; }
	@touch $@

book: env  ## execute every notebook and build the HTML book (build/book/index.html)
	@$(MAKE) -s --no-print-directory pages

pages: executed
	@$(ALONE) $(MAKE) -s --no-print-directory build/book/index.html
	@echo "The book is in build/book/index.html"

executed: env
	@$(ALONE) $(MAKE) -s --no-print-directory -j$(JOBS) $(EXECUTED)

build/notebooks/%.ipynb: notebooks/%.md $(LIBRARY) book/execute.py .venv/.ok
	@$(BIN)/python book/execute.py $< $@

$(READERS:notebooks/%.md=build/notebooks/%.ipynb): $(RESULTS)
$(BENCHED:notebooks/%.md=build/notebooks/%.ipynb): $(wildcard benchmarks/*.py)

# Built from scratch each time (seconds), because an incremental build does not repeat the
# warnings of pages that it skips; from a copy, because Sphinx writes beside its sources.
build/book/index.html: $(EXECUTED) $(PAGES)
	@echo "Building the book from $(words $(EXECUTED)) notebooks"
	@rm -rf build/stage && mkdir -p build/stage/notebooks
	@cp -R book/. build/stage && rm -rf build/stage/results
	@cp $(EXECUTED) build/stage/notebooks/
	@$(BIN)/python book/run_times.py build/stage build/notebooks
	@$(BIN)/jupyter-book build -q -W --keep-going build/stage >/dev/null
	@rm -rf build/book && mv build/stage/_build/html build/book

check-book: book  ## open every page in Chromium: offline, equations, images, sliders
	$(BIN)/pytest tests/browser

notebooks: executed  ## (maintainers) store the executed notebooks beside their sources
	cp $(EXECUTED) notebooks/
	$(BIN)/python book/picture.py notebooks/00_start_here.ipynb fig-first-result book/images/patlib.png

gpu:  ## benchmarks and runs of the studies for MINUTES=60, without network; at full scale on a GPU
	env -u OMP_NUM_THREADS PYTHONPATH=$(CURDIR) $(or $(wildcard $(BIN)/python),$(PYTHON)) benchmarks/gpu.py --minutes $(or $(MINUTES),60)

exercises: env  ## copy the notebooks, without solutions and with their checks, into exercises/ (copies already there are kept)
	@$(BIN)/python book/exercises.py notebooks exercises

test: env  ## lint, types, unit tests, and every stored notebook run again
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout 1500 --ignore tests/browser tests notebooks

check: env  ## what to run while working: format, lint, types, import rules, the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -p no:nbval -n 2 --dist loadfile -m "not slow" tests

coverage: env  ## the share of each room's lines that TESTS=tests run, those that they start in other processes too
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile $(or $(TESTS),tests --ignore tests/browser --ignore tests/book)
	@$(BIN)/coverage combine -q
	@for place in $(filter-out %__pycache__/,$(sort $(wildcard patlib/*/))) patlib/; do \
	  printf '%-20s %6s %%\n' $$place "$$($(BIN)/coverage report --format=total --precision=1 --include="$$place**")"; done

mutants: MUTATED = $(or $(ROOM),trainer)
mutants: env  ## (maintainers) change the code of ROOM=trainer in COUNT=20 places: which changes do its tests not notice?
	$(BIN)/python tests/mutants.py $(wildcard patlib/$(MUTATED) patlib/$(MUTATED).py) \
	  --tests $(wildcard tests/$(MUTATED) tests/test_$(MUTATED).py) --count $(or $(COUNT),20) --seed $(or $(SEED),0)

torture: env  ## (maintainers) attack the library for MINUTES=30 with fresh seeds; ONLY="kill or disk" picks attacks by name
	PATLIB_TORTURE_MINUTES=$(or $(MINUTES),30) $(BIN)/pytest -q -p no:xdist --timeout 0 tests/torture $(if $(ONLY),-k "$(ONLY)")

lab: env  ## open JupyterLab at the notebooks
	env -u TQDM_DISABLE -u OMP_NUM_THREADS $(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

format:  ## sort imports and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: env  ## resolve requirements.lock again, for every Python version and platform
	$(BIN)/uv pip compile -q --universal --all-extras --upgrade --generate-hashes --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean:  ## remove what was built, but not .venv
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
