# Two commands do everything: `make demo` and `make test`. Each sets up what it needs, from nothing but Python.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Proprietary, for tests alone: parses and compiles TensorRT graphs without a GPU. Where it cannot be had (another
# processor than x86-64) its tests skip by name.
RTX := -$(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --only-binary=:all: --no-deps --upgrade

.PHONY: demo test lint types unit clean

demo: $(VENV)/.demo
	$(VENV)/bin/boardgate demo

test: $(VENV)/.dev lint types unit
	$(VENV)/bin/python -m pytest -m "not unit"

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev
	$(VENV)/bin/mypy

unit: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -m unit

clean:
	rm -rf $(VENV) out build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo,train,dev,openvino]'
	$(RTX) --target $(VENV)/rtx-1.7 tensorrt-rtx-cu13-libs==1.7.1.116 tensorrt-rtx-cu13-bindings==1.7.1.116
	$(RTX) --target $(VENV)/rtx-1.4 tensorrt-rtx-cu12-libs==1.4.0.76 tensorrt-rtx-cu12-bindings==1.4.0.76
	touch $@ $(VENV)/.demo
