.PHONY: check test test-slow lock format

check: ## lint and types
	ruff check .
	ruff format --check .
	mypy

test: ## the suite; minutes
	python -m pytest

test-slow: ## real studies; longer
	python -m pytest -m slow

lock: ## conda.yaml and requirements-dev.txt from pyproject.toml
	python scripts/lock.py

format:
	ruff check --fix .
	ruff format .
