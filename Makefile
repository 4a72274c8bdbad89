# make demo    trace the three examples, figures in demo/
# make test    build, and run the whole test suite
# make check   lint and types
# make figures the lecture's experiments, run here, in figures/ (some minutes; FIGURES="--quick": seconds each)
# make bench   benchmarks (SHORT=1: in a minute)
# make docs    the documents as a site, in build/site
# make wheel   the wheel of this interpreter, in dist/ (tools/try-wheel installs and tries several)
# make build   compile in place, after a change of the native part
#
# PYTHON is the interpreter to use (3.11 or later), VENV the virtual environment made with it.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
PACKAGING := setup.cfg setup.py pyproject.toml
WHATIF := $(wildcard analysis/whatif/*.pxd)
SOURCES := $(wildcard tracer/native/*.[ch] tracer/native/*/*.[ch] tracer/*.pyx tracer/_marks.c examples/*.pyx) \
    $(wildcard analysis/*/*.pyx analysis/*/*/*.pyx analysis/*.pxd analysis/fold/*.pxd analysis/fold/*/*.pxd) $(WHATIF) $(WHATIF:.pxd=.py) setup.py

.PHONY: demo figures test check bench build docs wheel clean

demo: $(VENV)/installed $(VENV)/built
	mkdir -p demo
	cd demo && $(abspath $(RUN)) -m tracer --force ../examples/threads.py
	cd demo && $(abspath $(RUN)) -m tracer --force ../examples/processes.py
	cd demo && $(abspath $(RUN)) -m tracer --force ../examples/nogil.py
	@echo
	@echo "Figures: demo/threads.png  demo/processes.png  demo/nogil.png"

figures: $(VENV)/installed $(VENV)/built
	$(RUN) -m plots.gallery -o figures $(FIGURES)

test: $(VENV)/ready
	$(RUN) -m pytest $(PYTEST)

.PHONY: $(VENV)/ready
$(VENV)/ready: $(VENV)/installed-test $(VENV)/built

check: $(VENV)/installed-dev $(VENV)/built
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	@if [ -d node_modules ]; then npm run --silent types && npm run --silent lint; else \
	    echo "The page's code was not checked: npm ci makes node_modules, with tsc and eslint in it."; fi

bench: $(VENV)/installed-test $(VENV)/built
	@set -e; for file in $(filter-out %/__init__.py,$(wildcard benchmarks/*.py)); do \
	    echo "$$file"; $(RUN) -m benchmarks.$$(basename $$file .py) $(if $(SHORT),--short); done

build: $(VENV)/built

$(VENV)/bin/python:
	tools/make-venv $(PYTHON) $(VENV)

# Editable, so that the examples run from the tree; what is compiled lies in it too, by $(VENV)/built.
$(VENV)/installed: $(VENV)/bin/python $(PACKAGING)
	PYTHONWARNINGS=ignore $(RUN) -m pip install -q "setuptools>=77" "cython>=3.1"
	GILSCOPE_COMPILED=1 PYTHONWARNINGS=ignore $(RUN) -m pip install -q --no-build-isolation -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(RUN) tools/requirements test >$(VENV)/requirements.txt
	PYTHONWARNINGS=ignore $(RUN) -m pip install -q -r $(VENV)/requirements.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed-test
	$(RUN) tools/requirements test dev >$(VENV)/requirements.txt
	PYTHONWARNINGS=ignore $(RUN) -m pip install -q -r $(VENV)/requirements.txt
	touch $@

$(VENV)/built: $(SOURCES) | $(VENV)/installed
	GILSCOPE_WERROR=1 $(RUN) setup.py -q build_ext --inplace
	touch $@

# The documents as a site, in build/site; a link to what is not there is an error.
docs: $(VENV)/installed-dev $(VENV)/built
	COLUMNS=100 $(RUN) tools/reference
	$(RUN) -m mkdocs build -q

wheel: $(VENV)/installed
	$(RUN) -m pip wheel -q --no-deps --no-build-isolation -w dist .

clean:
	rm -rf build dist demo *.egg-info
	find tracer analysis examples -name '*.so' -delete
	find analysis -name "*.c" -delete
	rm -f tracer/_recorder.c examples/_countdown.c
