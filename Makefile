.PHONY: help setup packages demo test lint types sanitized check-deep campaigns bench-locator lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what is missing, build what is stale; does nothing a second time
	@python3 -m deploy.bootstrap

packages:  ## the Debian packages alone, their services kept stopped (needs root)
	@python3 -B -m deploy.install.debian

demo: setup  ## load the cluster, write the report, stop everything
	@.venv/bin/lab demo

test: setup  ## every test: the engine's own, then pytest
	@ctest --test-dir "$$(python3 -m deploy.install.engine)" --output-on-failure
	@.venv/bin/pytest

lint: setup  ## ruff: rules and format
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check

types: setup  ## mypy, strict
	@.venv/bin/mypy

sanitized: setup  ## the engine's tests under the sanitizers of addresses and undefined behaviour (a minute)
	@ctest --test-dir "$$(python3 -m deploy.install.engine sanitized)" --output-on-failure

check-deep: setup  ## the engine's tests under the sanitizers of addresses, undefined behaviour and threads (minutes)
	@cd target_system/engine && for preset in sanitized threads; do \
		cmake --preset $$preset && cmake --build --preset $$preset && ctest --preset $$preset || exit 1; done

campaigns: setup  ## every campaign that comes with the lab, with --short (a quarter of an hour)
	@.venv/bin/pytest --numprocesses 0 -m "campaigns or not campaigns" tests/loadgen/test_shipped_campaigns.py

bench-locator: setup  ## plant limits on a live cluster and score who names them (a quarter of an hour)
	@.venv/bin/lab bench locator --json

lock: setup  ## resolve requirements.lock again from pyproject.toml
	@.venv/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:  ## remove the environment and what was generated; runs/ is kept
	@rm -rf .venv .lab build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@rm -f target_system/proto/*_pb2*.py*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
