# Lanyard. `make help` lists the targets.
SHELL := /bin/bash
GO ?= go
ARCH ?= arm64
LDFLAGS := -s -w

.PHONY: help run demo test test-race test-attack test-functions test-javascript test-dynamodb test-conformance test-timing check lint cover generate build build-check synth diff deploy sam-local test-infra build-cli bench bench-import load costs fuzz performance scaling clean

help: ## Show this list
	@[ -t 1 ] && bold=$$(printf '\033[1m') plain=$$(printf '\033[0m'); \
	grep -hE '^[a-z][a-zA-Z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' -v b="$$bold" -v p="$$plain" '{printf "  %s%-17s%s %s\n", b, $$1, p, $$2}'

# Built and then run: go run ends with 1 on Ctrl-C, however well the server ended.
run: build-cli ## Serve the API on http://127.0.0.1:8080, data in .lanyard
	@bin/lanyard serve

demo: build-cli ## The same with the example organization filled in
	@bin/lanyard serve --demo

# The suites of test/ drive the whole product through thousands of requests,
# which the race detector makes five times as long: test-race is for them.
test: ## Run every test, those of the packages with the race detector
	$(GO) test -race $$($(GO) list ./... | grep -v -e /functions/ -e /lanyard/test/)
	$(GO) test ./test/...

test-race: ## The suites of test/ with the race detector, too
	$(GO) test -race ./test/...

test-attack: ## Attack a server case by case (LANYARD_TEST_ATTACK_URL names a deployment; see docs/security.md)
	$(GO) test -count=1 ./test/attack ./test/canary ./test/faults

test-functions: ## Run every built function, and time its start, with a Lambda Runtime API on this machine
	LANYARD_TEST_FUNCTIONS=all $(GO) test -count=1 -bench Start -benchtime 15x ./test/lambda

test-javascript: ## Run the JavaScript example against a Lanyard (needs Node 20 and npm)
	cd examples/leads-js && npm ci --silent && $(GO) test -count=1 .

test-dynamodb: ## Run the store's and the services' tests on AWS's DynamoDB Local (needs Java 17 and npm)
	tools/dynamodb-local.sh $(GO) test -count=1 ./pkg/... ./internal/... ./test/signin ./test/limits ./test/secondfactor ./test/roles

# Go's judges always run; those of npm where npm is, else their tests say so and
# are skipped. No package's install script is run.
test-conformance: ## Test vectors, JWT libraries, cookie jar and string lists of others
	@if command -v npm >/dev/null; then cd conformance && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; \
	else echo "no npm here: only the judges written in Go run"; fi
	cd conformance && $(GO) vet . && $(GO) test -count=1 .

test-timing: ## Whether service times tell who has an account (minutes, on a quiet machine)
	LANYARD_TEST_TIMING=1 $(GO) test -count=1 -v -timeout 30m ./test/timing

check: lint cover build ## Lint, coverage, generated files, all functions and how large they are
	tools/build-check.sh sizes $(ARCH)

# The linter's cache lives in the clone: one shared by all clones of a user
# answers with findings for files of another clone, whose nolint comments it can
# no longer read.
lint: ## gofmt, vet and golangci-lint with the checked-in settings
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt-clean:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	cd tools && $(GO) build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/.golangci-lint bin/golangci-lint run ./...

cover: ## Statement coverage of pkg/..., which must be at least 90 %
	@$(GO) test -coverpkg=./pkg/... -coverprofile=coverage.out ./... >coverage.txt 2>&1 || { grep -v -e '^ok ' -e 'no test files' -e 'coverage:' coverage.txt; exit 1; }
	@$(GO) run ./internal/coverage -profile coverage.out -least 90

generate: ## Write the files that follow from the operations and the configuration
	$(GO) run ./internal/generate/write

# Every function for Lambda: reproducible, stripped, without cgo. One go build
# links them in parallel and leaves alone what is current; each architecture
# has its own directory, so switching between them builds nothing anew.
FUNCTIONS := $(notdir $(wildcard functions/*))
VERSION ?= dev
FUNCTION_FLAGS := -buildvcs=false -trimpath -tags lambda.norpc -ldflags '$(LDFLAGS) -X github.com/lanyard-auth/lanyard/pkg/lambdahost.version=$(VERSION)'
build: ## Build every Lambda function into dist/ (ARCH=arm64 or amd64)
	@mkdir -p dist/.$(ARCH)
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build $(FUNCTION_FLAGS) -o dist/.$(ARCH)/ ./functions/...
	@for f in $(FUNCTIONS); do mkdir -p dist/$$f && ln -f dist/.$(ARCH)/$$f dist/$$f/bootstrap; done

build-check: ## Build the functions twice: same hashes, and no zip over 5 MB
	tools/build-check.sh $(ARCH)

# The CDK app is a module of its own. Synthesis needs Go and Node only; diff and
# deploy need the CDK's command and credentials.
STAGE ?= dev
CDK ?= npx --yes aws-cdk@2

synth: build ## Synthesise the stacks of STAGE into infra/cdk.out (no account needed)
	cd infra && CDK_OUTDIR=cdk.out CDK_CONTEXT_JSON='{"stage":"$(STAGE)"}' $(GO) run .

diff: build ## What a deployment of STAGE would change
	cd infra && $(CDK) diff --all -c stage=$(STAGE)

deploy: build ## Deploy STAGE, then make or rotate its key ring
	cd infra && $(CDK) deploy --all -c stage=$(STAGE)
	aws lambda invoke --function-name lanyard-$(STAGE)-key-rotator --payload '{}' --cli-binary-format raw-in-base64-out /dev/stdout

sam-local: ## The built functions under sam local on a store of this machine (needs Docker and the SAM CLI)
	tools/sam-local.sh

test-infra: ## Assertions on the synthesised templates (needs Node)
	cd infra && $(GO) test ./...

build-cli: ## Build the lanyard binary into bin/
	@version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev); \
	CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags "$(LDFLAGS) -X main.version=$$version" -o bin/lanyard ./cmd/lanyard

USERS ?= 100000
bench-import: ## Import, export and take back USERS users (100,000) on the embedded store, with time and peak memory
	BENCH_USERS=$(USERS) $(GO) test -run '^$$' -bench 'Import$$' -benchtime 1x -timeout 3h ./cmd/lanyard

bench: ## Go benchmarks, in the form benchstat reads
	LANYARD_TEST_FUNCTIONS=all $(GO) test -run '^$$' -bench . -benchmem ./...

load: build-cli ## Put load on a server of this machine: sign-ins at once, checks at a rate, a mix
	$(GO) run ./test/load -serve bin/lanyard

performance: ## Run benchmarks, peers and load, and write docs/performance.md (a quiet machine, a quarter of an hour; USERS=1000000)
	$(GO) run ./bench/report -most-users $(USERS)

scaling: ## Simulate the load on partition keys, and write docs/scaling.md
	$(GO) test -count=1 ./test/scale -write

costs: ## Measure what every operation costs, and write docs/costs.md
	$(GO) test -count=1 ./test/cost -write

fuzz: ## Each fuzz target for ten seconds
	tools/fuzz.sh 10s

clean: ## Remove what was built
	rm -rf bin dist coverage.out coverage.txt

