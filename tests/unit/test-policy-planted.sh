#!/bin/sh
# The random worlds of the policy, on code with a bug planted in each: every one must be caught.  TAP.
set -u
plants="reserve_spent grows_into_nothing no_dwell no_backoff below_its_part stale_is_idle"
echo "1..$(echo $plants | wc -w)"
n=0
failed=0
for plant in $plants; do
    n=$((n + 1))
    program=tests/unit/test_policy_planted_$plant
    if test ! -x "$program"; then
        echo "not ok $n - $program was not built"
        failed=1
    # 1 to 99 tests failed; a crash, or no such program, would prove nothing.
    elif output=$("$program" 2>&1); status=$?; test $status -ge 1 && test $status -lt 100; then
        echo "ok $n - planted bug $plant is caught"
        echo "$output" | grep -E '^# world|SEED' | sed 's/^/# /' | head -3
    else
        echo "not ok $n - planted bug $plant is not caught (status $status)"
        failed=1
    fi
done
exit $failed
