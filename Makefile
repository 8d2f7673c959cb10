# Two commands: `make demo` sets everything up and runs the main job on the embedded default, `make test` the tests.
# Needs python3 (3.11 to 3.13), python3-venv and make. PYTHON=python3.12 picks another interpreter.
.PHONY: demo test check wheel pi android setup clean
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TOOL := $(BIN)/edge-melanoma
DEMO ?= demo
PYTEST_OPTIONS ?=

# Installed anew whenever what is asked for changes.
SETUP := $(VENV)/.installed
setup: $(SETUP)
$(SETUP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(SETUP)
	@printf '\nA synthetic data set: every picture is drawn, none is of a person.\n'
	$(TOOL) data synth --out $(DEMO)/pictures --force
	$(TOOL) data ingest synth $(DEMO)/pictures --out $(DEMO)/index --force
	$(TOOL) data audit $(DEMO)/index
	$(TOOL) data split $(DEMO)/index --out $(DEMO)/split --force
	$(TOOL) data eda $(DEMO)/split
	$(TOOL) train quick --data $(DEMO)/split --out $(DEMO)/run --force
	$(TOOL) evaluate $(DEMO)/run --data $(DEMO)/split --split test --force
	$(TOOL) convert $(DEMO)/run --int8 --recipe demo --out $(DEMO)/model.tflite --force
	$(TOOL) verify $(DEMO)/model.tflite
	$(TOOL) predict $(DEMO)/pictures/SYN_images/SYN_000000?.jpg --model $(DEMO)/model.tflite
	$(TOOL) bench $(DEMO)/model.tflite --seconds 1 --out $(DEMO)/bench --force
	@printf '\nLook at $(DEMO)/run/evaluation-test/index.html, $(DEMO)/model.report/index.html, $(DEMO)/bench/index.html,\n'
	@printf '$(DEMO)/run/curves.png, $(DEMO)/split/eda/index.html and $(DEMO)/index/audit/index.html\n'

test: $(SETUP)
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

check: $(SETUP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	rm -rf build/typed
	$(BIN)/python -m pip install --quiet --no-deps --target build/typed .
	cd build/typed && $(abspath $(BIN))/mypy --config-file ../../pyproject.toml

# The base install on emulated Raspberry Pis 4 and 5, compared with this machine; PI_BUNDLES="a.tflite b.tflite" tries others.
# `reference` is not among them: its bench alone takes more than seven minutes on each of the four.
TINY := tests/golden/tiny
PI_BUNDLES ?= $(TINY)/tiny_bundle.tflite $(wildcard edge_melanoma/models/reference-small.tflite $(DEMO)/model.tflite)
pi: $(SETUP)
	$(BIN)/python -m edge_melanoma.benchmarks.pi run $(PI_BUNDLES)
	$(BIN)/python -m edge_melanoma.benchmarks.pi count $(TINY)/tiny_float32.tflite $(TINY)/tiny_int8.tflite --against benchmarks/results/pi-instructions.json

# The Android demo without Gradle. Needs a JDK (17 or newer), Maven, and Debian 12's apt.
android: $(SETUP)
	cd android_demo && $(abspath $(BIN))/python -m tooling

include train/reference.mk

wheel: $(SETUP)
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf $(VENV) $(DEMO) android_demo/build build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
