# What can be done here. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := v2.15.0
GO_LEAST      := $(shell awk '$$1 == "go" { print $$2; exit }' go.mod)
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS       := -X github.com/merchantim/merchantim/internal/version.linked=$(VERSION)
BIN           := bin/merchantim

FUZZTIME    ?= 10s
SCENARIO    ?= pairs
SERVE_ARGS  ?= --data ./data
BENCH_ARGS  ?=
KAFKA_ARGS  ?=
TORTURE_ARGS ?= --kills 10 --duration 40s
NAME        ?=
SEEDS       ?= 0
MUTATE_ARGS ?= --write

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: go
go: # say what is missing before anything fails for the lack of it
	@command -v go >/dev/null || { \
	  echo "Go is missing. Install Go $(GO_LEAST) or newer and put it in the PATH." >&2; exit 1; }; \
	have=$$({ go env GOVERSION || (cd / && go env GOVERSION); } 2>/dev/null | sed 's/^go//; s/[^0-9.].*//' || true); \
	if [ "$$(printf '%s\n' "$(GO_LEAST)" "$$have" | sort -V | head -n1)" != "$(GO_LEAST)" ]; then \
	  echo "Go $${have:-of an unknown version} is too old. Install Go $(GO_LEAST) or newer." >&2; exit 1; fi

.PHONY: cc
cc: # the race detector needs cgo
	@command -v "$$(go env CC)" >/dev/null || { \
	  echo "A C compiler is missing ($$(go env CC)). The race detector needs one: install gcc or clang." >&2; exit 1; }

.PHONY: build
build: go ## build bin/merchantim
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .

.PHONY: run
run: build ## build and start a server with its data in ./data
	@exec $(BIN) serve $(SERVE_ARGS)

.PHONY: test
test: go ## go vet and all tests
	go vet ./...
	go test -timeout 5m ./...

.PHONY: race
race: go cc ## all tests under the race detector
	CGO_ENABLED=1 go test -race -timeout 15m ./...

.PHONY: test-kafka
test-kafka: go ## the log's tests on a real Kafka, started here (needs Java 17, Maven)
	@dir=$$(mktemp -d); \
	trap 'deploy/local/kafka/kafka.sh stop "$$dir"; rm -rf "$$dir"' EXIT; \
	brokers=$$(deploy/local/kafka/kafka.sh start "$$dir"); \
	go vet -tags kafka ./internal/stream/kafka; \
	MERCHANTIM_TEST_KAFKA=$$brokers go test -tags kafka -count=1 -timeout 10m $(KAFKA_ARGS) ./internal/stream/kafka

.PHONY: lint
lint: go .tools/golangci-lint-$(GOLANGCI_LINT) ## gofmt and golangci-lint
	@unformatted=$$(git ls-files --cached --others --exclude-standard '*.go' | { xargs -r ls 2>/dev/null || true; } | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed on:" >&2; echo "$$unformatted" >&2; exit 1; fi
	.tools/golangci-lint-$(GOLANGCI_LINT) run ./...

.tools/golangci-lint-$(GOLANGCI_LINT): | go
	@echo "installing golangci-lint $(GOLANGCI_LINT) into .tools (once, takes some minutes)"
	@mkdir -p .tools
	GOFLAGS= GOBIN="$(CURDIR)/.tools" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv .tools/golangci-lint $@

.PHONY: fuzz
fuzz: go ## every fuzz target for FUZZTIME (10s) each
	@git grep -l --untracked '^func Fuzz' -- '*_test.go' | while read -r file; do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
	    echo "== $$(dirname "$$file") $$target"; \
	    go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) </dev/null; \
	  done; \
	done

.PHONY: e2e
e2e: go ## stories against the whole server
	go test -count=1 -timeout 5m ./internal/e2e/...

NODE_CLIENT := internal/e2e/testdata/node

.PHONY: node
node: # say what is missing before anything fails for the lack of it
	@for tool in node npm; do command -v $$tool >/dev/null || { \
	  echo "$$tool is missing. Install Node 18 or newer and npm (Debian: apt-get install nodejs npm)." >&2; exit 1; }; done; \
	if [ "$$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" != true ]; then \
	  echo "Node $$(node --version) is too old. Install Node 18 or newer." >&2; exit 1; fi

.PHONY: e2e-node
e2e-node: go node $(NODE_CLIENT)/node_modules/.package-lock.json ## the same with a client in Node, written from docs/ alone
	go vet -tags node ./internal/e2e/
	go test -tags node -run '^TestNode' -count=1 -timeout 8m ./internal/e2e/

$(NODE_CLIENT)/node_modules/.package-lock.json: $(NODE_CLIENT)/package-lock.json | node
	cd $(NODE_CLIENT) && npm ci
	@touch $@

.PHONY: bench
bench: build ## one scenario of the load generator (SCENARIO=pairs)
	$(BIN) bench $(SCENARIO) $(BENCH_ARGS)

.PHONY: torture
torture: build ## kill a server again and again and check what it kept
	$(BIN) torture $(TORTURE_ARGS)

.PHONY: test-redis
test-redis: go ## the engines on Redis, on real servers and a real cluster
	@command -v redis-server >/dev/null || { \
	  echo "redis-server is missing. On Debian: apt-get install redis-server" >&2; exit 1; }
	MERCHANTIM_TEST_REDIS=1 go test -count=1 -timeout 10m ./internal/redisconn/... ./internal/kv/redis/... ./internal/hot/redis/...

.PHONY: mutate
mutate: go ## put defects in, one by one: does a test catch each? (NAME=... SEEDS=...)
	go run ./internal/sim/mutations --name '$(NAME)' --seeds $(SEEDS) $(MUTATE_ARGS)
