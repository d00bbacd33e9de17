# All commands of the project; `make` lists them.
SHELL := /bin/bash
LIBRARY := static/node_modules/lightweight-charts/package.json
LINTERS := static/node_modules/typescript/package.json

.PHONY: help run run-tls test lint fmt conformance browser-deps clock-deps conformance-deps operations-deps sdk-deps bench compare load hostile fuzz publish-proof publish-rate replay-rate replay-pace screenshot pictures doc clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: $(LIBRARY) ## build and start the server; prints the address of the live chart
	cargo run --release --locked

run-tls: $(LIBRARY) ## the same, with HTTPS on https://localhost:8443/ and a self-signed certificate
	cargo run --locked --example certificate -- target/tls
	TICKCAST__SERVER__TLS__CERT=target/tls/cert.pem TICKCAST__SERVER__TLS__KEY=target/tls/key.pem \
	  cargo run --release --locked

test: lint browser-deps clock-deps conformance-deps operations-deps sdk-deps ## run all checks and tests
	npm --prefix static test
	cargo test --locked --workspace

lint: $(LINTERS) ## check the code: rustfmt, clippy, TypeScript, Biome
	npm --prefix static run lint
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

fmt: ## format the code
	cargo fmt --all

conformance: $(LIBRARY) conformance-deps ## run the Autobahn cases and write docs/CONFORMANCE.md
	CONFORMANCE_WRITE=1 cargo test --locked --test conformance

bench: $(LIBRARY) ## benchmark the hot paths (criterion), then compare with other servers (half an hour)
	cargo bench --locked
	node benches/compare.mjs

compare: $(LIBRARY) ## compare the four transports and write docs/COMPARISON.md (9 minutes)
	cargo build --release --locked --bins
	target/release/tickcast-compare
	node static/measured.mjs

load: $(LIBRARY) ## load a server with 1,000 sessions and report
	cargo build --release --locked --bins
	@TICKCAST__FEED__EVENTS_PER_SECOND=5300 TICKCAST__FEED__QUOTES_PER_TRADE=0 TICKCAST__FEED__EXTRA_SYMBOLS=500 \
	  target/release/tickcast --port 18080 & server=$$!; trap "kill $$server" EXIT; \
	  while kill -0 $$server && ! (: </dev/tcp/127.0.0.1/18080) 2>/dev/null; do sleep 0.1; done; \
	  target/release/tickcast-load --url ws://127.0.0.1:18080/ws --sessions 1000 --symbols SYM000..SYM499 --pid $$server

hostile: $(LIBRARY) ## measure the effect of one hostile client on the latency of 1,000 others; fails if the p99 rises by a tenth (6 minutes)
	cargo build --release --locked --bins
	node benches/hostile.mjs

fuzz: $(LIBRARY) ## run each fuzz target RUNS times, ten million by default (hours); see docs/FUZZING.md
	tests/fuzz/run.sh

EVENTS ?= 10000000

publish-proof: $(LIBRARY) ## publish EVENTS events, ten million by default, through connections that are cut, and check that each arrives once (2 minutes)
	cargo build --release --locked --bin tickcast
	python3 tests/publish/proof.py --server target/release/tickcast --events $(EVENTS)

publish-rate: $(LIBRARY) ## measure the events a second of one publisher, in batches of 100, with the server on one core
	cargo build --release --locked --bin tickcast
	python3 tests/publish/rate.py --server target/release/tickcast

replay-rate: $(LIBRARY) ## measure a replay of ten million events without a pace, with up to 1,000 clients: events a second, and memory
	cargo build --release --locked --bins
	node benches/replay.mjs

replay-pace: $(LIBRARY) ## measure how late the events of a replay come, at its own speed and up to a hundred times; fails over 2 ms (4 minutes)
	cargo build --release --locked --bin tickcast
	node benches/replay-pace.mjs

screenshot: $(LIBRARY) browser-deps ## take the README's picture and its animation again (2 minutes)
	cargo build --locked
	node static/pictures/take.mjs readme

pictures: $(LIBRARY) browser-deps ## take pictures of all states of the pages, and their sheet docs/pictures.webp (10 minutes)
	cargo build --locked
	node static/pictures/take.mjs states
	node static/pictures/take.mjs sheet

doc: $(LIBRARY) ## build the documentation of the code
	cargo doc --locked --workspace --no-deps

clean: ## remove everything that was built or installed here
	cargo clean
	rm -rf static/node_modules benches/peers/node_modules tests/sdk/*/node_modules

$(LIBRARY): static/package.json static/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20.19 or later with npm (nodejs.org)" >&2; exit 1; }
	npm --prefix static ci --omit=dev --no-audit --no-fund
	@touch $@

# Installs the libraries too, and touches their stamp, or `make run` would reinstall them without the linters.
$(LINTERS): static/package.json static/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20.19 or later with npm (nodejs.org)" >&2; exit 1; }
	npm --prefix static ci --no-audit --no-fund
	@touch $@ $(LIBRARY)

browser-deps clock-deps conformance-deps operations-deps sdk-deps:
	@tests/$@.sh
