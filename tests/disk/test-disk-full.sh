#!/bin/sh
# The real lpard on a file system that fills while it works: a tmpfs of its own.  Needs to be root
# in a place where file systems can be mounted.
set -u

if [ -z "${LP_DISK_FULL:-}" ]; then
    if [ "$(id -u)" != 0 ] || ! unshare -m sh -c 'mount -t tmpfs tmpfs /mnt' 2>/dev/null; then
        echo "1..0 # SKIP only root can mount a file system to fill"
        exit 0
    fi
    LP_DISK_FULL=1 exec unshare -m "$0"
fi

test_name=full
. "${0%/*}/../lpard-tap.sh"
state=$dir/state

clean_more() {
    umount -l "$state" 2>/dev/null
}

# Its sentences are longer than a line.
says() {
    tr '\n' ' ' <"$dir/out" | tr -s ' ' | grep -q -e "$1"
    result $? "$2"
}

start_lpard() {
    "$lpard" --connect "sim:$host" --socket "$sock" --state "$state" --topology "$topology" \
        >>"$dir/log" 2>&1 &
    lpard_answers knows_p0
}

# To the last page.
fill() {
    dd if=/dev/zero of="$state/fill" bs=64k oflag=append conv=notrunc 2>/dev/null
    dd if=/dev/zero of="$state/fill2" bs=4k oflag=append conv=notrunc 2>/dev/null
}

is_open() {
    ctl op list | grep -q "$1"
}

none_open() {
    [ -z "$(ctl op list | grep "p[01]")" ]
}

knows_hypervisor() {
    ctl version -o json | grep -q '"hypervisor": *"'
}

takes_work() {
    ctl set p1 cpu="$1"
}

mkdir "$state"
mount -t tmpfs -o size=24m,mode=0700 tmpfs "$state"
cat >"$host" <<END
{"seed": 9, "cgroup": "v2",
 "delays": {"plug_bytes_per_sec": 2147483648, "unplug_bytes_per_sec": 2147483648,
            "size_event_usec": 20000, "boot_usec": 10000},
 "domains": [
  {"name": "p%u", "count": 2, "vcpus": 2, "vcpus_max": 4, "cells": [
    {"base_bytes": 1073741824, "device_bytes": 3221225472, "requested_bytes": 1073741824}]}]}
END
start_lpard
for p in p0 p1; do
    expect 0 "$p becomes a partition" ctl enable $p --cpu 1:2:4 --mem 1G:2G:4G --cells 1
done
expect 0 "p1 is autoscaled, so that its history is written too" ctl autoscale p1 --goal balanced
[ -s "$state/journal.reserve" ]
result $? "room is set aside"

# It fills in mid-operation.
ctl set p0 mem=4G >"$dir/p0" 2>&1 &
first=$!
until_is "p0 grows" is_open p0
fill
wait "$first"
got=$?
cp "$dir/p0" "$dir/out"
[ "$got" = 0 ]
result $? "what was open is brought to its end"
expect 1 "new work is refused" ctl set p1 cpu=3
says "nothing can be begun.*journal.*full" "which says so"
says "free" "and what to do"
expect 1 "the second time as well" ctl set p1 cpu=3
expect 1 "nor is the policy's mode changed" ctl policy set --mode off
says "nothing can be begun" "which says so, too"
expect 1 "nor a pool made" ctl pool define night max=2
expect 0 "what is can be seen" ctl list
expect 0 "and what was" ctl op list --all
says "p0" "p0's operation is there"

# What was closed in the reserve is on disk, and a full disk is no reason not to start.
kill_lpard
start_lpard
expect 0 "lpard starts on the full disk" ctl op list --all
says "done" "and knows what was done"
until_is "nothing is open" none_open
expect 1 "new work is refused" ctl set p1 cpu=3
rm "$state/fill" "$state/fill2"
until_is "with room the hypervisor is known" knows_hypervisor
until_is "with room it takes work by itself" takes_work 3
[ -s "$state/journal.reserve" ]
result $? "and sets room aside again"

# Killed in the middle of it.
ctl set p0 mem=2G --no-wait >/dev/null 2>&1
until_is "p0 shrinks" is_open p0
fill
kill_lpard
start_lpard
until_is "on the full disk it is taken up and closed" none_open
expect 0 "its end" ctl op list --all
rm "$state/fill" "$state/fill2"
until_is "and with room all goes on" takes_work 2
kill_lpard
echo "1..$n"
exit $failed
