# make demo   train a small model, gate it, show the verdict
# make mission  train a small language model, take it through all six stages, and say how long that took
# make test   run the tests
# make test-all  run the thorough ones, too: what a scheduled workflow does, and you before an issue is called resolved
# make servers  install the Debian packages of servers that some tests ask, as root; without them these tests are skipped
# make bench  print the benchmarks' ratios
# make lint   ruff, mypy, and the checks of the action and its workflows
# make lock   write the versions that the action installs, those that the tests ran with
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# GitHub's own parser of workflows. Where npm is missing, the tests that ask it are skipped and say so.
NODE := $(if $(shell command -v npm),tests/actions/node_modules/.package-lock.json)

.PHONY: demo mission test test-all servers bench lint lock schemas clean

demo: $(VENV)/.demo
	$(BIN)/gatekeeper demo

# HAProxy, Prometheus and Alertmanager are programs of the system: apt-get install haproxy prometheus prometheus-alertmanager
mission: $(VENV)/.dev
	test -e examples/tiny-llm/model/model.safetensors || $(BIN)/python examples/tiny-llm/make_model.py
	date; $(BIN)/gatekeeper run examples/mission/edge_ai_pipeline.yaml; code=$$?; date; exit $$code

test test-all: $(VENV)/.dev $(NODE)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tests/kit/suite.py $(if $(filter test-all,$@),--all)

servers:
	timeout 300 apt-get -q -o Acquire::http::Timeout=20 update
	DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -q -o Acquire::http::Timeout=20 install -y --no-install-recommends \
	  docker-registry prometheus prometheus-alertmanager

bench: $(VENV)/.dev
	$(BIN)/python -m pytest tests/benchmarks -s -q -o addopts="" -o timeout=0

lint: $(VENV)/.dev $(NODE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --persona auditor --config .github/zizmor.yml action.yml .github examples/workflows/*.yml
	$(BIN)/python -m pytest -q tests/actions

schemas: $(VENV)/.dev
	$(BIN)/python -m gatekeeper.reference.write

# Versions without local parts (+cpu), and none of the CUDA packages: the action takes PyTorch's build for the CPU. modelaudit is for
# Python 3.11 alone, and is resolved by itself.
lock: $(VENV)/.dev
	$(BIN)/uv pip freeze -q --python $(BIN)/python --exclude-editable | grep -v ' @ ' | sed 's/+cpu//' > $(VENV)/frozen.txt
	sed 's/, "modelaudit[^]]*]/]/' pyproject.toml > $(VENV)/pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras --constraint $(VENV)/frozen.txt --no-annotate \
	  --no-header $(VENV)/pyproject.toml | grep -vE '^(nvidia-(cu|n[cv])|cuda-|triton=)' > $(VENV)/locked.txt
	$(BIN)/uv pip compile -q --python-version 3.11 --extra scan --constraint $(VENV)/locked.txt --no-annotate --no-header \
	  pyproject.toml | grep -vxFf $(VENV)/locked.txt | sed "s/$$/ ; python_full_version < '3.12'/" > $(VENV)/more.txt
	sort -u $(VENV)/locked.txt $(VENV)/more.txt > .github/constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "gatekeeper needs Python 3.11 or newer; run: make PYTHON=python3.11 <target>")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e ".[demo]"
	$(BIN)/python -m compileall -q gatekeeper
	touch $@

# ddddocr's models are gated by tests, and its code never runs: nothing that this needs, such as OpenCV.
OCR := ddddocr==1.6.1

# PyTorch first and by itself: what needs it later takes the build that is there, and not gigabytes for GPUs.
$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q "$(TORCH)"
	$(BIN)/python -m pip install -q -e ".[dev]"
	$(BIN)/python -m pip install -q --no-deps $(OCR)
	$(BIN)/python -m compileall -q gatekeeper
	touch $(VENV)/.demo $@

tests/actions/node_modules/.package-lock.json: tests/actions/package-lock.json
	npm ci --prefix tests/actions --no-audit --no-fund --loglevel error && touch $@ || echo "npm failed: some tests are skipped"

clean:
	rm -rf $(VENV) build dist tests/actions/node_modules .mypy_cache .ruff_cache .pytest_cache gatekeeper-report gatekeeper-demo
