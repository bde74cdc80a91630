# SPDX-License-Identifier: GPL-2.0-only
#
# The commands a person types. "make help" lists them; the module itself is
# described to the kernel's build system in Kbuild.

SHELL := /bin/bash
TOP := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))

# Which kernel to build for: the running one, else the newest one that Debian
# installed headers for (a container, or a machine about to be rebooted).
RUNNING_KERNEL := /lib/modules/$(shell uname -r)/build
ifndef KERNEL_SRC
ifneq ($(wildcard $(RUNNING_KERNEL)/Makefile),)
KERNEL_SRC := $(RUNNING_KERNEL)
else
KERNEL_SRC := $(shell ls -d /usr/src/linux-headers-*-amd64 2>/dev/null | sort -V | tail -n 1)
KERNEL_NOTE := no headers for the running kernel $(shell uname -r), building for $(KERNEL_SRC)
endif
endif

# Debian's header packages set CC after the kernel's Makefile looked at LLVM=,
# so the compiler that LLVM= means has to be named as well.
ifneq ($(LLVM),)
ifneq ($(filter %/,$(LLVM)),)
KERNEL_CC := $(LLVM)clang
else ifneq ($(filter -%,$(LLVM)),)
KERNEL_CC := clang$(LLVM)
else
KERNEL_CC := clang
endif
endif
ifneq ($(filter command line environment,$(origin CC)),)
KERNEL_CC := $(CC)
endif

KMAKE = $(MAKE) -C $(KERNEL_SRC) M=$(TOP) $(if $(KERNEL_CC),CC=$(KERNEL_CC))

.DEFAULT_GOAL := all
.PHONY: all modules install demo check check-conditions check-debug check-abuse check-package check-s390x build-matrix bench dist deb debug-kernels lint clean help prepared

all: prepared
	$(if $(KERNEL_NOTE),@echo "note: $(KERNEL_NOTE)")
	@$(KMAKE) modules

modules: all

prepared:
	@if [ -z "$(KERNEL_SRC)" ] || [ ! -e "$(KERNEL_SRC)/Makefile" ]; then \
		echo "error: no kernel headers at $(or $(KERNEL_SRC),$(RUNNING_KERNEL)): install linux-headers-$$(uname -r), or name a kernel's build tree with KERNEL_SRC=" >&2; \
		exit 1; \
	fi
	@cc="$(KERNEL_CC)"; if [ -z "$$cc" ]; then \
		cc=$$(sed -n 's/^CC = .*[ )]\(gcc[^ ]*\)$$/\1/p' "$(KERNEL_SRC)/.kernelvariables" 2>/dev/null); \
	fi; cc=$${cc:-gcc}; set -- $$cc; \
	if ! command -v "$$1" >/dev/null; then \
		echo "error: the compiler $$1, which the kernel at $(KERNEL_SRC) is to be built with, is not installed" >&2; \
		exit 1; \
	fi

# Distributions sign their own modules with a key that is not in the headers:
# without one there is nothing to sign with, and nothing to complain about.
UNSIGNED = $(if $(wildcard $(KERNEL_SRC)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

install: all
	$(KMAKE) INSTALL_MOD_DIR=updates $(UNSIGNED) modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) \
		"$$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$(KERNEL_SRC)/include/generated/utsrelease.h")"

# What tests are run on: Debian's kernels, see tests/vm/releases, or, unless others
# are named, these debugging kernels, see tests/vm/debug.
DEBUG_KERNELS := $(or $(KERNELS),kasan kcsan)

# A demonstration and the tests need nothing of this machine's kernel: they
# build for, and run in, a virtual machine with Debian's own kernel.
demo:
	@$(TOP)/tests/vm/demo

check:
	@TESTS="$(TESTS)" JOBS="$(JOBS)" $(TOP)/tests/vm/check $(KERNELS)

# The same tests again, under conditions that ought to make no difference.
check-conditions:
	@CONDITIONS="$(or $(CONDITIONS),flags-off held offloads-off gro tcpdump netem)" THOROUGH="$(THOROUGH)" \
		TESTS="$(TESTS)" JOBS="$(JOBS)" $(TOP)/tests/vm/check $(KERNELS)

check-debug:
	@CONDITIONS="$(CONDITIONS)" THOROUGH="$(THOROUGH)" TESTS="$(TESTS)" JOBS="$(JOBS)" DEADLINE="$(DEADLINE)" \
		$(TOP)/tests/vm/check $(DEBUG_KERNELS)

# What check-debug has no time for.
check-abuse:
	@THOROUGH=1 TESTS="$(or $(TESTS),abuse)" JOBS="$(JOBS)" $(TOP)/tests/vm/check kasan

# What the package does on systems with a real dpkg, from what is committed.
check-package:
	@GUEST=package TESTS="$(TESTS)" JOBS="$(JOBS)" $(TOP)/tests/vm/check $(or $(KERNELS),6.1 6.12 7.3)

# Where the bytes are in the other order, emulated.
check-s390x:
	@GUEST=s390x TESTS="$(or $(TESTS),selftests s390x)" JOBS="$(JOBS)" $(TOP)/tests/vm/check $(or $(KERNELS),6.1)

# They are built when they are needed; this is for who has time before that.
debug-kernels:
	@$(TOP)/tests/vm/install-deps build kernel
	@for name in $(DEBUG_KERNELS); do $(TOP)/tests/vm/debug-kernel $$name || exit; done

build-matrix:
	@ARCHS="$(ARCHS)" JOBS="$(JOBS)" KERNELS="$(KERNELS)" $(TOP)/tests/build/matrix

# What the module costs, in instructions, beside what else one could pick.
bench:
	@KERNELS="$(KERNELS)" WHAT="$(WHAT)" CIPHERS="$(CIPHERS)" TRANSPORTS="$(TRANSPORTS)" TESTS="$(TESTS)" \
		RUNS="$(RUNS)" JOBS="$(JOBS)" PROFILE="$(PROFILE)" $(TOP)/tests/bench/bench

# What is committed, nothing else.
VERSION := $(shell cat $(TOP)/VERSION)
TARBALL := $(TOP)/build/ovpn-dco-$(VERSION).tar.gz

dist:
	@mkdir -p $(TOP)/build
	git -C $(TOP) archive --prefix=ovpn-dco-$(VERSION)/ -o $(TARBALL) HEAD

# The version is in three places, for three programs.
deb: dist
	@grep -q '^PACKAGE_VERSION="$(VERSION)"$$' $(TOP)/dkms.conf && grep -q '^ovpn-dco ($(VERSION))' $(TOP)/debian/changelog || \
		{ echo "error: dkms.conf or debian/changelog is not about version $(VERSION)" >&2; exit 1; }
	@$(TOP)/tests/vm/install-deps deb
	rm -rf $(TOP)/build/deb
	mkdir $(TOP)/build/deb
	tar -x -C $(TOP)/build/deb -f $(TARBALL)
	cd $(TOP)/build/deb/ovpn-dco-$(VERSION) && dpkg-buildpackage -us -uc
	lintian --allow-root --fail-on=error,warning $(TOP)/build/deb/ovpn-dco_$(VERSION)_*.changes
	@ls $(TOP)/build/deb/*.deb

lint:
	@$(TOP)/tests/vm/lint

# Without the kernel's build system: its headers may be gone by now.
clean:
	find "$(TOP)/drivers" \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name '*.order' -o -name '*.symversions' \
		-o -name probed.h -o -name '.probed.h.tmp' \) -delete
	rm -f "$(TOP)"/{Module.symvers,modules.order,.Module.symvers.cmd,.modules.order.cmd}
	rm -rf "$(TOP)/build"

help:
	@echo 'make              build ovpn-dco-v2.ko for the running kernel'
	@echo 'make install      install it and tell depmod (as root)'
	@echo 'make demo         see real OpenVPN use it, in a throw-away virtual machine'
	@echo 'make check        run the tests in virtual machines'
	@echo 'make check-conditions run tests again where all goes less well: loss, no offloads, tcpdump'
	@echo 'make check-debug  run them, and some that break things, on kernels that watch themselves'
	@echo 'make check-abuse  those that break things, as thoroughly as they can, which takes hours'
	@echo 'make check-package install, upgrade and remove the Debian package on real systems'
	@echo 'make check-s390x  run selftests where the bytes are in the other order, and a session with this'
	@echo 'make build-matrix build for every kernel that Debian has, and show how it went'
	@echo 'make bench        count the instructions that a tunnel costs, with this and with others'
	@echo 'make dist         make a tar archive of what is committed'
	@echo 'make deb          build the Debian package ovpn-dco-dkms from what is committed'
	@echo 'make lint         checkpatch, sparse, gcc W=1, clang, shellcheck and the specs: silent when clean'
	@echo 'make clean        remove everything that was built here'
	@echo
	@echo 'KERNEL_SRC=DIR    build tree of another kernel (now: $(or $(KERNEL_SRC),none found))'
	@echo 'W=1 C=2 LLVM=1    and the other variables of the kernel build system are passed on'
	@echo 'TESTS="..."       what make check runs: lint, selftests, selftests/NAME, interop/NAME'
	@echo 'KERNELS="6.1 7.3" Debian kernels that make check uses: 5.10, 6.1 (if none is named), 6.12, 7.3'
	@echo 'KERNELS=NAME      the debugging kernel that make check-debug uses: kasan or kcsan, not both'
	@echo 'CONDITIONS="..."  what make check-conditions runs tests under: flags-off held offloads-off gro tcpdump netem'
	@echo 'THOROUGH=1        make check with the tests that take long, too; make check-debug with all interop scenarios over UDP and TCP, and check-abuse'
	@echo 'JOBS=N            virtual machines that make check runs side by side'
	@echo 'WHAT="..." CIPHERS="..." TRANSPORTS="..." TESTS="..." RUNS=N PROFILE=1 for make bench, see tests/bench/bench'
	@echo 'KERNELS="6.1 7.3" ARCHS="amd64 s390x" all that make build-matrix builds for'
