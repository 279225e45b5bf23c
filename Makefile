# Two commands on a fresh machine (python >= 3.10 and make): `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OLDEST := 22.0.0
NEWEST := 27.0.1
MATRIX := 22.0.0 23.0.0 25.3.0 26.2.0 27.0.1
REAL := tests/integration tests/faults

.PHONY: help demo test lint quick real docs rule-pages mutants test-matrix bench bench-quick bench-micro bench-sim bench-calibrate bench-faults bench-nginx soak test-vm fetch clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.demo ## The example app under a load that goes calm, busy, calm; ends by itself in 90 s
	@$(BIN)/python -m benchmarks.demo

test: lint quick ## Everything: lint, unit and contract tests, real servers on the newest Gunicorn, and on the oldest what depends on its version
	@$(MAKE) --no-print-directory real GUNICORN=$(NEWEST)
	@$(MAKE) --no-print-directory real GUNICORN=$(OLDEST) WHICH="not once"

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests benchmarks example_app
	$(BIN)/mypy
	$(BIN)/lint-imports

quick: $(VENV)/.dev ## Unit, scenario and contract tests
	$(BIN)/pytest -q -n 2 tests/unit tests/scenarios tests/contract

real: $(VENV)/.dev .venv-gunicorn-$(GUNICORN)/.ready fetch ## Real servers on GUNICORN=version
	AUTOTUNE_TEST_PYTHON=$(CURDIR)/.venv-gunicorn-$(GUNICORN)/bin/python $(BIN)/pytest -q -n 5 $(if $(WHICH),-m "$(WHICH)") $(REAL)

test-matrix: ## Real servers on every supported Gunicorn
	@for version in $(MATRIX); do echo "== gunicorn $$version"; \
	  $(MAKE) --no-print-directory real GUNICORN=$$version || exit 1; done

test-vm: | $(VENV)/bin/python ## systemd and cgroup v2, in a virtual Debian 12; as root; the first time 3 min longer, with KVM about 5 min
	$(BIN)/python -m tests.vm

MUTANTS ?= 249
mutants: $(VENV)/.dev .venv-gunicorn-$(NEWEST)/.ready ## How many of MUTANTS small faults the tests notice; prints a table, hours
	AUTOTUNE_TEST_PYTHON=$(CURDIR)/.venv-gunicorn-$(NEWEST)/bin/python $(BIN)/python -m tests.mutants --mutants $(MUTANTS)

docs: $(VENV)/.dev ## Write the generated pages again
	$(BIN)/python -m gunicorn_autotune.exporter.metrics_page > docs/metrics.md
	$(BIN)/python -m gunicorn_autotune.model.settings_page > docs/settings.md
	$(BIN)/python -m gunicorn_autotune.cli.nginx_shipped nginx
	$(BIN)/python -m tests.nginx_pages

rule-pages: $(VENV)/.dev ## A page for each nginx rule, with its samples, in docs/nginx; not kept in the repository
	$(BIN)/python -m tests.nginx_pages --pages

bench: $(VENV)/.bench $(VENV)/.dev fetch ## Adaptive against static tuning and its peers, real servers; writes docs/benchmarks.md; as root, hours, goes on where it was cut short
	$(BIN)/python -m benchmarks.contest --take

bench-quick: $(VENV)/.bench ## The same in ten minutes: few, short runs, printed, not kept
	$(BIN)/python -m benchmarks.contest --quick

bench-micro: $(VENV)/.dev ## What one request, one tick and one scrape cost; prints, decides nothing
	$(BIN)/python -m benchmarks.micro

bench-sim: $(VENV)/.bench ## The law beside its peers on simulated servers; writes docs/evidence.md, about 20 min
	$(BIN)/python -m benchmarks.simulation --take

bench-calibrate: $(VENV)/.bench ## The simulator against real runs on this machine; leave it alone meanwhile, about 30 min
	$(BIN)/python -m benchmarks.calibration --take

bench-faults: $(VENV)/.bench $(VENV)/.dev fetch ## Leak, recycles, fault suite with real servers; as root, about 45 min, leave it alone
	$(BIN)/python -m benchmarks.faults --take

bench-nginx: $(VENV)/.dev $(MATRIX:%=.venv-gunicorn-%/.ready) fetch ## Through a real nginx: expiring connections, steps, recycles; writes docs/nginx-measured.md, about 24 min, leave it alone
	$(BIN)/python -m benchmarks.nginx --take

MINUTES ?= 30
soak: $(VENV)/.bench ## Kills, reloads, limits cut, streams, forks at random for MINUTES: do the accounts balance? As root; writes docs/reliability.md
	$(BIN)/python -m benchmarks.faults --cells chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) --take

fetch: ## nginx and prometheus from Debian when root; else says what is missing
	@.ci/fetch

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[example]'
	@touch $@

.venv-gunicorn-%/.ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check 'gunicorn==$*' -e . flask gevent packaging
	@touch $@

clean:
	rm -rf .venv .venv-gunicorn-* mutants.jsonl .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/out
