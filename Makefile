# Thin over meson: each target is one or two commands that can be typed as well.
BUILD ?= build
SEEDS ?= 200
JOBS  ?= $(shell nproc)
SHELL  = /bin/bash
NINJA  = ninja -j$(JOBS)

.PHONY: all test test-cluster unit lint fmt sanitize tsan bench bench-http fuzz kube-faults install clean

all: $(BUILD)/build.ninja
	$(NINJA) -C $(BUILD)

$(BUILD)/build.ninja:
	dev/setup build
	meson setup $(BUILD)

# Everything, with its own set-up. `make unit` is the quick part.
test:
	dev/test

# On a real Kubernetes cluster; the first time it builds one, which takes ten minutes.
test-cluster:
	dev/test cluster

unit: all
	meson test -C $(BUILD) --no-rebuild --num-processes $(JOBS)

lint: all
	JSORC_BUILD=$(BUILD) dev/lint

fmt:
	git ls-files -z -- '*.c' '*.h' | xargs -0 -r clang-format-14 -i
	. dev/env && "$$JSORC_VENV_TEST/bin/ruff" check --quiet --fix --select I .

# The unit tests and the tests marked `sanitize` on a tree with ASan and UBSan.
sanitize:
	dev/test sanitize

tsan:
	dev/test tsan

# Side by side with the peers; about ten minutes. Results: build/bench/*.json
bench: all
	dev/setup bench
	. dev/env && "$$JSORC_VENV_BENCH/bin/python" bench/peers.py --build $(BUILD)

# What docs/adr/0001-http.md rests on.
bench-http:
	dev/setup bench
	bench/http-candidates/run

fuzz:
	dev/test fuzz

# The Kubernetes client and the reconciler behind a proxy that injects faults; about 15 minutes.
kube-faults: all
	dev/setup test
	. dev/env && JSORC_BUILD=$(BUILD) JSORC_KUBE_SEEDS=$(SEEDS) "$$JSORC_VENV_TEST/bin/python" \
		-m pytest -q tests/test_kube_faults.py

# PREFIX=/opt/jsorc: there rather than to /usr/local
install: all
	$(if $(PREFIX),meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX)) && $(NINJA) -C $(BUILD))
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build build-sanitize build-tsan build-fuzz
