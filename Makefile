# Two commands do everything: `make demo` and `make test`. Each sets up what it needs, from nothing but Python.
PYTHON ?= python3
CORES ?= $(shell nproc)
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Beside the virtual environment, for tests alone: TensorRT-RTX of two generations (proprietary; parses and compiles graphs
# without a GPU) and the CUDA bindings of JetPack 6. What cannot be had for a processor is skipped by name.
BESIDE := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --only-binary=:all: --upgrade

.PHONY: demo test lint types unit gpu-check clean

demo: $(VENV)/.demo
	$(VENV)/bin/boardgate demo

# What only computes runs on every core; stations with brokers, lines and deadlines run one at a time.
test: $(VENV)/.dev lint types
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses $(CORES) --dist loadfile -m "unit or sweep"
	$(VENV)/bin/python -m pytest -m "not unit and not sweep"

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev
	$(VENV)/bin/mypy

unit: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -m unit

# The whole truth about TensorRT, on a machine that has a GPU; exit status 4 where there is none.
gpu-check: $(VENV)/.dev
	PYTHONPATH=$(VENV)/rtx-1.7 $(VENV)/bin/python -m benchmarks.gpu_check --json benchmarks/results/gpu_check.json \
	    --page docs/tensorrt.md

clean:
	rm -rf $(VENV) out build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo,train,pretrained,dev,openvino]'
	-$(BESIDE) --no-deps --target $(VENV)/rtx-1.7 tensorrt-rtx-cu13-libs==1.7.1.116 tensorrt-rtx-cu13-bindings==1.7.1.116
	-$(BESIDE) --no-deps --target $(VENV)/rtx-1.4 tensorrt-rtx-cu12-libs==1.4.0.76 tensorrt-rtx-cu12-bindings==1.4.0.76
	-$(BESIDE) --target $(VENV)/cuda-bindings-12 "cuda-bindings>=12.9,<13"
	touch $@ $(VENV)/.demo
