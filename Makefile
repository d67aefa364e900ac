# Each target works as the first command on a fresh machine with Python 3.10 to 3.13:
# it makes .venv and installs what it needs, again only when the pins change.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
LABEL := .venv-label
PORT ?= 8000

.PHONY: demo test lint check docs train weights clean label label-setup test-label

demo: $(VENV)/installed
	$(VENV)/bin/python -m scripts.demo --output_dir out/demo

# two processes of one thread each; prints the slowest ten tests, and what was skipped and why
test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest --cov --numprocesses 2 --dist loadfile -rs --durations 10

lint: $(VENV)/installed-dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy

# the pages of docs/ as a site in site/
docs: $(VENV)/installed-dev
	$(VENV)/bin/python -m mkdocs build --strict --quiet && echo site/index.html

# ARGS="--dataset_dir DIR --max_epochs 50" overrides the configuration
train: $(VENV)/installed
	$(VENV)/bin/python -m monai.bundle run training --config_file configs/train.json $(ARGS)

# make weights DATA=DIR [SCALE=1]: models/*.pt by the recipe; the same command goes on after a stop
SCALE ?= 1
weights: $(VENV)/installed
	$(VENV)/bin/python -m scripts.weights $(if $(DATA),--data "$(DATA)") --scale $(SCALE)
	@test ! -d "$(DATA)/heads" || $(VENV)/bin/python -m scripts.combiner --data "$(DATA)" --scale $(SCALE)

# MONAI Label needs numpy 1, so it has an environment of its own (Python 3.10 to 3.12)
label-setup: $(LABEL)/installed

# make label STUDIES=DIR [PORT=8000]: serves the folder's images on this machine only
label: $(LABEL)/installed
	@test -d "$(STUDIES)" || { echo "error: STUDIES=$(STUDIES): no such folder; name the folder of the images"; exit 1; }
	$(LABEL)/bin/python -m scripts.cli label "$(STUDIES)" $(PORT)

test-label: $(LABEL)/installed
	$(LABEL)/bin/python -m pytest tests/scripts/monailabel_app

# two minutes after installation: lint, types and the quick tests
QUICK := $(addprefix tests/,bundle/test_rooms.py docs fusion geometry losses metrics networks \
	phantom transforms workflow/test_datalist.py test_options.py test_reference.py)
check: lint
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile $(QUICK)

# only what tools leave: results in out/, checkpoints in runs/ and .venv are yours to delete
clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .coverage site build dist *.egg-info
	find bundle scripts tests -name __pycache__ -prune -exec rm -rf {} +

# a copy of the pins stands for "installed": a fresh checkout of equal pins installs nothing
$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	@cmp -s $< $@ || { echo "installing $< into $(VENV) (minutes)"; $(PIP) -r $<; }
	@cp $< $@

$(VENV)/installed-dev: requirements-dev.txt requirements-export.txt $(VENV)/installed
	@cat requirements-dev.txt requirements-export.txt | cmp -s - $@ || { \
		echo "installing requirements-dev.txt into $(VENV)"; $(PIP) -r requirements-dev.txt; }
	@cat requirements-dev.txt requirements-export.txt > $@

# the constraints also hold where pip builds packages, which would else fetch another torch
$(LABEL)/installed: requirements-label.txt constraints-label.txt | $(LABEL)/bin/python
	@cat $^ | cmp -s - $@ || { echo "installing requirements-label.txt into $(LABEL) (minutes)"; \
		PIP_CONSTRAINT=constraints-label.txt $(LABEL)/bin/python -m pip install --quiet \
		--disable-pip-version-check -r requirements-label.txt; }
	@cat $^ > $@

$(LABEL)/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))" || { \
		echo "error: $(PYTHON) is not Python 3.10 to 3.12; name one: make label PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(LABEL)

$(VENV)/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" || { \
		echo "error: $(PYTHON) is not Python 3.10 to 3.13; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
