# `make demo` and `make test` need Python, pip and a package index; everything else is set up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# `make test-fast COVERAGE=--cov` also measures how much of the library the fast tests cover; it makes them a third slower.
COVERAGE ?=
RUN ?= runs/sentiment
EXPORT ?= exports/sentiment
REVIEW ?= Funny, moving and beautifully acted, from the first scene to the last.

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo docs test test-fast test-slow lint types format hooks bench sanitize clean

demo: $(READY)  ## train sentiment analysis on real reviews, evaluate, export, query the export
	$(BIN)/rnn-sentiment train --epochs 2 --run-dir $(RUN) --overwrite
	$(BIN)/rnn-sentiment evaluate $(RUN)
	$(BIN)/rnn-sentiment export $(RUN) --output $(EXPORT)
	$(BIN)/rnn-sentiment predict $(EXPORT) "$(REVIEW)"
	@echo "Plots: $(RUN)/report/   Try: $(BIN)/rnn-sentiment predict $(RUN) \"your own sentence\""

test: test-fast test-slow  ## the whole test suite, including the examples in docstrings

test-fast: $(READY)  ## the tests that are not marked slow, in about two minutes
	$(BIN)/python -m pytest -m "not slow" $(COVERAGE)

test-slow: $(READY)  ## the tests that train models, or start processes and servers
	$(BIN)/python -m pytest -m slow

docs: $(READY)  ## the pages as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	@# `rnnapps.apps` is the folder `apps`, which mypy would not find, so it would treat everything from it as Any.
	rm -rf build/types && mkdir -p build/types/rnnapps
	ln -s $(addprefix $(CURDIR)/,$(wildcard rnnapps/*.py rnnapps/*/ rnnapps/py.typed) apps) build/types/rnnapps/
	$(BIN)/mypy build/types/rnnapps

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

hooks: $(READY)  ## lint before every commit
	$(BIN)/pre-commit install

# Data that cannot be shipped: the Free Spoken Digit Dataset, a folder of Multi30K, one of M4 hourly, the file with
# Bach's chorales, the Python of an environment with neuralforecast, a run of rnn-translation.
DIGITS ?=
MULTI30K ?=
M4 ?=
CHORALES ?=
PEER ?=
TRANSLATION ?=
bench: $(READY)  ## every benchmark behind a figure in the README; takes some hours
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/sentiment.py
	$(BIN)/python benchmarks/gradient_flow.py --picture docs/gradient_flow.png
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/streaming_audio.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/tuning.py
	$(BIN)/python benchmarks/language.py serve
	$(BIN)/python benchmarks/forecasting.py --forecasts 2
ifneq ($(M4),)
	$(BIN)/python benchmarks/forecasting.py --config apps/forecasting/m4_hourly.toml --dataset $(M4)/train.csv --test $(M4)/test.csv $(if $(PEER),--peer-python $(PEER))
else
	@echo "left out: make bench M4=FOLDER measures forecasts on the hourly series of the M4 competition"
endif
ifneq ($(CHORALES),)
	$(BIN)/python benchmarks/music.py $(CHORALES)
else
	@echo "left out: make bench CHORALES=FILE measures nats per step on Bach's chorales"
endif
ifneq ($(SHAKESPEARE),)
	$(BIN)/python benchmarks/language.py train --dataset $(SHAKESPEARE) --config apps/language/shakespeare.toml
else
	@echo "left out: make bench SHAKESPEARE=FILE compares training a language model with PyTorch"
endif
ifneq ($(DIGITS),)
	$(BIN)/python benchmarks/spoken_digits.py $(DIGITS)
	$(BIN)/python benchmarks/spoken_digits.py $(DIGITS) --leave-out
	$(BIN)/python benchmarks/transcription.py $(DIGITS) --torch
	$(BIN)/python benchmarks/transcription.py $(DIGITS) --leave-out
else
	@echo "left out: make bench DIGITS=FOLDER measures spoken digits"
endif
ifneq ($(MULTI30K),)
	$(BIN)/python benchmarks/translation.py $(MULTI30K) --config apps/translation/captions.toml
else
	@echo "left out: make bench MULTI30K=FOLDER compares translation with PyTorch"
endif
ifneq ($(TRANSLATION),)
	$(BIN)/python benchmarks/serving.py --translation $(TRANSLATION)
else
	@echo "left out: make bench TRANSLATION=RUN measures the export of a translator"
endif

$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[demo,test]"
	touch $@

sanitize:  ## the native engine's loops under AddressSanitizer and UndefinedBehaviorSanitizer
	bash tests/native/sanitize.sh

clean:
	rm -rf $(VENV) build dist *.egg-info
