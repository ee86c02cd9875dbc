#!/bin/bash
# Requests that must not be done: one clear line, the documented exit status, nothing changed.
# budget: 120
. "$(dirname "$0")/lib.sh"
at_start "$alpha"
generation=$(field "$alpha" .profile.generation)

# refused STATUS TEXT PATTERN LPARCTL-ARGUMENTS...
refused() {
    local status=$1 text=$2 pattern=$3
    shift 3
    ends "$status" "$text" "$@"
    says "$pattern" "... and says why"
}

refused 1 "unknown partition" "$prefix-nobody" set "$prefix-nobody" cpu=2
refused 4 "above max vCPUs" '4' set "$alpha" cpu=5
refused 4 "above max memory" '2' set "$alpha" mem=4G
refused 4 "below min memory" '512' set "$alpha" mem=256M
refused 4 "removing below min" '512' remove "$alpha" mem=64M
refused 4 "removing all vCPUs" '1' remove "$alpha" cpu=1
refused 4 "not a multiple of the block size" '2' set "$alpha" mem=600001K
refused 2 "an unknown unit" 'X' set "$alpha" mem=6X
refused 2 "GB is not GiB" 'G' set "$alpha" mem=1GB
refused 2 "negative" '-' set "$alpha" mem=-1G
refused 2 "overflow" 'mem' set "$alpha" mem=99999999999999999999G
refused 2 "empty" 'mem' set "$alpha" mem=
refused 2 "nothing asked" '.' set "$alpha"
refused 2 "an unknown resource" 'disk' set "$alpha" disk=4
refused 2 "twice the same" 'cpu' set "$alpha" cpu=2 cpu=3
refused 2 "an unknown verb" 'grow' grow "$alpha"
refused 2 "no processors" 'cpu' set "$alpha" cpu=0
refused 4 "DIMMs where virtio-mem is asked away and no slot or device helps" '.' \
    set "$alpha" mem=514M --via dimm
refused 8 "no lpard on that socket" 'nothing-here' --socket "$run_dir/nothing-here" list
refused 1 "an operation that never was" '999999' op show 999999

guest_has "$alpha" 1 512 "after all of them"
is "$(field "$alpha" .profile.generation)" "$generation" "the profile was not touched"
is "$(lparctl list -o json | jq '.partitions | length >= 3')" true "lpard is well"

# Off: no change of what runs, and the answer says what to do.
vsh destroy "$beta" >/dev/null
check "lpard sees the partition off" wait_for 20 eval '[[ $(field "$beta" .run) == off ]]'
is "$(field "$beta" .mem.granted_bytes)" 0 "a partition that is off is granted nothing"
ends 0 "what does not run is changed for its next start" set "$beta" mem=768M
is "$(field "$beta" .next_start.mem_bytes)" $((768 * MiB)) "and it says so"
ends 0 "and back" set "$beta" mem=512M
vsh start "$beta" >/dev/null
guest_ready beta
guest_has "$beta" 1 512 "started again"

# Paused: left alone, and said so.
vsh suspend "$beta" >/dev/null
check "lpard sees the pause" wait_for 20 eval '[[ $(field "$beta" .run) == paused ]]'
ends 4 "a paused partition is refused" set "$beta" cpu=2
says 'paus' "... for that reason"
vsh resume "$beta" >/dev/null
check "lpard sees it running" wait_for 20 eval '[[ $(field "$beta" .run) == running ]]'
guest_has "$beta" 1 512 "after the pause"

# A second lpard must not touch the first one's state.
timeout 20 "$build_dir/lpard/lpard" --config "$run_dir/lpard.conf" --connect "$uri" \
    --socket "$LPARD_SOCKET" --state "$run_dir/state" >"$log_dir/second-lpard.log" 2>&1 </dev/null
status=$?
((status != 0 && status != 124))
result $? "a second lpard ends at once" "status $status: $(cat "$log_dir/second-lpard.log")"
ends 0 "the first one goes on" list
tests_end
