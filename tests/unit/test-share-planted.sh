#!/bin/sh
# The property tests of sharing, on code with a bug planted in each: every one must be caught.  TAP.
set -u
plants="entitlement remainder weight capacity group_max"
echo "1..$(echo $plants | wc -w)"
n=0
failed=0
for plant in $plants; do
    n=$((n + 1))
    program=tests/unit/test_share_planted_$plant
    if test ! -x "$program"; then
        echo "not ok $n - $program was not built"
        failed=1
    # 1 to 99 tests failed; a crash, or no such program, would prove nothing.
    elif output=$("$program" 2>&1); status=$?; test $status -ge 1 && test $status -lt 100; then
        echo "ok $n - planted bug $plant is caught"
        echo "$output" | grep -E '^# case|seed' | sed 's/^/# /' | head -3
    else
        echo "not ok $n - planted bug $plant is not caught (status $status)"
        failed=1
    fi
done
exit $failed
