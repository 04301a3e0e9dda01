# Everything a newcomer types. `make run` and `make test` install what is missing first.
#
#   make run                          the window on the shipped example, running
#   make test                         all checks and all tests
#   make test PYTHON=python3.12       the same with another interpreter, in an environment of its own
#   make test ARGS='-k census -x'     some tests

PYTHON ?= python3
ARGS ?=
python_name := $(notdir $(PYTHON))
VENV ?= .venv$(if $(filter python python3,$(python_name)),,-$(patsubst python%,%,$(python_name)))
BIN := $(VENV)/bin
OFFSCREEN := QT_QPA_PLATFORM=offscreen

export PYTHON VENV

# The pure tests of the engine's core: run first, by themselves, so that what they reach is known.
CORE_TESTS := $(wildcard tests/engine/run/test_core*.py) tests/engine/flow/test_activation.py \
	$(patsubst %,tests/engine/run/test_%.py,matching routing state timers)

.PHONY: run test check bench soak screenshots clean ready-to-run ready-to-test

run: ready-to-run
	@.ci/open

test: check
	@.ci/core_coverage $(CORE_TESTS)
	@rm -f .coverage .coverage.*
	$(OFFSCREEN) $(BIN)/coverage run -m pytest -n 2 --dist loadfile $(or $(ARGS),$(CORE_TESTS:%=--ignore=%))
	@$(BIN)/coverage combine -q && $(BIN)/coverage combine -q --append --keep build/core.coverage
	@$(BIN)/coverage report > build/coverage.txt
	@echo "Branch coverage: $$($(BIN)/coverage report --format=total) % (by file: build/coverage.txt)"

check: ready-to-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ready-to-test
	@for file in $(filter-out tests/benchmarks/soak%,$(wildcard tests/benchmarks/*.py)); do \
		echo "== $$file"; $(OFFSCREEN) $(BIN)/python $$file || exit 1; done

soak: ready-to-test
	@for file in tests/benchmarks/soak*.py; do \
		echo "== $$file"; $(OFFSCREEN) $(BIN)/python $$file || exit 1; done

screenshots: ready-to-test
	$(OFFSCREEN) $(BIN)/python .ci/screenshots.py
	$(OFFSCREEN) $(BIN)/penstock open example:code_census --run --theme dark \
		--screenshot resources/help/penstock.png --quit-after 6

clean:
	rm -rf build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find engine gui resources tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +

ready-to-run:
	@.ci/setup run

ready-to-test:
	@.ci/setup test
