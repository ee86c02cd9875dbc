#!/bin/bash
# Memory of a running guest through virtio-mem, to the byte; with an agent and without.
# budget: 180
. "$(dirname "$0")/lib.sh"
at_start "$alpha" "$plain"

ends 0 "512M -> 1G" set "$alpha" mem=1G
guest_has "$alpha" 1 1024 "1 GiB"
is "$(guest "$alpha" 'cat /sys/devices/system/memory/memory*/state' | grep -c offline)" 0 \
    "no memory block is left offline"
ends 0 "1G -> 768M" set "$alpha" mem=768M
guest_has "$alpha" 1 768 "768 MiB"
ends 0 "add 130M" add "$alpha" mem=130M
guest_has "$alpha" 1 898 "an odd number of blocks"
# QEMU tells of a device's size at most once a second.
check "the cells' devices come to sum up to it" wait_for 10 \
    eval '[[ $(field "$alpha" "[.cells[].plugged_bytes] | add") == $((386 * MiB)) ]]'
ends 0 "remove all that it got" remove "$alpha" mem=386M
guest_has "$alpha" 1 512 "512 MiB again"
ends 0 "processors and memory in one" set "$alpha" cpu=2 mem=640M
guest_has "$alpha" 2 640 "both"
ends 0 "and back" set "$alpha" cpu=1 mem=512M
guest_has "$alpha" 1 512 "both back"

ends 0 "a dry run" set "$alpha" mem=1G --dry-run
guest_has "$alpha" 1 512 "a dry run changes nothing"

# Without an agent the device's word is all there is, and the answer says so.
ends 0 "512M -> 768M without an agent" set "$plain" mem=768M -o json
is "$(jq -r .confirm <<<"$said")" device "confirmed by the device"
check "the guest has it" wait_for 10 \
    eval '[[ $(guest_mem_bytes "$plain") == $((768 * MiB)) ]]'
ends 0 "768M -> 512M without an agent" set "$plain" mem=512M
is "$(guest_mem_bytes "$plain")" $((512 * MiB)) "the guest has given it back"

# A guest that holds its pages says so; who insists gets what is free; that is told in bytes, and
# kept.
ends 0 "room for a hog" set "$alpha" mem=1536M
is "$(guest "$alpha" 'lab-hog 700' 60)" $((700 * MiB)) "the guest fills 700 MiB"
ends 5 "a shrink below what is in use is refused" set "$alpha" mem=512M
says 'in use' "... with the reason"
ends 3 "a shrink that stops half way is partial" set "$alpha" mem=512M --timeout 15 --force
says '[0-9]' "... and says how far it came"
granted=$(field "$alpha" .mem.granted_bytes)
((granted > 512 * MiB && granted < 1536 * MiB))
result $? "... granted is between the two" "granted $granted"
((granted >= $(guest_mem_bytes "$alpha")))
result $? "... and not below what the guest has"
guest "$alpha" 'lab-hog 0'
ends 0 "when the guest lets go, the same request ends" set "$alpha" mem=512M
guest_has "$alpha" 1 512 "512 MiB after the hog"

# Two at once on one partition: the second queues.
"$build_dir/lparctl" set "$alpha" mem=640M >/dev/null 2>&1 &
first=$!
ends 0 "a second request at the same moment" set "$alpha" mem=768M
wait "$first"
is $? 0 "the first ends well, too"
mem=$(($(field "$alpha" .mem.granted_bytes) / MiB))
[[ $mem == 640 || $mem == 768 ]]
result $? "the one that came last holds" "$mem MiB"
guest_has "$alpha" 1 "$mem" "after both"
at_start "$alpha"
tests_end
