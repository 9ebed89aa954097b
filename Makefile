# Thin on purpose: the work is in the program and in cargo. `make` lists what there is.
#
# Everything that needs a cluster starts a control plane of its own on this machine.
# CLUSTER=NAME uses that context of your kubeconfig instead, for example CLUSTER=kind-kind.

ifdef COUNT
export COUNT
endif
ifdef CLUSTER
export ECR_OPERATOR_CLUSTER := $(CLUSTER)
endif
CARGO ?= cargo

.PHONY: help demo test soak bench scale crds lint

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: ## Show the operator at work, with no AWS account and no cluster (KEEP=1 leaves it running)
	$(CARGO) run --locked --quiet -- demo $(if $(KEEP),--keep)

test: ## Run every test, against a real API server
	$(CARGO) test --locked

soak: ## Run the tests that take longer than a coffee
	$(CARGO) test --locked --test e2e -- --ignored

bench: ## Measure
	$(CARGO) bench --locked --bench review --bench rewrite --bench gitops --bench operator --bench admission

scale: ## Measure many repositories under a quota (COUNT=10000; a thousand without)
	$(CARGO) bench --locked --bench scale

crds: ## Write the custom resource definitions to crds/
	UPDATE_EXPECT=1 $(CARGO) test --locked --test e2e definitions_are_checked_in

lint: ## Check format, lints and dependencies (the last with cargo-deny)
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	$(CARGO) deny --config .deny.toml check
