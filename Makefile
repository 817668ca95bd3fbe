# make demo        the whole workflow on synthetic images, about five minutes
# make test        tests of the library and the module, at most six minutes on two cores
# make test-quick  the fast ones of them, at most 90 seconds
# make test-host   tests of the desktop host that stands in for 3D Slicer
# make lint        style, types, Python 3.9 compatibility, security
# make docs-check  links of the documents
# make lock        requirements.lock: all packages, pinned and hashed
# make locked      .venv from requirements.lock, with hashes verified (PyTorch with CUDA: large)
# make audit       bandit over the code, pip-audit over requirements.lock (needs pypi.org)
# make sbom        build/sbom.json: the packages of .venv, as CycloneDX
# make clean       remove what the other targets made, except runs
#
# Everything is installed into .venv. To choose a Python: make demo PYTHON=python3.12

PYTHON ?= python3
# test processes, each with one thread
WORKERS ?= 2
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
GENSEG := $(BIN)/genseg
INSTALLED := .venv/installed
RELEASE := .venv/release
BANDIT := $(BIN)/bandit -q -c pyproject.toml -r GenSegLib GenSegSlicer

.PHONY: demo test test-quick test-host lint docs-check lock locked audit sbom clean

demo: $(INSTALLED)
	$(GENSEG) demo

test: $(INSTALLED)
	$(PYTEST)

test-quick: $(INSTALLED)
	$(PYTEST) -m "not slow"

test-host: $(INSTALLED)
	$(PYTEST) Testing/HostTests

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/vermin --quiet --no-tips --violations --no-parse-comments -t=3.9- GenSegLib GenSegSlicer
	$(BIN)/mypy
	$(BANDIT)

docs-check: $(INSTALLED)
	$(BIN)/python Testing/Tools/check_links.py

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
