# Settings are read from the environment and from the command line alike:
#   HTTP_PORT=8081 make up    or    make up HTTP_PORT=8081

.DEFAULT_GOAL := help
.PHONY: help up down doctor test faults lint bench profile lock snapshot restore

PYTHON := .venv/bin/python
FAULT_TESTS := tests/faults tests/failover tests/cluster tests/e2e/test_load.py tests/e2e/test_accounts_kills.py
RUFF := $(PYTHON) -m ruff

help: ## Show this help
	@echo "Portcullis: make TARGET [NAME=value ...]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12
	@echo
	@echo "  HTTP_PORT=8080 HTTP_ADDR=127.0.0.1 OPS_PORT=9090 RUN_DIR=run WORKERS=(number of cores)"
	@echo "  REDIS_URL=(unset: make up starts its own Redis) ISSUER=(unset: http://127.0.0.1:HTTP_PORT) ALG=ES256"

up: ## Install what is missing, start Redis, the app and nginx, print two curl lines
	@scripts/up

down: ## Stop what make up started, and nothing else
	@scripts/down

doctor: ## Check a running or configured gateway
	@scripts/doctor

snapshot: ## Write clients, routes, revocations and the audit into Postgres (SNAPSHOT_ARGS="--help")
	@scripts/install
	@scripts/snapshot $(SNAPSHOT_ARGS)

restore: ## Fill an empty Redis from the newest snapshot (RESTORE_ARGS="--at 2026-11-21")
	@scripts/install
	@scripts/restore $(RESTORE_ARGS)

test: ## Install what the tests need and run all of them (works while make up is running)
	@scripts/install test
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m pytest

faults: ## The long form of the fault tests: about half an hour of kills, freezes and floods
	@scripts/install test
	@STORM_ROUNDS=$${STORM_ROUNDS:-20} OVERLOAD_S=$${OVERLOAD_S:-60} REVOKE_ROUNDS=$${REVOKE_ROUNDS:-100000} \
		REDIS_RESTARTS=$${REDIS_RESTARTS:-20} LOAD_REQUESTS=$${LOAD_REQUESTS:-500000} \
		REPLICA_ROUNDS=$${REPLICA_ROUNDS:-100} \
		$(PYTHON) -m pytest -s -o timeout=7200 $(FAULT_TESTS)

lint: ## Run ruff, mypy and shellcheck
	@scripts/install test
	@$(RUFF) check
	@$(RUFF) format --check
	@$(PYTHON) -m mypy
	@scripts/lib/lint-shell

bench: ## Measure the gateway next to a no-op (QUICK=1: under a minute; BENCH_ARGS="--help")
	@scripts/install bench
	@$(PYTHON) -m bench $(if $(QUICK),--quick) $(BENCH_ARGS)

profile: ## Record a flame graph of a worker under load (PROFILE_ARGS="--scenario 'mint ES256'")
	@scripts/install bench
	@$(PYTHON) -m bench.flame $(PROFILE_ARGS)

lock: ## Re-make all requirements.txt from pyproject.toml
	@scripts/lib/lock
