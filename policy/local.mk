noinst_LIBRARIES += liblp-policy.a
liblp_policy_a_SOURCES = policy/units.c policy/units.h policy/profile.c policy/profile.h \
	policy/autoscale.c policy/autoscale.h policy/schedule.c policy/goal.c \
	policy/histogram.c policy/histogram.h policy/demand.c policy/demand.h policy/demand-priv.h \
	policy/demand-press.c policy/demand-cpu.c \
	policy/share.c policy/share.h policy/fill.c policy/fill.h policy/planted.h \
	policy/calm.c policy/calm.h policy/policy.c policy/policy.h \
	policy/round.h policy/policy-read.c policy/policy-target.c policy/policy-grow.c \
	policy/policy-trend.c \
	policy/policy-reclaim.c policy/policy-bound.c policy/policy-cpu.c \
	policy/explain.c policy/explain.h policy/record.c policy/record.h policy/record-priv.h \
	policy/record-fields.c policy/record-play.c
