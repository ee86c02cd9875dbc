#!/bin/bash
# Eight QEMUs that hang: libvirtd has hardly any workers left, so nothing new is begun; but lpard
# itself answers, and goes on when they do.
# budget: 150
. "$(dirname "$0")/lib.sh"
at_start "$alpha"
names=(one two three four five six seven eight)

# Stopped before their firmware is through: they need not even boot.
pids=()
for name in "${names[@]}"; do
    guest_remove "still-$name"
    partition_define "still-$name" none 1:1:2 512M:512M:1G --cells 1 \
        >"$log_dir/define-still.log" 2>&1 || die_with_log "define failed" "$log_dir/define-still.log"
    pid=$(qemu_pid "$prefix-still-$name")
    kill -STOP "$pid" && pids+=("$pid")
done
is "${#pids[@]}" 8 "eight partitions, all stopped"
for name in "${names[@]}"; do
    lparctl set "$prefix-still-$name" mem=640M --no-wait >/dev/null 2>&1
done
n_stuck() {
    lparctl list -o json | jq '[.partitions[] | select(.stuck)] | length'
}
check "all eight are shown stuck" wait_for 60 eval '[[ $(n_stuck) == 8 ]]'
ends 1 "no new work is begun" set "$alpha" cpu=2
says '8 partitions hang' "... and the answer says why"
is "$(guest_cpus "$alpha")" 1 "nothing was changed"
start=$(date +%s%N)
for _ in 1 2 3 4 5 6 7 8 9 10; do
    lparctl list >/dev/null 2>&1
done
took=$((($(date +%s%N) - start) / 1000000))
((took < 10000))
result $? "but lpard answers" "ten answers took $took ms"
say "ten answers in $took ms"
is "$(field "$alpha" .agent.state)" connected "and hears its agents"
kill -CONT "${pids[@]}"
check "when they go on, so does lpard" wait_for 90 eval '[[ $(n_stuck) == 0 ]]'
check "work is begun again" wait_for 30 lparctl set "$alpha" cpu=2
guest_has "$alpha" 2 512 "after that"
for name in "${names[@]}"; do
    guest_remove "still-$name"
done
at_start "$alpha"
tests_end
