# Everything a developer or CI runs; `make help` lists it. Only Go is needed on the machine: the tools are built from
# the Go module proxy at the versions below, and `make test` sees to a Postgres itself.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One step after the other: they share two cores and one terminal.
.NOTPARALLEL:

GO ?= go
# No C compiler on the machine, static binaries, and one set of cached packages for build, test and lint. Which Go is
# used is left to GOTOOLCHAIN: go.mod names the version, and the tools below need none newer.
export CGO_ENABLED := 0

# The newest versions that build with the Go of go.mod; each is kept under its version, so a change here rebuilds it.
GOLANGCI_LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
GOVULNCHECK_VERSION := v1.8.0
OAPI_CODEGEN_VERSION := v2.8.2
TOOLS := $(CURDIR)/bin/tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
WORKFLOWCHECK := $(TOOLS)/workflowcheck-$(WORKFLOWCHECK_VERSION)
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
OAPI_CODEGEN := $(TOOLS)/oapi-codegen-$(OAPI_CODEGEN_VERSION)

# Without symbol tables the binary is over a quarter smaller; stack traces keep their names and lines.
BUILD_FLAGS := -ldflags='-s -w'
# Further arguments for demo, dev, test, bench and requirements, and the packages to test: make test PKG=./models ARGS='-run Retry -v'
ARGS ?=
PKG ?= ./...

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## see it work: events of every profile delivered to a built-in receiver (ARGS=--once ends when all are)
	@bin/posthorn demo $(ARGS)

.PHONY: dev
dev: build ## run everything in one process: API, worker, SQLite, Temporal and its web UI
	@bin/posthorn dev $(ARGS)

.PHONY: build
build: ## build bin/posthorn; the first time compiles the Temporal server, 5 to 10 minutes on two cores
	@scripts/build.sh bin/posthorn $(BUILD_FLAGS) .

.PHONY: build-slim
build-slim: ## build bin/posthorn-slim, for production: without dev and demo, and without the embedded Temporal server
	@scripts/build.sh bin/posthorn-slim $(BUILD_FLAGS) -tags slim .

# The Temporal server and its schema tool are those of go.mod (its tool lines).
.PHONY: build-cluster
build-cluster: build-slim
	@scripts/build.sh bin/temporal-server go.temporal.io/server/cmd/server
	@scripts/build.sh bin/temporal-sql-tool go.temporal.io/server/cmd/tools/sql
	@scripts/build.sh bin/posthorn-cluster ./internal/cluster
	@scripts/postgres.sh

.PHONY: cluster
cluster: build-cluster ## run the production topology from plain processes, Temporal on Postgres (ARGS=... for a command's time)
	@bin/posthorn-cluster $(ARGS)

# internal/app/cluster_test.go says what runs where, and which tests cannot.
.PHONY: cluster-test
cluster-test: build-cluster ## run the end-to-end tests on a cluster (ARGS='-run Viva -v' for some)
	@POSTHORN_OPERATOR_KEY=operator-key-of-the-tests-0123456789 \
		bin/posthorn-cluster $(GO) test -count 1 -timeout 60m $(ARGS) ./internal/app

.PHONY: test
test: build check-slim ## run all tests (PKG=./models ARGS='-run Retry -v' for some); sets up what they need
	@scripts/postgres.sh
	@scripts/chromium.sh
	@scripts/node.sh
	$(GO) test $(ARGS) $(PKG)

.PHONY: test-long
test-long: ## run the tests whose full size takes minutes
	@scripts/postgres.sh
	$(GO) test -tags long -run _Long_ -v -timeout 20m $(ARGS) ./internal/app
	POSTHORN_TEST_LONG=1 $(GO) test -run '/suite/order' -v -timeout 40m $(ARGS) ./internal/store

# docs/reliability.md says what it shows, and which variables change it.
.PHONY: fault
fault: ## end, cut and slow down real processes under load and check that nothing is lost
	@scripts/postgres.sh
	$(GO) test -tags fault -v -count 1 -timeout 120m $(ARGS) ./internal/fault

# Processes killed every two seconds, or left with a dead receiver; about 20 minutes.
.PHONY: fault-order
fault-order: ## kill processes and receivers under FIFO load, and check that no queue loses its order
	@scripts/postgres.sh
	$(GO) test -tags fault -run TestFault -v -timeout 60m $(ARGS) ./internal/app

# How long each fuzz target runs.
FUZZTIME ?= 1m

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (1m); PKG=./api for some
	@GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz.sh $(PKG)

# POSTHORN_FAULT_RATE sets the load in events a second; the default, 60, is 40 % of what two quiet cores sustain.
.PHONY: neighbours
neighbours: ## measure what an endpoint that hangs, fails or comes back does to the others
	@scripts/postgres.sh
	$(GO) test -tags fault -run 'TestF6[567]_' -v -timeout 90m $(ARGS) ./internal/app

# The slim variant compiles, tests included, and has neither a Temporal server in it, which is what it is for, nor what
# only tests need.
.PHONY: check-slim
check-slim: build-slim
	$(GO) vet -tags slim ./...
	@if $(GO) list -deps -tags slim . | grep -E '^(go\.temporal\.io/server|github\.com/temporalio/ui-server|k8s\.io|github\.com/compose-spec)(/|$$)'; then \
		echo 'the slim build must not import these packages' >&2; exit 1; fi

# What is under a tag is compiled by nothing else.
.PHONY: lint
lint: build $(GOLANGCI_LINT) $(WORKFLOWCHECK) $(GOVULNCHECK) $(OAPI_CODEGEN) ## check style, layers, determinism of workflows, generated code, go.mod, known vulnerabilities
	$(GOLANGCI_LINT) run ./...
	$(GO) vet -tags 'fault failpoint' ./internal/...
	$(WORKFLOWCHECK) -config workflowcheck.config.yaml -test=false ./workflows/... ./worker/...
	@scripts/clients.sh $(OAPI_CODEGEN) --check
	$(GO) mod tidy -diff
	@scripts/vuln.sh $(GOVULNCHECK) --if-reachable

.PHONY: vuln
vuln: $(GOVULNCHECK) ## scan for known vulnerabilities; fails where no vulnerability database is reachable
	@scripts/vuln.sh $(GOVULNCHECK)

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## format the Go code and sort its imports, as make lint wants them
	$(GOLANGCI_LINT) fmt

.PHONY: docs
docs: ## write docs/config.md from internal/config
	$(GO) run ./internal/config/gen > docs/config.md

# Through a file of its own: a program that does not compile must not empty the document.
.PHONY: clients
clients: $(OAPI_CODEGEN) ## generate clients/ anew from what the API says of itself
	@mkdir -p bin
	$(GO) run -tags slim . openapi > bin/openapi.json
	@mv bin/openapi.json clients/openapi.json
	@scripts/clients.sh $(OAPI_CODEGEN)
	@scripts/node.sh
	npm --prefix clients/typescript run generate

.PHONY: bench
bench: build ## measure throughput and latency (ARGS=-h for the choices)
	$(GO) run ./internal/bench $(ARGS)

# The pictures are for docs/dashboard.md; look at them before they are committed.
.PHONY: screenshots
screenshots: ## take the pictures of the dashboard in docs/screenshots
	@scripts/chromium.sh
	POSTHORN_SCREENSHOTS=$(CURDIR)/docs/screenshots $(GO) test -count 1 -run TestDashboardIsAccessible $(ARGS) ./internal/app

.PHONY: requirements
requirements: ## say which requirements of docs/requirements.md the tests prove (ARGS='-only VIV', ARGS=-list)
	@scripts/postgres.sh
	@$(GO) run ./internal/requirements $(ARGS)

.PHONY: clean
clean: ## remove what make built (Go's own cache stays)
	rm -rf bin

# install_tool PACKAGE, VERSION: builds one tool for the target named after both.
define install_tool
	@echo "Building $(notdir $@), once; golangci-lint takes 2 to 4 minutes on two cores"
	@GOBIN=$(TOOLS)/new $(GO) install $(1)@$(2)
	@mv $(TOOLS)/new/$(notdir $(1)) $@
endef

$(GOLANGCI_LINT):
	$(call install_tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION))

$(WORKFLOWCHECK):
	$(call install_tool,go.temporal.io/sdk/contrib/tools/workflowcheck,$(WORKFLOWCHECK_VERSION))

$(GOVULNCHECK):
	$(call install_tool,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK_VERSION))

$(OAPI_CODEGEN):
	$(call install_tool,github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen,$(OAPI_CODEGEN_VERSION))
