#!/bin/sh
# The real lpard while its wall clock jumps ten years to and fro and its host sleeps: deadlines,
# waiting clients, events, agents and the history are as if nothing had happened.
set -u

test_name=clock
. "${0%/*}/../lpard-tap.sh"
jump=$dir/jump
follower=
years=315576000
# The sanitizer's library comes after the clock's, which it does not mind.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS

clean_more() {
    [ -n "$follower" ] && kill "$follower" 2>/dev/null
}

# One number of 64 bits, its least byte first.
bytes() {
    value=$1
    for i in 0 8 16 24 32 40 48 56; do
        printf "\\$(printf '%03o' $((value >> i & 255)))"
    done
}

# clocks WALL BOOT: in place, as lpard has the file in its memory.
clocks() {
    { bytes "$1"; bytes "$2"; } >"$dir/new"
    dd if="$dir/new" of="$jump" bs=16 conv=notrunc 2>/dev/null
}

start_lpard() {
    CLOCK_JUMP_FILE=$jump LD_PRELOAD=$build/tests/time/clock-jump.so "$lpard" \
        --connect "sim:$host" --socket "$sock" --state "$dir/state" --topology "$topology" \
        >>"$dir/log" 2>&1 &
    lpard_answers knows_p0
}

both_open() {
    [ "$(ctl op list | grep -c 'p[01]')" = 2 ]
}

has_agent() {
    ctl show "$1" | grep -q '^agent: connected'
}

# jumps WHAT WALL BOOT MEM: with one operation that needs its time and one that runs out of it, both
# under way when the clocks jump.
jumps() {
    ctl set p0 mem="$4" --timeout 50 >"$dir/p0" 2>&1 &
    first=$!
    ctl set p1 mem=1G --timeout 1 >"$dir/p1" 2>&1 &
    second=$!
    wait_until both_open
    clocks "$2" "$3"
    wait "$first"
    got=$?
    cp "$dir/p0" "$dir/out"
    [ "$got" = 0 ]
    result $? "$1: what needs its time has it"
    wait "$second"
    got=$?
    cp "$dir/p1" "$dir/out"
    [ "$got" = 3 ]
    result $? "$1: a deadline passes, and no later"
    wait_until has_agent p0
    result $? "$1: the agent is heard"
    tell p1 '{"unmovable_bytes": 0}'
    ctl set p1 mem=2G >"$dir/out" 2>&1
    result $? "$1: new work is taken"
    tell p1 '{"unmovable_bytes": 805306368}'
}

cat >"$host" <<END
{"seed": 9, "cgroup": "v2",
 "delays": {"plug_bytes_per_sec": 2147483648, "unplug_bytes_per_sec": 2147483648,
            "size_event_usec": 20000, "boot_usec": 10000},
 "domains": [
  {"name": "p%u", "count": 2, "vcpus": 2, "vcpus_max": 4, "cells": [
    {"base_bytes": 1073741824, "device_bytes": 3221225472, "requested_bytes": 1073741824}]}]}
END
clocks 0 0
start_lpard
for p in p0 p1; do
    ctl enable $p --cpu 1:2:4 --mem 1G:2G:4G --cells 1 >/dev/null
done
wait_until has_agent p0
tell p1 '{"unmovable_bytes": 805306368}'
ctl events -f >"$dir/events" 2>&1 &
follower=$!

year=$(date +%Y)
jumps "ten years and a night's sleep ahead" $years 28800 3G
ctl op list --all >"$dir/out" 2>&1
grep -q "$((year + 9))-\|$((year + 10))-" "$dir/out"
result $? "by lpard's own word it is so late"
jumps "and twenty back" -$years 28800 2G

grep -q 'connected=false\|connected=no\|lost' "$dir/events"
[ $? = 1 ]
result $? "no agent was taken for silent, and no event for lost"
kill "$follower" 2>/dev/null
follower=

# The next lpard lives ten years on: its history is old, and is there.
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
status=$?
[ "$status" = 137 ]
result $? "lpard lived until it was killed (status $status)"
before=$(ctl version >/dev/null 2>&1; echo $?)
[ "$before" = 8 ]
result $? "lpard is gone"
clocks $years 0
start_lpard
kept=$(ctl op list --all 2>/dev/null | grep -c 'p[01]')
[ "$kept" -ge 4 ]
result $? "a restart ten years later keeps its history ($kept operations)"
ctl set p0 mem=2G >"$dir/out" 2>&1
result $? "and works"
kill -9 "$pid"
wait "$pid" 2>/dev/null
clocks -$years 0
start_lpard
ctl set p0 mem=3G >"$dir/out" 2>&1
result $? "as does one twenty years earlier"
echo "1..$n"
exit $failed
