# Oxkeeper's commands. `make help` lists them.

CARGO  ?= cargo
PORT   ?= 2181
RUN    ?= run
OUT     = $${CARGO_TARGET_DIR:-target}
OX      = $(OUT)/release/oxkeeper

.PHONY: help run run-secure run-standalone build setup package package-test test oracle clients hadoop process mixed bench fuzz fips fmt clean-run

help:       ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18
	@echo "  Settings: PORT=2181 RUN=run (server of make run), ARGS=... (make bench, clients, fuzz)"

run: build  ## build and start three servers with Kerberos and TLS and a KDC of their own, in ./run
	@PORT=$(PORT) packaging/run-ensemble.sh $(RUN) $(OX)

run-secure: build  ## build and start a standalone server secured by Kerberos, with a KDC of its own, in ./run
	@PORT=$(PORT) packaging/run-secure.sh $(RUN) $(OX)

run-standalone: build  ## build and start a plain standalone server in the foreground, data in ./run
	@PORT=$(PORT) packaging/run.sh $(RUN) $(OX)

build:      ## build the release binary
	@packaging/setup.sh build
	$(CARGO) build --release --locked

package:    ## deb and RPM with their SBOM, in ./dist; the same sources give the same bytes
	@packaging/setup.sh build
	@packaging/package.sh

package-test: package ## the packages installed, upgraded and removed in fresh roots, the server started from there
	@packaging/setup.sh all
	@tests/packages/roots.sh

setup:      ## install what building and testing need, as far as this machine allows
	@packaging/setup.sh all

test:       ## everything that must hold: format, lints, dependencies, all test rings
	@tests/run

oracle:     ## 100,000 random requests to Java ZooKeeper and to Oxkeeper, every answer compared
	@packaging/setup.sh all
	OXKEEPER_ORACLE_REQUESTS=$${OXKEEPER_ORACLE_REQUESTS:-100000} $(CARGO) test --locked --test oracle oxkeeper -- --nocapture
	$(CARGO) test --locked --features mutants --test oracle every_defect -- --nocapture

clients:    ## real clients with the whole of Curator's tests, against Java and Oxkeeper (15 minutes)
	@packaging/setup.sh all
	OXKEEPER_CLIENTS=full $(CARGO) test --locked --test clients -- --nocapture --test-threads=1 $(ARGS)

hadoop:     ## Hadoop, HBase, Kafka and kazoo's suite at secure ensembles of three, beside Java's (30 minutes)
	@packaging/setup.sh all
	OXKEEPER_CLIENTS=full $(CARGO) test --locked --test clients -- --nocapture --test-threads=1 hadoop kazoo $(ARGS)

process:    ## three real servers with Kerberos and TLS: 50 leader kills, 20 partitions, 8 rolling restarts
	@packaging/setup.sh all
	OXKEEPER_PROCESS=full $(CARGO) test --locked --test process ensemble -- --nocapture --test-threads=1 $(ARGS)

mixed:      ## ensembles of Java's servers and ours, 3.5 to 3.9, all cells; fails where one cannot run
	@packaging/setup.sh all
	OXKEEPER_MIXED=full $(CARGO) test --locked --test mixed -- --nocapture --test-threads=1 $(ARGS)

sim-long:   ## 20,000 seeds of the ensemble simulator (ARGS="OXKEEPER_SIM_FROM=5000" for others), every checker on
	env $(ARGS) OXKEEPER_SIM_SEEDS=$${OXKEEPER_SIM_SEEDS:-20000} $(CARGO) test --locked --test sim no_seed -- --nocapture

bench:      ## Java ZooKeeper beside Oxkeeper, the table of speed and memory
	@packaging/setup.sh all
	$(CARGO) build --release --locked
	$(CARGO) bench --locked --bench bench -- $(ARGS)

fuzz:       ## every decoder against random input, FUZZ_SECONDS=600 each; ARGS="request log" for some
	@tests/fuzz/run $(ARGS)

fips:       ## the build for FIPS (needs Go and CMake), its server started and asked what it refuses
	@for tool in go cmake; do command -v $$tool > /dev/null || { echo "make fips needs $$tool"; exit 1; }; done
	CARGO_TARGET_DIR=$(OUT)/fips timeout 3600 $(CARGO) test --locked --features fips --lib --test process fips -- --nocapture

fmt:        ## format the sources
	$(CARGO) fmt

clean-run:  ## remove the data of `make run`
	rm -rf $(RUN)
