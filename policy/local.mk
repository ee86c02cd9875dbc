noinst_LIBRARIES += liblp-policy.a
liblp_policy_a_SOURCES = policy/units.c policy/units.h policy/profile.c policy/profile.h
