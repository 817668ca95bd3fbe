# make demo   the whole job on phantoms, about five minutes
# make test   all the tests
# make lint   style and types
# make screenshots   the pictures of the Slicer panel, about five minutes
# make clean  removes what the others made (not your runs)
#
# Everything is installed into .venv. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
# tests run side by side, each with one thread
WORKERS ?= 2
BIN := .venv/bin
GENSEG := $(BIN)/genseg
INSTALLED := .venv/installed

.PHONY: demo test lint screenshots clean

demo: $(INSTALLED)
	$(GENSEG) demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

screenshots: $(INSTALLED)
	$(BIN)/python Testing/Tools/screenshots.py

$(INSTALLED): pyproject.toml constraints.txt .ci/setup
	sh .ci/setup "$(PYTHON)" .venv
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find GenSegLib GenSegSlicer Testing -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
