# The simulator of everything: the daemon's rooms on virtual time, in one thread.  Not in the
# sanitizers' build: they would have to be told of every change of stacks, and cost five times the
# time; what they look for, the rooms' own tests show them.
LP_SIM_LINK = -Wl,--wrap=g_thread_new -Wl,--wrap=g_thread_join -Wl,--wrap=g_thread_unref \
	-Wl,--wrap=g_usleep -Wl,--wrap=g_mutex_lock -Wl,--wrap=g_cond_wait \
	-Wl,--wrap=g_cond_wait_until -Wl,--wrap=g_cond_signal -Wl,--wrap=g_cond_broadcast \
	-Wl,--wrap=g_async_queue_pop -Wl,--wrap=g_async_queue_push -Wl,--wrap=g_task_run_in_thread \
	-Wl,--wrap=lp_driver_for -Wl,--wrap=lp_sim_state_save -Wl,--wrap=lp_sim_state_bury \
	-Wl,--wrap=lp_sim_mailbox_take -Wl,--wrap=g_file_monitor_directory \
	-Wl,--wrap=malloc_trim
LP_SIM_SOURCES = tests/sim/everything.c tests/sim/everything.h tests/sim/clock.c \
	tests/sim/clock.h tests/sim/fibers.c tests/sim/fibers.h tests/sim/disk.c tests/sim/disk.h \
	tests/sim/calls.c tests/sim/kept.c tests/sim/world.c tests/sim/load.c tests/sim/hand.c \
	tests/sim/judge.c
if !SANITIZERS
check_PROGRAMS += tests/sim/everything
endif
tests_sim_everything_SOURCES = $(LP_SIM_SOURCES)
tests_sim_everything_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_sim_everything_LDFLAGS = $(LP_SIM_LINK)
tests_sim_everything_LDADD = $(LP_ORACLE) $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS)
