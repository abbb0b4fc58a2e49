# `make demo` and `make test` need Python, pip and a package index; everything else is set up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN ?= runs/sentiment
EXPORT ?= exports/sentiment
REVIEW ?= Funny, moving and beautifully acted, from the first scene to the last.

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint format bench sanitize clean

demo: $(READY)  ## train sentiment analysis on real reviews, evaluate, export, ask the export
	$(BIN)/rnn-sentiment train --run-dir $(RUN) --overwrite
	$(BIN)/rnn-sentiment evaluate $(RUN)
	$(BIN)/rnn-sentiment export $(RUN) --output $(EXPORT)
	$(BIN)/rnn-sentiment predict $(EXPORT) "$(REVIEW)"
	@echo "Plots: $(RUN)/report/   Try: $(BIN)/rnn-sentiment predict $(RUN) \"your own sentence\""

test: $(READY)  ## the whole test suite
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## every benchmark behind a figure in the README; an hour or more
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/sentiment.py
	$(BIN)/python benchmarks/gradient_flow.py --picture docs/gradient_flow.png
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/streaming_audio.py

$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[demo,test]"
	touch $@

sanitize:  ## the native engine's loops under AddressSanitizer and UndefinedBehaviorSanitizer
	bash tests/native/sanitize.sh

clean:
	rm -rf $(VENV) build dist *.egg-info
