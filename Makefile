# Needs Python 3.11 or newer, git and make; everything else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV ?= .venv
BIN = $(VENV)/bin
# Errors alone: warnings about a machine's own configuration of pip would fill the screen.
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check
# A process a core, each with one thread: twice as fast as one process whose threads wait for each other. A file's tests
# stay together, since they share what they train.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help run setup test check format docs bench faults notebooks pins clean

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: $(VENV)/.run ## Install, then go from nothing to an evaluated digit classifier
	$(BIN)/tenfold run

setup: $(VENV)/.dev ## Make the environment for development

test: $(VENV)/.dev ## Run the checks and all tests except the long fault tests
	$(MAKE) --no-print-directory lint
	$(PYTEST)

check: $(VENV)/.dev ## Lint, types and the fast tests
	$(MAKE) --no-print-directory lint
	$(PYTEST) -m "not slow"

.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Format the code, mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## Build the documentation: docs/_build/html/index.html (a test builds it too)
	$(BIN)/python -m sphinx -W --keep-going -n -q docs docs/_build/html

# The short ones, ten minutes on two cores. One seed of `standard` shows its seconds, and is no record of its accuracy.
BENCH := runs/bench-$(shell date +%Y%m%d-%H%M%S)

bench: $(VENV)/.dev ## Measure speed and accuracy on this machine (ten minutes)
	$(BIN)/python -m benchmarks.machine
	$(BIN)/python -m benchmarks.published --seeds 6
	$(BIN)/python -m benchmarks.recipes quick --seeds 30 --out $(BENCH)
	$(BIN)/python -m benchmarks.recipes standard --seeds 1 --out $(BENCH) --results $(BENCH)/results.json
	$(BIN)/python -m benchmarks.inference --rounds 3
	$(BIN)/python -m benchmarks.curve

faults: $(VENV)/.dev ## Kill every long verb thirty times, ask the service 25,000 times (20 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.campaign

notebooks: $(VENV)/.dev ## Run the notebooks, write them with what came out
	$(BIN)/python -m notebooks.build

clean: ## Remove the environment and caches, not the runs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build docs/api docs/notebooks

# A stamp is newer than the pins it was made from, so a second call installs nothing.
$(VENV)/.run: requirements-run.txt pyproject.toml
	@echo "Installing into $(VENV) what the main job takes: 1.3 GB, one to three minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements-run.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt $(VENV)/.run
	@echo "Installing into $(VENV) what development takes: 3 GB more, two to four minutes"
	@$(PIP) -r requirements-dev.txt
	@touch $@

# Without the CPU's mark, which the index does not know; uvloop is not made for Windows.
FREEZE = .pins/bin/pip freeze --exclude tenfold | sed -e 's/+cpu//' -e 's/^uvloop==.*/&; sys_platform != "win32"/'

pins: ## Resolve all dependencies anew and write their exact versions
	rm -rf .pins && $(PYTHON) -m venv .pins
	.pins/bin/pip install --quiet '.[train,report]'
	{ echo "# Exact versions for the main job; 'make pins' writes this file."; \
	  $(FREEZE); echo '-e .'; } > requirements-run.txt
	.pins/bin/pip install --quiet '.[all]'
	{ echo "# What all verbs take on top; 'make pins' writes this file."; echo '-r requirements-run.txt'; \
	  $(FREEZE) | grep -vxFf requirements-run.txt; } > requirements.txt
	.pins/bin/pip install --quiet '.[dev]'
	{ echo "# What development takes on top; 'make pins' writes this file."; echo '-r requirements.txt'; \
	  $(FREEZE) | grep -vxFf requirements-run.txt -f requirements.txt; } \
	  > requirements-dev.txt
	rm -rf .pins
