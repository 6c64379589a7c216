.PHONY: check test test-slow test-faults bench gpu lock mlproject format

check: ## lint and types
	ruff check .
	ruff format --check .
	mypy

test: ## the suite, three tests at a time; minutes
	python -m pytest -n 3

test-slow: ## real studies; longer
	python -m pytest -m slow

bench: ## the plain way against the project, one table; about half an hour, on a quiet machine
	python -m benchmarks --output results/benchmark

gpu: ## where there is a GPU: do processes share it, mixed precision, speed; where none is, a line that says so
	python -m benchmarks.gpu

test-faults: ## servers that are killed, stopped, full; networks that lose answers; two drivers at once
	python -m pytest -m 'slow or not slow' tests/test_faults.py tests/test_two_drivers.py

lock: ## conda.yaml and requirements-dev.txt from pyproject.toml
	python scripts/lock.py

mlproject: ## MLproject from the tables in steps/parameters.py
	python scripts/mlproject.py

format:
	ruff check --fix .
	ruff format .
