# ecinsight: PostgreSQL extension (PGXS) plus three stand-alone tools.
#
#   make            the extension and the tools
#   make install    into the server that PG_CONFIG names; the tools beside its programs
#   make test       set-up and all fast tests      (scripts/test)
#   make demo       Kafka -> columnar -> insights  (scripts/demo)
#   make dashboard  Superset on the demo's data    (scripts/dashboard)
#
# See README.md for use and src/README for the map of the source.

PG_CONFIG ?= pg_config
EXTENSION = ecinsight
MODULE_big = ecinsight

LAYERS = base vector encoding store ingest scan insight
SERVER_SRCS = src/ecinsight.c $(foreach l,$(LAYERS),$(sort $(wildcard src/$(l)/*.c)))
OBJS = $(SERVER_SRCS:.c=.o)

# One part per layer; the installed script is their concatenation.
SQL_PARTS = $(sort $(wildcard sql/extension/*.sql))
DATA_built = sql/ecinsight--1.0.sql

TOOLS = bin/ecgen bin/ecproduce bin/ecreport
EXTRA_CLEAN = bin sql/ecinsight--1.0.sql $(OBJS:.o=.d) src/tools/*.d

PG_CPPFLAGS = -I$(CURDIR)/src
PG_CFLAGS = -std=gnu11 -O3 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Werror -fno-semantic-interposition -MMD -MP
# PostgreSQL 15 doesn't mark what it calls by name, so nothing can be hidden; instead our calls are bound to us.
SHLIB_LINK = -Wl,-Bsymbolic -lrdkafka -lzstd -llz4 -lxxhash -lpthread

REGRESS = $(sort $(patsubst sql/%.sql,%,$(foreach t,table encoding scan agg ingest insight,$(wildcard sql/$(t)_*.sql))))
REGRESS_OPTS = --inputdir=. --load-extension=ecinsight
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --load-extension=ecinsight

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
# The tests run against a private cluster that scripts/test starts, so PGXS's own recipes are enough.
include $(PGXS)
all: $(TOOLS)
install: install-tools
uninstall: uninstall-tools
else
all install:
	@echo "$(PG_CONFIG) is missing: set PG_CONFIG, or let make demo or make test install and use a server of their own" >&2; exit 1
endif

sql/ecinsight--1.0.sql: $(SQL_PARTS)
	cat $(SQL_PARTS) > $@

# PGXS knows no header dependencies; the compiler writes them.  New flags compile anew.
$(OBJS): Makefile
-include $(wildcard src/*.d src/*/*.d)

TOOL_CFLAGS = -std=gnu11 -O3 -ffp-contract=off -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Werror -MMD -MP -Isrc
bin/ecgen: $(sort $(wildcard src/tools/ecgen*.c)) $(wildcard src/tools/*.h)
	@mkdir -p bin
	$(CC) $(TOOL_CFLAGS) -MF src/tools/ecgen.d -MT $@ -o $@ $(filter %.c,$^)
bin/ecproduce: $(sort $(wildcard src/tools/ecproduce*.c)) $(wildcard src/tools/*.h)
	@mkdir -p bin
	$(CC) $(TOOL_CFLAGS) -MF src/tools/ecproduce.d -MT $@ -o $@ $(filter %.c,$^) -lrdkafka -lz -lpthread

# The report draws with Vega, which it carries within it; without npm there is no report, and all else works.
VEGA_DIR ?= .deps/vega
LIBPQ = -I$(or $(includedir),/usr/include/postgresql) $(if $(wildcard $(libdir)/libpq.so*),-L$(libdir) -Xlinker -rpath -Xlinker $(libdir)) -lpq
bin/ecreport: $(sort $(wildcard src/tools/ecreport*.c)) $(wildcard src/tools/*.h src/tools/report/*) scripts/vega
	@mkdir -p bin
	@rm -f $@
	@if scripts/vega $(VEGA_DIR); then \
		echo "$(CC) … -o $@"; \
		$(CC) $(TOOL_CFLAGS) -D_GNU_SOURCE '-DVEGA_DIR="$(VEGA_DIR)"' -o $@ $(filter %.c,$^) $(LIBPQ); \
	else \
		printf '%s\n' '*** bin/ecreport (the HTML report) is NOT built: its plotting library could not be fetched, see above.' \
			'*** Everything else is built and works.' >&2; \
	fi

tools: $(TOOLS)

install-tools: $(TOOLS)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	for tool in $(TOOLS); do if [ -e $$tool ]; then $(INSTALL_PROGRAM) $$tool '$(DESTDIR)$(bindir)/' || exit 1; fi; done
uninstall-tools:
	rm -f $(addprefix '$(DESTDIR)$(bindir)/',$(notdir $(TOOLS)))

# Everything a user does beyond the build lives in scripts/, which installs what is missing.
demo:
	@scripts/demo
demo-stop:
	@scripts/demo-stop
dashboard:
	@scripts/dashboard
dashboard-stop:
	@scripts/dashboard stop
test:
	@scripts/test
test-all:
	@scripts/test --all
bench:
	@scripts/bench
bench-insight:
	@scripts/bench-insight
bench-dashboard:
	@scripts/bench-dashboard
.PHONY: tools install-tools uninstall-tools demo demo-stop dashboard dashboard-stop test test-all bench bench-insight bench-dashboard
