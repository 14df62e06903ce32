# What one does with this project; `make` alone lists it.
#   make paper MIRROR=../mirror STUDIES="kang zheng" CORES=8 PROFILE=profiles/slurm
# SET= takes any other setting of config/config.yaml: make paper SET="fidelity=corrected device=cpu"
# TORCH_INDEX= takes the address of PyTorch's CPU builds, without gigabytes of GPU libraries.

PYTHON ?= python3
VENV ?= .venv
CORES ?= all
PROFILE ?=
MIRROR ?=
STUDIES ?=
SEEDS ?=
DATA ?=
SET ?=
SIZE ?=
FILE ?=
MODEL ?=
RUN ?= paper
WITH ?=
ARGS ?=
TORCH_INDEX ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# Variables on the command line that are none of these are typing errors.
VARIABLES := PYTHON VENV CORES PROFILE MIRROR STUDIES SEEDS DATA SET SIZE FILE MODEL RUN WITH ARGS TORCH_INDEX KILLS
UNKNOWN := $(foreach v,$(filter-out $(VARIABLES),$(.VARIABLES)),$(if $(filter command,$(origin $v)),$v))
$(if $(strip $(UNKNOWN)),$(error unknown variable $(strip $(UNKNOWN)); expected one of $(VARIABLES)))

# The environment of the lock alone, and the profile of PROFILE=.
unexport PYTHONPATH SNAKEMAKE_PROFILE
# Accounts without a home: libraries keep their caches there.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.snakemake/home
$(shell mkdir -p .snakemake/home)
endif

# The value of a variable as one word of a command, whatever characters it has; the same as text in
# YAML, which `2023_10` and `1e5` remain (Snakemake strips quotes at the ends, hence the blanks); and
# the settings of SET=, each as one word.
quoted = '$(subst ','\'',$(value $(1)))'
text = ' '\''$(subst ','\'''\'',$(value $(1)))'\'' '
SETTINGS = $(if $(SET),$(shell printf %s $(call quoted,SET) | sed -E $(SPLIT)))
SPLIT = -e "s/(^| )\"([a-z_]+=[^\"]*)\"/\1\2/g; s/(^| )'([a-z_]+=[^']*)'/\1\2/g; s/'/'\\\\''/g; s/ +([a-z_]+=)/' '\1/g; s/.*/'&'/"
CONFIG = $(if $(MIRROR),mirror=$(call text,MIRROR)) $(if $(STUDIES),studies=$(call text,STUDIES)) $(if $(SEEDS),seeds=[$(call quoted,SEEDS)]) $(if $(DATA),data=$(call text,DATA)) $(if $(filter-out paper,$(RUN)),run=$(call text,RUN)) $(SETTINGS)
RESULTS = results/$(call quoted,RUN)
DEMO_RUN = $(if $(filter-out paper,$(RUN)),$(call quoted,RUN),demo)
needs = $(if $($(1)),,$(error make $@ needs $(1)=))
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) $(if $(PROFILE),--profile $(call quoted,PROFILE))
PAPER = $(SNAKEMAKE) $(ARGS) $(if $(strip $(CONFIG)),--config $(CONFIG))
DEMO = $(BIN)/snakemake --cores $(CORES) --profile profiles/demo $(ARGS) $(if $(strip $(CONFIG)),--config $(CONFIG))
REHEARSAL = $(BIN)/snakemake --cores $(CORES) --configfile config/rehearsal.yaml $(ARGS)
# Files of tests side by side, each on one core, in the order of tests/conftest.py.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
COMPILE = uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url
# A run that is only planned has nothing to report.
DRY := $(filter -n --dry-run,$(ARGS))

.PHONY: help paper demo status new-study accept activities verify compare report rehearsal bench test test-fast test-faults test-cluster test-browser docs lint format config rulegraph lock clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

paper: $(READY)  ## run everything, from the public sources or MIRROR=, for all or some STUDIES=
	$(PAPER)
	$(if $(DRY),,$(PAPER) --report $(RESULTS)/snakemake.html)
	@$(if $(DRY),,$(BIN)/python -m scripts.common.log_errors logs/$(call quoted,RUN))

demo: $(READY)  ## run every rule on simulated studies with known truth, without a network
	$(DEMO)
	$(if $(DRY),,$(DEMO) --report results/$(DEMO_RUN)/snakemake.html)
	@$(if $(DRY),,$(BIN)/python -m scripts.common.log_errors logs/$(DEMO_RUN))

status: $(READY)  ## show the progress of a run, figure by figure (RUN=demo)
	$(BIN)/python -m tools.status $(call quoted,RUN)

new-study: $(READY)  ## add rows for your own study: FILE=cells.h5ad or FILE=GSE123456, ARGS="--condition treatment"
	$(BIN)/python -m tools.new_study $(call needs,FILE)$(call quoted,FILE) $(ARGS)

accept: $(READY)  ## accept a file of your own that you have changed: FILE=own.gmt
	$(BIN)/python -m tools.accept $(call needs,FILE)$(call quoted,FILE)

activities: $(READY)  ## compute activities of new cells: MODEL=results/paper/models/kang/seed1 FILE=cells.h5ad
	$(BIN)/python -m tools.activities $(call needs,MODEL)$(call quoted,MODEL) $(call needs,FILE)$(call quoted,FILE) $(ARGS)

verify: $(READY)  ## check raw files and results against their checksums
	$(SNAKEMAKE) verify $(ARGS) $(if $(strip $(CONFIG)),--config $(CONFIG))

compare: $(READY)  ## list claims, tables and figures that differ between two runs (RUN=a WITH=b)
	$(BIN)/python -m tools.compare $(call quoted,RUN) $(call needs,WITH)$(call quoted,WITH)

report: $(READY)  ## write results/paper/report.html and Snakemake's own report (RUN=)
	$(PAPER) $(RESULTS)/report.html
	$(if $(DRY),,$(PAPER) --report $(RESULTS)/snakemake.html)
	@$(if $(DRY),,$(BIN)/python -m scripts.common.log_errors logs/$(call quoted,RUN))

rehearsal: $(READY)  ## before a release: run every rule on simulated raw files of the real sizes (hours)
	$(REHEARSAL)
	@# The same raw files from a mirror, and the authors' processed data.
	cd results/rehearsal/raw && sha256sum */* > .sums && mv .sums SHA256SUMS
	$(REHEARSAL) --config run=rehearsal_download data=public mirror=results/rehearsal/raw -- \
	    $$(cd results/rehearsal/raw && ls -d */* | sed 's|^|results/rehearsal_download/raw/|')
	$(REHEARSAL) --config run=rehearsal_authors data=simulated_authors -- \
	    $$(cd results/rehearsal/tables && ls *_qc.tsv | sed 's|\(.*\)_qc.tsv|results/rehearsal_authors/data/\1.h5ad|')
	$(BIN)/python -m tools.rehearsal

bench: $(READY)  ## compare speed and memory with scvega, linear scVI and the authors' loop (SIZE=small)
	$(BIN)/python -m bench $(if $(SIZE),--size $(SIZE)) $(ARGS)

test: $(READY_DEV)  ## run the tests, except those of faults, cluster and browser
	$(PYTEST) -m "not fault" $(ARGS)

test-fast: $(READY_DEV)  ## run the tests that take seconds
	$(PYTEST) -m "not slow and not fault" $(ARGS)

test-faults: $(READY_DEV)  ## inject faults of downloads, disks and input, and kill runs (KILLS=100)
	$(BIN)/python -m pytest -m fault tests tests/kills $(ARGS)

test-cluster: $(READY_DEV)  ## run the demo through a Slurm on this machine (root, slurm-wlm, munge)
	$(BIN)/python -m pytest -s tests/cluster $(ARGS)

test-browser: $(READY_DEV)  ## test the report and the site in a browser (chromium, chromium-driver)
	$(BIN)/python -m pytest tests/browser $(ARGS)

docs: $(READY_DEV)  ## build the documentation as a site: site/index.html
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/python -m mkdocs build --strict --quiet

lint: $(READY_DEV)  ## check style, types and wording
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/python -m tools.lint_language

format: $(READY_DEV)  ## fix the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

config: $(READY)  ## write config/README.md, config/schemas/ and envs/ from their sources
	$(BIN)/python -m tools.reference

rulegraph: $(READY)  ## draw docs/rulegraph.svg (needs graphviz)
	$(BIN)/snakemake --rulegraph --quiet all | tred | dot -Grankdir=LR -Tsvg > docs/rulegraph.svg

lock:  ## resolve requirements*.in into locks for each Python from 3.11 on (needs uv)
	$(COMPILE) requirements.in --output-file requirements.lock
	$(COMPILE) requirements-dev.in --output-file requirements-dev.lock
	@# torch names its own GPU libraries, and its CPU builds need none.
	sed -i -E '/^(nvidia|cuda|triton)/d' requirements.lock requirements-dev.lock

clean:  ## remove the demo run
	rm -rf results/demo logs/demo

# The environment: installed again whenever the lock changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.lock
	$(PIP) --no-deps --editable .
	@touch $@

# What only tests, checks and documentation need.
$(READY_DEV): $(READY) requirements-dev.lock
	$(PIP) -r requirements-dev.lock
	@touch $@
