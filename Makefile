# make demo   the whole job on phantoms, about five minutes
# make test   all the tests
# make lint   style and types
# make screenshots   the pictures of the Slicer panel, about five minutes
# make lock   requirements.lock anew: every package that is installed, pinned and hashed
# make locked .venv from requirements.lock, each package held to its hash (torch for CUDA: large)
# make audit  bandit over the code, pip-audit over requirements.lock (asks pypi.org)
# make sbom   build/sbom.json: what is installed in .venv, as CycloneDX
# make clean  removes what the others made (not your runs)
#
# Everything is installed into .venv. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
# tests run side by side, each with one thread
WORKERS ?= 2
BIN := .venv/bin
GENSEG := $(BIN)/genseg
INSTALLED := .venv/installed
RELEASE := .venv/release
BANDIT := $(BIN)/bandit -q -c pyproject.toml -r GenSegLib GenSegSlicer

.PHONY: demo test lint screenshots lock locked audit sbom clean

demo: $(INSTALLED)
	$(GENSEG) demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BANDIT)

screenshots: $(INSTALLED)
	$(BIN)/python Testing/Tools/screenshots.py

lock: $(RELEASE)
	$(BIN)/uv pip compile pyproject.toml --all-extras -c constraints.txt --universal \
		--python-version 3.10 --generate-hashes --custom-compile-command "make lock" \
		--output-file requirements.lock -q

locked:
	"$(PYTHON)" -m venv --clear .venv
	$(BIN)/pip install --require-hashes -r requirements.lock
	$(BIN)/pip install --no-deps --no-build-isolation -e .
	touch $(INSTALLED) $(RELEASE)

audit: $(RELEASE)
	$(BANDIT)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

sbom: $(RELEASE)
	mkdir -p build
	$(BIN)/cyclonedx-py environment .venv --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json

$(RELEASE): $(INSTALLED)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[release]'
	touch $@

$(INSTALLED): pyproject.toml constraints.txt .ci/setup
	sh .ci/setup "$(PYTHON)" .venv
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find GenSegLib GenSegSlicer Testing -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
