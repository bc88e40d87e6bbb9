# Everything here sets itself up: missing Debian packages, npm packages, the pinned Node.
# Run `make help` for the list.

NODE := node_modules/.bin/node
export KEEP SABOTAGE ONLY JSON CHART SAMPLE SEED MINUTES FAST

.DEFAULT_GOAL := help
.PHONY: help demo test bench worlds mutate lint format setup package trial matrix

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: ## the whole loop on a small shop of real programs (KEEP=1, SABOTAGE=name)
	@scripts/setup.sh demo
	@$(NODE) --disable-warning=ExperimentalWarning scripts/demo/main.ts

test: ## types, lint, format, unit tests, kernel tests; nothing may be skipped
	@scripts/setup.sh test
	@$(NODE) scripts/test.ts

bench: ## figures against no firewall, iptables and ufw (ONLY=datapath|bpf|collector|compile|estate|replay|readiness|sources|suggest|follow|idle|import|ingest|history|list|decide|discovery)
	@scripts/setup.sh bench
	@$(NODE) --disable-warning=ExperimentalWarning bench/main.ts

worlds: ## learned on the past, judged on the future: the tables of docs/learning.md (ONLY=shop, SEED=7, FAST=1; some minutes)
	@scripts/setup.sh node
	@$(NODE) --disable-warning=ExperimentalWarning bench/worlds/main.ts

mutate: ## mutation score of deciding, compiling and each dialect, at least 90 % (ONLY=cilium, SAMPLE=400, MINUTES=20, SEED=7; takes long)
	@scripts/setup.sh node
	@$(NODE) --disable-warning=ExperimentalWarning scripts/mutation/main.ts $(ARGS)

lint: ## types, lint and format only
	@scripts/setup.sh node
	@$(NODE) scripts/test.ts --only=static

format: ## rewrite sources in the house format
	@scripts/setup.sh node
	@node_modules/.bin/oxfmt

package: ## a Debian package and a tarball in dist/, with the pinned Node inside
	@scripts/setup.sh node
	@$(NODE) --disable-warning=ExperimentalWarning scripts/package/main.ts

matrix: ## what each kernel driver does with every attachment, family, protocol and verdict; writes docs/driver-matrix.md
	@scripts/setup.sh test
	@$(NODE) --disable-warning=ExperimentalWarning scripts/driver-matrix.ts

trial: ## the whole loop on a server booted for it; writes docs/second-page.md (three minutes)
	@scripts/setup.sh test
	@$(NODE) --disable-warning=ExperimentalWarning scripts/trial/main.ts

setup: ## install what is missing, and check the kernel
	@scripts/setup.sh test
