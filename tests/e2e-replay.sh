#!/bin/sh
# The real lpard lets partitions grow on a simulated host, is killed and started again; lpar-sim
# decides again from the history that it left, and comes to the same.  TAP.
set -u

test_name=replay
. "${0%/*}/lpard-tap.sh"
history=$dir/state/policy-history

start_lpard() {
    "$lpard" --connect "sim:$host" --socket "$sock" --state "$dir/state" \
        --config "$dir/lpard.conf" --topology "$topology" >>"$dir/log" 2>&1 &
    lpard_answers knows_p0
    result 0 "lpard answers"
}

has_grown() { ctl list | awk '$1 == "p0" && $4 " " $5 != $6 " " $7 { found = 1 }
                              END { exit !found }'; }

# ticks LEAST: the history has so many; what is being written is not waited for.
has_ticks() {
    "$build/lpar-sim" replay --from-history "$history" >"$dir/replayed" 2>&1
    cat "$dir/replayed"
    [ "$(sed -n 's/ ticks of.*//p' "$dir/replayed")" -ge "$1" ]
}

replay() {                      # STATUS DESCRIPTION ARGUMENT...
    want=$1
    what=$2
    shift 2
    "$build/lpar-sim" replay --from-history "$history" "$@" >"$dir/out" 2>&1
    status=$?
    [ $status = "$want" ]
    result $? "$what"
}

echo '[policy]
mode = auto' >"$dir/lpard.conf"
cat >"$host" <<END
{"seed": 9, "cgroup": "v2",
 "delays": {"call_usec": 2000, "online_cpu_usec": 3000, "unplug_cpu_usec": 3000,
            "plug_bytes_per_sec": 8589934592, "unplug_bytes_per_sec": 8589934592,
            "size_event_usec": 20000, "boot_usec": 10000},
 "domains": [
  {"name": "p%u", "count": 3, "vcpus": 2, "vcpus_max": 4, "agent": true, "cells": [
    {"base_bytes": 1073741824, "device_bytes": 3221225472, "requested_bytes": 1073741824}]}]}
END
mkdir "$host.faults"
: >"$dir/log"
start_lpard
for p in p0 p1 p2; do
    ctl enable $p --cpu 1:2:4 --mem 1G:2G:4G --cells 1 >"$dir/out" 2>&1 &&
        ctl autoscale $p --goal latency >"$dir/out" 2>&1
    result $? "$p is a partition that scales by itself"
done
# All of 2 GiB is in use, and tasks wait.
printf '%s' '{"used_bytes": 2100000000, "psi_mem_centi": 2500}' >"$dir/mail"
mv "$dir/mail" "$host.faults/p0.json"
until_is "p0 grows beyond what its profile desires" has_grown
until_is "the history has ten ticks" has_ticks 10
kill -9 "$pid"
wait "$pid" 2>/dev/null
start_lpard
until_is "the history goes on after a restart" has_ticks 20
kill -9 "$pid"
wait "$pid" 2>/dev/null
pid=

replay 0 "every decision is the same again"
says " 0 differ" "none of them differs"
replay 0 "a partition's decisions are told" --explain p0
says "^Memory: " "in words"
replay 0 "another value is tried" --what-if p0:max-mem=2G
grep -q " 0 differ" "$dir/out"
[ $? = 1 ]
result $? "and makes a difference"
file=$(ls "$history"/*.lph | head -n 1)
size=$(wc -c <"$file")
printf '\125' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
printf '\252' | dd of="$file" bs=1 seek=$((size / 2 + 1)) conv=notrunc 2>/dev/null
replay 1 "a damaged history is told"
says "is damaged" "by name"
echo "1..$n"
exit $failed
