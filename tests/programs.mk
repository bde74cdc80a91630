# SPDX-License-Identifier: GPL-2.0-only
# Test programs, one per *.c, each linked with the libraries; and scripts. For
# the Makefile of a directory of tests, which sets before:
#
#   TOP         the top of the tree
#   LABEL       what the directory is called where it is built and installed
#   LIB_DIRS    where the libraries' sources and headers are
#   TEST_PROGS  scripts that are tests, and TEST_FILES, what else is installed
#   TEST_OVPN   programs that are run once more, by a name that ends in -ovpn
#   run_tests   is its own to write: it runs what was installed below $(RUN)

OUTPUT ?= $(TOP)/build/tests/$(LABEL)
INSTALL_PATH ?= $(TOP)/build/install/$(LABEL)
RUN := $(OUTPUT)/run/$(LABEL)

TEST_GEN_PROGS := $(sort $(basename $(wildcard *.c)))
NAMES := $(TEST_GEN_PROGS) $(TEST_PROGS) $(TEST_OVPN:%=%-ovpn)

CC ?= gcc
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -Werror \
	-Wno-missing-field-initializers -D_GNU_SOURCE
override CPPFLAGS += $(LIB_DIRS:%=-I%) -isystem $(TOP)/include/uapi \
	$(shell $(PKG_CONFIG) --cflags libnl-genl-3.0 libcrypto)
LDLIBS := $(shell $(PKG_CONFIG) --libs libnl-genl-3.0 libnl-3.0 libcrypto) \
	-lpthread

LIB_SRCS := $(sort $(wildcard $(LIB_DIRS:%=%/*.c)))
LIB_OBJS := $(patsubst %.c,$(OUTPUT)/lib/%.o,$(notdir $(LIB_SRCS)))
HEADERS := $(wildcard $(LIB_DIRS:%=%/*.h)) $(TOP)/include/uapi/linux/ovpn_dco.h
PROGS := $(addprefix $(OUTPUT)/,$(TEST_GEN_PROGS))

vpath %.c $(LIB_DIRS)

all: $(PROGS)

$(OUTPUT)/lib/%.o: %.c $(HEADERS)
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(PROGS): $(OUTPUT)/%: %.c $(LIB_OBJS) $(HEADERS)
	@mkdir -p $(@D)
	@echo '  TEST    $(@F)'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIB_OBJS) $(LDLIBS)

install: all
	@mkdir -p $(INSTALL_PATH)
	install -m 755 $(PROGS) $(TEST_PROGS) $(INSTALL_PATH)/
	$(if $(TEST_FILES),install -m 644 $(TEST_FILES) $(INSTALL_PATH)/)
	@for name in $(TEST_OVPN); do ln -sf "$$name" "$(INSTALL_PATH)/$$name-ovpn" || exit; done
	@printf '%s\n' $(NAMES) >$(INSTALL_PATH)/list

list:
	@printf '%s\n' $(NAMES)

run_tests: INSTALL_PATH := $(RUN)
run_tests: install

clean:
	rm -rf $(OUTPUT)

.PHONY: all install list run_tests clean
