#!/bin/bash
# Random resizes under a load that checks its memory: nobody is killed, no byte is lost, and the
# three figures are equal after each.  tests/bench/cycles does more of them, beside virsh.
# budget: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cycles.sh"
at_start "$alpha"
cycles=${CYCLES:-12}
RANDOM=${SEED:-7}

before=$(guest "$alpha" "awk '\$1 == \"oom_kill\" { print \$2 }' /proc/vmstat")
ends 0 "room for the load" set "$alpha" mem=1G
check "a load that checks its memory" cycles_begin "$alpha"
declare -A ended=()
unequal=0
for ((cycle = 1; cycle <= cycles; cycle++)); do
    cycles_target
    cpus=$((1 + RANDOM % 2))
    words=$(timeout 150 "$build_dir/lparctl" set "$alpha" mem=${target}M cpu=$cpus --timeout 40 \
        2>&1 </dev/null)
    status=$?
    ended[$status]=$((${ended[$status]-0} + 1))
    # Done, partial or vetoed: in each case everybody agrees on what is.
    [[ $status =~ ^[035]$ ]] || say "cycle $cycle to $target MiB ended with $status: $words"
    granted=$(field "$alpha" .mem.granted_bytes)
    # QEMU tells of a device's size at most once a second; what is given back takes its time.
    if ! wait_for 5 figures_are "$alpha" "$granted"; then
        unequal=$((unequal + 1))
        say "cycle $cycle to $target MiB ($status): granted $granted, all say $(figures "$alpha")"
    fi
    [[ $status == [03] && $target -lt 800 ]] && say "cycle $cycle: $target MiB -> $granted"
done
for status in "${!ended[@]}"; do
    say "exit status $status: ${ended[$status]} of $cycles"
done
bad=0
for status in "${!ended[@]}"; do
    [[ $status =~ ^[035]$ ]] || bad=$((bad + ${ended[$status]}))
done
is "$bad" 0 "each of $cycles cycles is done, partial or vetoed"
((${ended[0]-0} > 0))
result $? "and not all of them vetoed"
is "$unequal" 0 "libvirt, lpard and the guest agree after each"
is "$(cycles_harm "$alpha")" "$before 0 1" "no OOM kill, no lost byte, the load is alive"
cycles_end "$alpha"
ends 0 "at the start again" set "$alpha" cpu=1 mem=512M --timeout 80
three_agree "$alpha" $((512 * MiB)) "at the end"
tests_end
