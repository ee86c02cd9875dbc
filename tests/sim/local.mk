# The simulator of everything: the daemon's rooms on virtual time, in one thread.  Not in the
# sanitizers' build: they would have to be told of every change of stacks, and cost five times the
# time; what they look for, the rooms' own tests show them.
LP_SIM_LINK = -Wl,--wrap=g_thread_new -Wl,--wrap=g_thread_join -Wl,--wrap=g_thread_unref \
	-Wl,--wrap=g_usleep -Wl,--wrap=g_mutex_lock -Wl,--wrap=g_cond_wait \
	-Wl,--wrap=g_cond_wait_until -Wl,--wrap=g_cond_signal -Wl,--wrap=g_cond_broadcast \
	-Wl,--wrap=g_async_queue_pop -Wl,--wrap=g_async_queue_push -Wl,--wrap=g_task_run_in_thread \
	-Wl,--wrap=lp_driver_for -Wl,--wrap=lp_sim_state_save -Wl,--wrap=lp_sim_state_bury \
	-Wl,--wrap=lp_sim_mailbox_take -Wl,--wrap=g_file_monitor_directory -Wl,--wrap=malloc_trim
if !SANITIZERS
check_LIBRARIES += tests/sim/libeverything.a
check_PROGRAMS += tests/sim/everything $(LP_SIM_PLANTS)
TESTS += tests/sim/test-everything.sh tests/sim/test-planted.sh
# The scripts run them; they are no tests themselves.
tests/sim/test-everything.log: tests/sim/everything
tests/sim/test-planted.log: $(LP_SIM_PLANTS)
endif
dist_check_SCRIPTS += tests/sim/test-everything.sh tests/sim/test-planted.sh
tests_sim_libeverything_a_SOURCES = tests/sim/everything.h tests/sim/clock.c tests/sim/clock.h \
	tests/sim/fibers.c tests/sim/fibers.h tests/sim/disk.c tests/sim/disk.h tests/sim/calls.c \
	tests/sim/kept.c tests/sim/world.c tests/sim/load.c tests/sim/hand.c tests/sim/judge.c \
	tests/sim/everything.c
tests_sim_libeverything_a_CFLAGS = $(liblp_daemon_a_CFLAGS)
# Twice: what stands in place of the host's own is asked for by archives that come later.
LP_SIMULATOR_LIBS = tests/sim/libeverything.a $(LP_ORACLE) $(LP_DAEMON_LIBS) tests/sim/libeverything.a \
	$(LP_DAEMON_SYSLIBS)
tests_sim_everything_SOURCES =
tests_sim_everything_LDFLAGS = $(LP_SIM_LINK)
tests_sim_everything_LDADD = $(LP_SIMULATOR_LIBS)

# Each with the one file that has the bug, instead of the archive's.
LP_SIM_PLANTS = tests/sim/planted_grow_before_confirm tests/sim/planted_intent_after_effect \
	tests/sim/planted_wall_clock_deadline tests/sim/planted_trust_in_balloon \
	tests/sim/planted_lost_late_event
tests_sim_planted_grow_before_confirm_SOURCES = lpard/engine/run.c
tests_sim_planted_grow_before_confirm_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_GROW_BEFORE_CONFIRM
tests_sim_planted_grow_before_confirm_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_sim_planted_grow_before_confirm_LDFLAGS = $(LP_SIM_LINK)
tests_sim_planted_grow_before_confirm_LDADD = $(LP_SIMULATOR_LIBS)
tests_sim_planted_intent_after_effect_SOURCES = lpard/engine/begin.c
tests_sim_planted_intent_after_effect_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_INTENT_AFTER_EFFECT
tests_sim_planted_intent_after_effect_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_sim_planted_intent_after_effect_LDFLAGS = $(LP_SIM_LINK)
tests_sim_planted_intent_after_effect_LDADD = $(LP_SIMULATOR_LIBS)
tests_sim_planted_wall_clock_deadline_SOURCES = lpard/engine/begin.c
tests_sim_planted_wall_clock_deadline_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_WALL_CLOCK_DEADLINE
tests_sim_planted_wall_clock_deadline_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_sim_planted_wall_clock_deadline_LDFLAGS = $(LP_SIM_LINK)
tests_sim_planted_wall_clock_deadline_LDADD = $(LP_SIMULATOR_LIBS)
tests_sim_planted_trust_in_balloon_SOURCES = lpard/registry/account.c
tests_sim_planted_trust_in_balloon_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_TRUST_IN_BALLOON
tests_sim_planted_trust_in_balloon_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_sim_planted_trust_in_balloon_LDFLAGS = $(LP_SIM_LINK)
tests_sim_planted_trust_in_balloon_LDADD = $(LP_SIMULATOR_LIBS)
tests_sim_planted_lost_late_event_SOURCES = lpard/engine/tidy.c
tests_sim_planted_lost_late_event_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_LOST_LATE_EVENT
tests_sim_planted_lost_late_event_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_sim_planted_lost_late_event_LDFLAGS = $(LP_SIM_LINK)
tests_sim_planted_lost_late_event_LDADD = $(LP_SIMULATOR_LIBS)
