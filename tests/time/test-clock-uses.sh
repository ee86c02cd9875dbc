#!/bin/sh
# No new use of the wall clock, in a deadline or elsewhere, without its line in wall-clocks.txt.
set -u
src=${srcdir:-.}
list=$src/tests/time/wall-clocks.txt
uses='g_get_real_time *\(|g_get_current_time *\(|g_date_time_new_now|gettimeofday *\(|[^_a-z]time *\( *(NULL|0|&)|CLOCK_REALTIME|CLOCK_TAI|GetCurrentTime|strftime *\(.*now|CURRENT_TIMESTAMP|datetime *\(|timespec_get *\(|g_date_set_time|pthread_cond_timedwait|sem_timedwait'
failed=0

# Where it is used, as FILE:LINE:TEXT; not in the bugs that are planted on purpose, nor in the list of
# system calls.
find_uses() {
    cd "$src" && grep -rE -B1 "$1" --include='*.[ch]' -n $2 |
        awk '/LP_PLANTED\(WALL_CLOCK/ { planted = 1; next }
             /:[0-9]+:/ && !planted && !/SCMP_SYS/ { print }
             { planted = 0 }'
}

found=$(find_uses "$uses" "lpard hotplug agent policy numa" |
    cut -d: -f1 | sort | uniq -c | awk '{ print $1, $2 }')
known=$(awk '!/^#/ && NF > 2 { print $1, $2 }' "$list" | sort -k2)
if [ "$(echo "$found" | sort -k2)" = "$known" ]; then
    echo "ok 1 - each use of the wall clock is on the list"
else
    echo "not ok 1 - each use of the wall clock is on the list"
    echo "$found" | sort -k2 >"${TMPDIR:-/tmp}/clock-uses.$$"
    echo "$known" | diff - "${TMPDIR:-/tmp}/clock-uses.$$" | sed 's/^/# /'
    rm -f "${TMPDIR:-/tmp}/clock-uses.$$"
    failed=1
fi

# What waits must not know of it at all.
waits="lpard/engine/begin.c lpard/engine/run.c lpard/engine/confirm.c lpard/engine/consent.c
    lpard/engine/settle.c lpard/engine/lanes.c lpard/engine/recover.c lpard/engine/guest-agent.c
    lpard/registry/workers.c lpard/registry/channel.c lpard/registry/calls.c lpard/api/api-events.c
    lpard/api/door.c lpard/api/rate.c lpard/ctl/wait.c agent"
if find_uses "$uses" "$waits" | grep .; then
    echo "not ok 2 - deadlines know nothing of the wall clock"
    failed=1
else
    echo "ok 2 - deadlines know nothing of the wall clock"
fi
echo 1..2
exit $failed
