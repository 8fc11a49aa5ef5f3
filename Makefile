# Two commands from a fresh clone, with nothing but Python 3.11 (or later), pip and make:
#   make conformance   sets up, judges the built-in reference subsystems, writes reports/latest, prints the summary
#   make test          sets up, runs the project's own tests
PYTHON ?= python3
VENV := .venv
TOX := $(VENV)/bin/tox

.PHONY: conformance test mutants lint types realworld field interop-libraries all-checks clean

conformance: $(TOX)
	$(TOX) run -q -e conformance

test: $(TOX)
	$(TOX) run -q -e unit

# Where this user may capture packets: make mutants CAPTURE=--capture
mutants: $(TOX)
	$(TOX) run -q -e mutants -- $(CAPTURE)

lint types realworld field interop-libraries: $(TOX)
	$(TOX) run -q -e $@

all-checks: $(TOX)
	$(TOX) run -q -e lint,types,unit,conformance,mutants

# Debian's python3 lacks ensurepip: then a pip that is there is pointed at the new environment.
$(TOX): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hopproof needs Python 3.11 or later; name one with make PYTHON=/path/to/python3.11")'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || \
	  { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV); }
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 && $(VENV)/bin/python -m pip install -q 'tox>=4.20' || \
	  $(PYTHON) -m pip --python $(VENV)/bin/python install -q 'tox>=4.20'
	@touch $(TOX)

clean:
	rm -rf $(VENV) .tox build dist .mypy_cache .ruff_cache .pytest_cache
