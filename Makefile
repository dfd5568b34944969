# The two commands that matter: `make run` and `make test`. Both do all their own set-up.

STATE := $(or $(TOKENDESK_STATE_DIR),.dev)
GO    := go
# The commit names a build of an unchanged checkout; any other names itself by a digest of the program.
BUILD := $(or $(BUILD_ID),$(shell git diff --quiet HEAD 2>/dev/null && git rev-parse --short=12 HEAD))
export GOFLAGS += -buildvcs=false

.PHONY: help build run stop test race lint demo bench clean build-dev

help:
	@echo "make run     start everything on this machine; stop with Ctrl-C"
	@echo "make demo    play the journey from purchase to login, and three years on, against the running stack (JSON=1)"
	@echo "make test    all tests, with a PostgreSQL and a Temporal server of their own"
	@echo "make race    the tests of the product under the race detector"
	@echo "make lint    the rules of the house"
	@echo "make build   bin/tokendesk, the program of production (BUILD_ID names its build)"
	@echo "make bench   measurements (JSON=1 for machines)"
	@echo "make stop    stop a stack that runs elsewhere or was left behind"
	@echo "make clean   forget the state of the stack"

run: build-dev
	@exec bin/tokendesk-dev run

stop:
	@if [ -x bin/tokendesk-dev ]; then bin/tokendesk-dev stop; else echo "nothing to stop: the stack was never built here"; fi

build:
	$(GO) build -trimpath -tags timetzdata -ldflags "-s -w -X main.linked=$(BUILD)" -o bin/tokendesk ./cmd/tokendesk

build-dev:
	@deploy/dev/build

# The server that the tests share is stopped at the end, whatever they said.
test:
	@status=0; \
	echo "testing the product"; \
	$(GO) test $(TESTFLAGS) ./... || status=1; \
	echo "testing the development stack (the first build of the Temporal server takes minutes)"; \
	(cd deploy/dev && $(GO) test -timeout 40m $(TESTFLAGS) ./...) || status=1; \
	$(GO) run ./internal/testpg/teardown || status=1; \
	exit $$status

race:
	@status=0; $(GO) test -race ./... || status=1; $(GO) run ./internal/testpg/teardown || status=1; exit $$status

lint:
	@./deploy/lint/run

demo:
	@$(GO) run ./cmd/tokendesk demo $(if $(JSON),-json)

bench:
	@cd deploy/dev && $(GO) run ./bench $(if $(JSON),-json)

clean:
	@$(GO) run ./internal/pgcluster/remove $(STATE) tools
	@$(GO) run ./internal/testpg/teardown
	@rm -rf bin
