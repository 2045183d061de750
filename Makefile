# What a newcomer types. `make` alone lists it.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.ONESHELL:
.DEFAULT_GOAL := help

# Further arguments, such as: make demo ARGS=--once
ARGS ?=

# The tools of `make lint` where they are not installed.
CARGO_DENY := 0.20.2
CARGO_MACHETE := 0.9.2
CARGO_DEB := 3.8.0
export PATH := $(PATH):$(CURDIR)/.tools/bin

# Debian packages beyond those that every target needs; `make bench` compares with isync.
PACKAGES ?=

.PHONY: help deps build demo test lint tools fuzz bench package

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

deps: ## install what is missing: a C compiler, openssl, dovecot-imapd (apt-get, with sudo)
	@missing='$(PACKAGES)'
	if ! command -v cargo >/dev/null; then
	    echo 'make: cargo is missing; install Rust 1.95 or later from https://rustup.rs' >&2
	    exit 1
	fi
	command -v cc >/dev/null || missing="$$missing build-essential"
	command -v openssl >/dev/null || missing="$$missing openssl"
	[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] \
	    || [ -e /etc/ssl/cert.pem ] || missing="$$missing ca-certificates"
	dovecot=
	for folder in /usr/lib/dovecot /usr/libexec/dovecot /usr/local/libexec/dovecot; do
	    [ ! -x "$$folder/imap-login" ] || dovecot=$$folder
	done
	[ -n "$$dovecot" ] || missing="$$missing dovecot-imapd"
	missing=$$(echo $$missing)
	[ -n "$$missing" ] || exit 0
	if ! command -v apt-get >/dev/null; then
	    echo "make: missing, by their Debian names: $$missing; install them first" >&2
	    exit 1
	fi
	sudo=
	if [ "$$(id -u)" != 0 ]; then
	    sudo=sudo
	    if ! command -v sudo >/dev/null; then
	        echo "make: missing: $$missing; as root: apt-get install $$missing" >&2
	        exit 1
	    fi
	fi
	had_dovecot=
	[ ! -e /usr/sbin/dovecot ] || had_dovecot=yes
	# Dovecot is wanted as a program, not as a service: apt-get is told to start none
	# (/usr/share/doc/init-system-helpers/README.policy-rc.d.gz). A policy that is there is kept.
	policy=/usr/sbin/policy-rc.d
	ours=
	trap 'if [ -n "$$ours" ]; then $$sudo rm -f "$$policy"; fi' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if [ ! -e "$$policy" ]; then
	    ours=yes
	    printf '#!/bin/sh\nexit 101\n' | $$sudo tee "$$policy" >/dev/null
	    $$sudo chmod 755 "$$policy"
	fi
	echo "+ apt-get install $$missing"
	$$sudo apt-get update -qq
	$$sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $$missing
	# Nor is it to start with the machine, if it is here for us alone.
	if [ -z "$$had_dovecot" ] && [ -e /usr/sbin/dovecot ]; then
	    if command -v systemctl >/dev/null; then
	        $$sudo systemctl disable dovecot.service dovecot.socket >/dev/null 2>&1 || true
	    fi
	    if command -v update-rc.d >/dev/null; then
	        $$sudo update-rc.d dovecot disable >/dev/null 2>&1 || true
	    fi
	fi

build: deps ## build the program, as target/release/mailcrm
	@cargo build --locked --release

demo: deps ## run everything together on sample mail: mailbox, CRM and daemon
	@cargo build --locked
	exec cargo run --locked --quiet -- demo $(ARGS)

test: deps ## run all tests, against a real mail server
	@cargo test --locked $(ARGS) -- --test-threads=4

tools:
	@cargo deny --version >/dev/null 2>&1 \
	    || cargo install --locked --quiet --root .tools cargo-deny@$(CARGO_DENY)
	cargo machete --version >/dev/null 2>&1 \
	    || cargo install --locked --quiet --root .tools cargo-machete@$(CARGO_MACHETE)

lint: deps tools ## check form, lints, licences, advisories and unused dependencies
	@run() { echo "+ $$*"; "$$@"; }
	run cargo fmt --all --check
	run cargo clippy --locked --all-targets -- -D warnings
	run cargo deny --locked check --hide-inclusion-graph bans licenses sources
	if cargo deny --locked fetch db >/dev/null 2>&1; then
	    run cargo deny --locked --offline check advisories
	else
	    echo 'advisories: not checked, their database cannot be reached from here'
	fi
	run cargo machete

# Sanitizers and coverage are unstable options; RUSTC_BOOTSTRAP lets any compiler take them.
FUZZ_FLAGS := --cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1

fuzz: deps ## build the fuzz targets (not a part of test)
	@host=$$(rustc -vV | sed -n 's/^host: //p')
	RUSTC_BOOTSTRAP=1 RUSTFLAGS='$(FUZZ_FLAGS)' \
	    cargo build --release --manifest-path fuzz/Cargo.toml --target "$$host" --bins
	echo "the targets lie in fuzz/target/$$host/release; run one with a folder for its corpus"

bench: ## measure speed, memory and requests, also of a large ledger; one part: ARGS=latency
	@$(MAKE) --no-print-directory deps \
	    PACKAGES="$$(command -v mbsync >/dev/null || echo isync)"
	cargo bench --locked --bench figures -- $(ARGS)

package: deps ## build the Debian package
	@cargo deb --version >/dev/null 2>&1 \
	    || cargo install --locked --root .tools cargo-deb --version $(CARGO_DEB)
	cargo build --locked --release
	target/release/mailcrm man target/man
	cargo deb --locked --no-build
