# The wall clock jumps; who asks for it at all.
dist_check_SCRIPTS += tests/time/test-clock-uses.sh tests/time/test-clock-jump.sh
TESTS += tests/time/test-clock-uses.sh tests/time/test-clock-jump.sh
EXTRA_DIST += tests/time/wall-clocks.txt tests/time/clock-jump.c
# Loaded into lpard, sanitizers or not, and so built without them.
check_DATA = tests/time/clock-jump.so
CLEANFILES += tests/time/clock-jump.so
tests/time/clock-jump.so: tests/time/clock-jump.c
	$(AM_V_GEN)$(MKDIR_P) tests/time && $(CC) -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -Werror -O1 \
		-fPIC -shared -o $@ $(srcdir)/tests/time/clock-jump.c -ldl
