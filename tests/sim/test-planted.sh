#!/bin/sh
# The simulator of everything, on a daemon with a bug planted in it: every one must be caught.  TAP.
# The same seeds hold without the bugs: test-everything.sh runs them.
set -u
# The bug, and how many seeds may pass before it shows.
plants="grow_before_confirm:100 intent_after_effect:20 wall_clock_deadline:60 trust_in_balloon:100
lost_late_event:100"
echo "1..$(echo $plants | wc -w)"
n=0
failed=0
for plant in $plants; do
    n=$((n + 1))
    name=${plant%:*}
    program=tests/sim/planted_$name
    if test ! -x "$program"; then
        echo "not ok $n - $program was not built"
        failed=1
        continue
    fi
    output=$("$program" --stop --seeds "${plant#*:}" 2>&1)
    status=$?
    # A crash, or no such program, would prove nothing.
    if test $status -eq 1 && echo "$output" | grep -qE ': [SL][0-9]: '; then
        echo "ok $n - planted bug $name is caught"
        echo "$output" | grep -E ': [SL][0-9]: |seeds,' | sed 's/^#* */# /' | head -4
    else
        echo "not ok $n - planted bug $name is not caught (status $status)"
        echo "$output" | sed 's/^#* */# /' | tail -5
        failed=1
    fi
done
exit $failed
