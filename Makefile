# Two are enough to begin: make demo, make test.
.DEFAULT_GOAL := help

.PHONY: help setup setup-dev demo lab lab-destroy test lint units comanda sanity artefact servers seventeen molecule oldest integration defects soak bench clean

help:  ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo:  ## Set up, build the lab, run the whole checklist on it, print the verdict
	@scripts/demo.sh

test:  ## Everything that a change must pass, the lab included
	@scripts/test.sh

setup:  ## System packages and .venv, enough to run the collection
	@scripts/setup.sh run

setup-dev:  ## The same, with what tests need
	@scripts/setup.sh dev

lab: setup  ## Build the lab: a whole staging on this machine
	@scripts/lab.sh up

lab-destroy:  ## Take the lab away
	@scripts/lab.sh down

lint units comanda sanity artefact servers seventeen molecule oldest integration: setup-dev
	@scripts/test.sh $@

lint:  ## ruff, mypy, yamllint, ansible-lint, shellcheck, gitleaks
units:  ## Unit tests, on the newest and the oldest ansible-core
comanda:  ## The reference system's own tests
sanity:  ## ansible-test sanity
artefact:  ## Build the collection and look at what is in it
servers:  ## Tests against real servers on loopback, no lab
seventeen:  ## PostgreSQL's tests on Debian 13, with PostgreSQL 17
molecule:  ## The lab: made, checked, mended, mended again, and a second opinion
oldest:  ## One audit of the lab by the oldest ansible-core
integration:  ## The second opinion alone, on a lab that runs

defects: setup-dev  ## Break the lab in every known way and see each noticed (ITEM=redis.persistence for one item)
	@.venv/bin/python tests/defects/run.py $(ITEM)

soak: setup-dev  ## Audit the healthy lab twenty times (N=20) and see that no state flaps
	@.venv/bin/python tests/defects/soak.py $(N)

bench: setup-dev  ## Time everything on the running lab against what people use instead (ARGS=--write puts the table into docs/performance.md)
	@scripts/bench.sh $(ARGS)

clean:  ## Remove what was made here, the lab and .venv excepted
	@scripts/clean.sh
