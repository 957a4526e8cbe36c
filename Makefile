# Two commands: make demo, make test. Everything lives in .venv.
PYTHON ?= python3
BIN := .venv/bin
# Tests of one file share servers and builds, so a file stays on one core. A worker that a library kills is a failure at
# once: xdist waits for ever for the file of one that it starts again.
SPREAD := -n auto --dist loadfile --max-worker-restart 0

.PHONY: demo test test-slow test-bsp test-train lint types pytest bench format clean

demo: .venv/.demo
	$(BIN)/eiq-demo run kws.yaml

test: lint types pytest

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.test
	$(BIN)/mypy

pytest: .venv/.test
	$(BIN)/pytest $(SPREAD) --benchmark-skip -m 'not slow and not training'

# What takes more than a few seconds each.
test-slow: .venv/.test
	$(BIN)/pytest $(SPREAD) --benchmark-skip -m 'slow and not training'

# As on a board with its own BSP: Debian's OpenCV, numpy 1, tflite-runtime. Needs Debian's python3-venv and python3-opencv.
test-bsp: .venv-bsp/.done
	.venv-bsp/bin/pytest $(SPREAD) --benchmark-skip tests/unit tests/contract tests/integration/test_v4l2.py tests/integration/test_gstreamer_rtsp.py

# What needs the training frameworks: every model retrained on a little data, the lab, quantising and pruning.
test-train: .venv-train/.done
	.venv-train/bin/pytest -m training

bench: .venv/.test
	$(BIN)/pytest tests/benchmarks --benchmark-only -s

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit("eiq-demo needs Python 3.11 or later, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[desktop]'
	touch $@

.venv/.test: .venv/.demo
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[desktop,onnx,classical,rt,mqtt,tflm,vela,plot,scale,test]'
	touch $@

.venv-bsp/.done: pyproject.toml
	/usr/bin/python3 -m venv --system-site-packages .venv-bsp
	.venv-bsp/bin/pip install --quiet --editable '.[bsp,rt,test]'
	touch $@

.venv-train/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/pip install --quiet --constraint constraints.txt --editable '.[train,compile,tflm,plot,scale,test]'
	touch $@

clean:
	rm -rf .venv .venv-bsp .venv-train build dist .mypy_cache .ruff_cache .pytest_cache
