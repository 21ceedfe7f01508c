PYTHON ?= python3
VENV ?= .venv
KAFKA ?= apache
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo kafka test test-unit test-kafka system chaos chaos-cluster bench bench-scenarios bench-quick lint format schema metrics options dashboards constraints audit clean

help: ## list all goals
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

install: $(INSTALLED) ## create .venv with everything in it

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "newsreel needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## watch a transformer learn 20 Newsgroups from an embedded Kafka
	$(BIN)/python -m demo $(ARGS)

kafka: $(INSTALLED) ## run a Kafka on port 9094 until Ctrl-C, to try newsreel without Docker
	$(BIN)/python -m harness $(ARGS)

test: lint system ## run the linters, the type checker, the import contracts and every test
	$(BIN)/python -m pytest $(ARGS)

test-unit: $(INSTALLED) ## run the quick tests, which need no broker, no browser and no encoder of full size (a minute)
	$(BIN)/python -m pytest tests/unit --ignore=tests/unit/benchmarks -m "not slow" -n auto $(ARGS)

test-kafka: $(INSTALLED) system ## run the tests with a broker on Apache Kafka, and those of failing clusters (needs Java, Maven)
	$(BIN)/python -m harness --kafka $(KAFKA) -- $(BIN)/python -m pytest tests/integration tests/e2e $(ARGS)
	$(BIN)/python -m pytest tests/cluster --numprocesses 1 $(ARGS)

system:
	@sh tests/system.sh

chaos: $(INSTALLED) ## kill the consumer, stop its broker, cut connections, send malformed records; count what was lost (9 minutes)
	$(BIN)/python -m chaos $(ARGS)

chaos-cluster: $(INSTALLED) ## kill consumers and brokers of a cluster of three in the same trial, 20 times (6 minutes; needs Java, Maven)
	$(BIN)/python -m chaos --kafka cluster --only brokers --kills 20 $(ARGS)

bench: $(INSTALLED) ## compare learners and peers on all of 20 Newsgroups (hours; can be stopped and resumed)
	$(BIN)/python -m benchmarks throughput
	$(BIN)/python -m benchmarks quality $(ARGS)

bench-scenarios: $(INSTALLED) ## compare learners and peers on streams that change or arrive too fast (hours; the first part can be resumed)
	$(BIN)/python -m benchmarks scenarios $(ARGS)
	$(BIN)/python -m benchmarks arrivals
	$(BIN)/python -m benchmarks replay

bench-quick: $(INSTALLED) ## compare most learners on 1,000 documents (under 10 minutes)
	$(BIN)/python -m benchmarks quality --quick $(ARGS)

lint: $(INSTALLED) ## run ruff, mypy (strict) and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(INSTALLED) ## write docs/document.schema.json from the type
	$(BIN)/python -m newsreel.events.document > docs/document.schema.json.part
	mv docs/document.schema.json.part docs/document.schema.json

metrics: $(INSTALLED) ## write docs/metrics.md from the definitions
	PYTHONPATH=. $(BIN)/python docs/metrics.py > docs/metrics.md.part
	mv docs/metrics.md.part docs/metrics.md

options: $(INSTALLED) ## write docs/options.md from the settings classes
	PYTHONPATH=. $(BIN)/python docs/options.py > docs/options.md.part
	mv docs/options.md.part docs/options.md

dashboards: $(INSTALLED) ## write the Grafana boards from the code
	PYTHONPATH=deploy/grafana $(BIN)/python -m boards

# A local version (torch's +cpu) differs between machines, so the file leaves it out.
constraints: $(INSTALLED) ## upgrade all packages, and write their versions to constraints.txt
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	$(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+.*//' > constraints.txt.part
	mv constraints.txt.part constraints.txt
	@touch $(INSTALLED)

audit: ## check constraints.txt for known vulnerabilities (needs the network and pip-audit)
	@command -v pip-audit >/dev/null || { echo "audit needs pip-audit; get it with: pipx install pip-audit"; exit 2; }
	pip-audit --no-deps --disable-pip --requirement constraints.txt

clean: ## delete the environment, caches and runs
	rm -rf $(VENV) build *.egg-info runs .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
