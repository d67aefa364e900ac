# Each target works as the first command on a fresh machine with Python 3.10 to 3.13:
# it makes .venv and installs what it needs, again only when the pins change.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint train clean

demo: $(VENV)/installed
	$(VENV)/bin/python -m scripts.demo --output_dir out/demo

test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest --cov

lint: $(VENV)/installed-dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy

# ARGS="--dataset_dir DIR --max_epochs 50" overrides the configuration
train: $(VENV)/installed
	$(VENV)/bin/python -m monai.bundle run training --config_file configs/train.json $(ARGS)

# keeps .venv; trained checkpoints in runs/ are nobody's to delete but yours
clean:
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .coverage
	find bundle scripts tests -name __pycache__ -prune -exec rm -rf {} +

# a copy of the pins stands for "installed": a fresh checkout of equal pins installs nothing
$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	@cmp -s $< $@ || { echo "installing $< into $(VENV) (minutes)"; $(PIP) -r $<; }
	@cp $< $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@cmp -s $< $@ || { echo "installing $< into $(VENV)"; $(PIP) -r $<; }
	@cp $< $@

$(VENV)/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" || { \
		echo "error: $(PYTHON) is not Python 3.10 to 3.13; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
