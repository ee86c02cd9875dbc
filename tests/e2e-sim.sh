#!/bin/sh
# The real lpard and lparctl on a simulated host: exit statuses, a second lpard, profiles edited
# behind lpard's back, a state directory that cannot be used.  tests/crash/kills kills it.
set -u

test_name=e2e
. "${0%/*}/lpard-tap.sh"

other_lpard() {
    timeout "$patience" "$lpard" --connect "sim:$dir/other.json" --topology "numa:1 core:8 pu:1" "$@"
}

start_lpard() {
    "$lpard" --connect "sim:$host" --socket "$sock" --state "$dir/state" --topology "$topology" \
        >>"$dir/log" 2>&1 &
    lpard_answers knows_p0
}

cat >"$host" <<END
{"seed": 9, "cgroup": "v2",
 "delays": {"call_usec": 2000, "online_cpu_usec": 3000, "unplug_cpu_usec": 3000,
            "plug_bytes_per_sec": 8589934592, "unplug_bytes_per_sec": 8589934592,
            "size_event_usec": 20000, "boot_usec": 10000},
 "domains": [
  {"name": "p%u", "count": 4, "vcpus": 2, "vcpus_max": 4, "cells": [
    {"base_bytes": 1073741824, "device_bytes": 3221225472, "requested_bytes": 1073741824}]},
  {"name": "plain"}]}
END

start_lpard
for p in p0 p1 p2 p3; do
    expect 0 "$p becomes a partition" ctl enable $p --cpu 1:2:4 --mem 1G:2G:4G --cells 1
done

# Statuses.
expect 0 "set" ctl set p0 cpu=3 mem=3G
expect 0 "move" ctl move cpu=1 mem=1G --from p0 --to p1
expect 0 "capacity" ctl capacity p1 entitled=1.50 capped
expect 0 "reconcile" ctl reconcile p1
expect 0 "dry run" ctl set p0 cpu=4 --dry-run
expect 0 "back" ctl move cpu=1 mem=1G --from p1 --to p0
expect 0 "back" ctl set p0 cpu=2 mem=2G
expect 4 "above max is refused" ctl set p0 cpu=5
says max "and says why"
expect 2 "a bad amount is usage" ctl set p0 mem=6X
expect 1 "an unknown partition is an error" ctl set nobody cpu=1
expect 1 "a plain domain is an error" ctl set plain cpu=1
says enable "and says what to do"
tell p2 '{"unmovable_bytes": 536870912}'
expect 3 "a stuck shrink is partial" ctl set p2 mem=1G --timeout 1
expect 6 "an undone one is timed out" ctl set p2 mem=1G --timeout 1 --atomic
tell p2 '{"unmovable_bytes": 0}'
expect 0 "later all of it is had" ctl set p2 mem=2G
tell p2 '{"veto": "import under way"}'
expect 5 "a guest refuses" ctl set p2 mem=3G
says "p2's guest refuses: hook 20-simulated: import under way" "and says why"
expect 0 "a dry run shows it" ctl set p2 mem=3G --dry-run
says "would refuse: hook 20-simulated: import under way" "in a remark"
expect 0 "force goes on" ctl set p2 mem=3G --force
says "import under way" "and tells of it"
tell p2 '{"veto": ""}'
expect 0 "back" ctl set p2 mem=2G
expect 8 "no lpard there" "$lparctl" --socket "$dir/none.sock" list

# A second lpard; tests/power.sh has one on the same host.
echo '{"seed": 1, "domains": []}' >"$dir/other.json"
expect 1 "a second lpard on the same state is refused" other_lpard \
    --socket "$dir/two.sock" --state "$dir/state"
says "$pid" "and names the first"
expect 1 "a second lpard on the same socket is refused" other_lpard \
    --socket "$sock" --state "$dir/state2"
expect 0 "the first goes on" ctl list

# Why nothing is decided, and what to do about it.
expect 0 "the host's mode is set" ctl policy set --mode off
expect 0 "a partition is autoscaled" ctl autoscale p1 --goal balanced
expect 0 "the host's mode keeps it" ctl policy
says "the host's mode is off" "which it says"
says "policy set --mode auto" "with the cure"
expect 0 "explain" ctl policy explain p1
says "The host's mode is off" "says so too"
expect 0 "its own mode goes off" ctl autoscale p1 --mode off
expect 0 "explain" ctl policy explain p1
says "Its mode is off" "names the mode that is"
expect 0 "the host's mode is set" ctl policy set --mode auto
expect 2 "a plain domain cannot be autoscaled" ctl autoscale plain --goal balanced
says "has no profile yet" "and why"

# Profiles behind its back: the files of the simulated host, edited while lpard is down.
edit() {
    kill_lpard
    sed -i "$1" "$host.state/p3.json"
    start_lpard
}
expect 0 "a newer generation" ctl set p3 cpu=3
edit '/"metadata":/s/generation=\\"[0-9]*\\"/generation=\\"0\\"/'
edit '/"metadata":/s/<lpard:memory[^>]*>//'
expect 1 "a garbled profile is an error" ctl set p3 cpu=2
says profile "which says so"
expect 0 "profile restore writes the last one seen" ctl profile restore p3
expect 0 "and it works again" ctl set p3 cpu=2
edit '/"metadata":/d'
expect 1 "a lost profile is an error" ctl set p3 cpu=3
says restore "which says what to do"
expect 0 "profile restore writes it back" ctl profile restore p3
expect 0 "and it works again" ctl set p3 cpu=3
expect 0 "back" ctl set p3 cpu=2

# The end, in good order: sanitizers speak in the exit status.
kill -TERM "$pid"
wait "$pid"
result $? "lpard ends cleanly"
pid=
! grep -q "Sanitizer\|CRITICAL" "$dir/log"
result $? "nothing was complained of"
cp "$dir/log" "$dir/out"

# A state directory that cannot be used.
touch "$dir/file"
expect 1 "a state directory that cannot be made" other_lpard \
    --socket "$sock" --state "$dir/file/state"
says "$dir/file" "which names it"

echo "1..$n"
exit $failed
