#!/bin/bash
# The policy at work on three real guests: the loaded one grows from what the idle ones do not use,
# on a host that has nothing left, and gives it back; each step is explained, nobody is killed, and
# the history says the same when it is run again.
# budget: 420
. "$(dirname "$0")/lib.sh"
gamma=$prefix-gamma
names=("$alpha" "$beta" "$gamma")
history=$run_dir/state/policy-history
killed=()

at_start "$alpha" "$beta" "$plain"
guest_remove gamma
guest_new gamma

kills() {
    guest "$1" "awk '\$1 == \"oom_kill\" { print \$2 }' /proc/vmstat"
}
granted() {
    field "$1" .mem.granted_bytes
}
# decided NAME FILTER: of what the policy decided for it last.
decided() {
    lparctl policy explain "$1" -o json 2>/dev/null | jq -r "$2"
}
# load NAME: one more program that keeps busy all but 40 MiB of what its guest has available, until
# it is killed.
load() {
    guest "$1" 'mib=$(($(sed -n "s/MemAvailable: *\([0-9]*\) kB/\1/p" /proc/meminfo) / 1024 - 40))
        echo "$mib"; (lab-stress "$mib" 0 >>/run/stress 2>&1 &) >/dev/null'
}
grown() {
    (($(granted "$alpha") > $1))
}
smaller() {
    (($(granted "$1") < $2))
}
# lpard_with TEXT: restarts lpard with this in its configuration.
lpard_with() {
    lpard_stop TERM
    { sed '/^\[host\]/,$d' "$run_dir/lpard.conf"; printf '%s\n' "$1"; } >"$run_dir/lpard.conf.new"
    mv "$run_dir/lpard.conf.new" "$run_dir/lpard.conf"
    lpard_start
    local name
    for name in "${names[@]}"; do
        wait_for 60 agent_connected "$name" || return 1
    done
}

# Two that have more than they use, and a host that has 64 MiB left.
ends 0 "an idle guest with much" set "$beta" mem=1G
ends 0 "another" set "$gamma" mem=1G
free=$(lparctl host -o json | jq .memory.free_bytes)
reserve=$(lparctl host -o json | jq .memory.reserve_bytes)
check "a host with 64 MiB left" lpard_with \
    "[host]"$'\n'"memory-reserve = $(((free + reserve) / MiB - 64))M"

# Nothing is decided for whom nobody has put under the policy.
is "$(decided "$alpha" .decided)" false "without a mode nothing is decided"
ends 0 "the host may do what partitions allow" policy set --mode advise --leftovers burst
for name in "${names[@]}"; do
    killed+=("$(kills "$name")")
    ends 0 "$name is put under the policy" autoscale "$name" --goal latency --release-after 10s \
        --schedule 'daily 00:00-24:00 max cpu=1'
done
ends 0 "one without an agent, too" autoscale "$plain" --goal latency
killed_plain=$(kills "$plain")
check "it is seen" wait_for 30 eval '[[ $(decided "$gamma" .seen.mem_by) == agent ]]'
is "$(decided "$alpha" .mode)" advise "the host's mode is the most that is done"
is "$(decided "$alpha" .bounds.cpu_max)" 1 "a schedule's bound holds"

# A program that needs what is not there: advised, and not done.
say "a load of $(load "$alpha") MiB"
check "growth is advised" wait_for 30 eval '[[ $(decided "$alpha" .mem.act) == grow ]]'
is "$(granted "$alpha")" $((512 * MiB)) "and not done"
ends 0 "the plan" policy plan
says "$alpha: memory 512 MiB -> " "says it"

# Now it is.
ends 0 "the policy may act" policy set --mode auto
began=$EPOCHREALTIME
check "the loaded one grows" wait_for 30 grown $((512 * MiB))
took=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print int((b - a) * 10) / 10 }')
say "grown after $took s"
awk -v took="$took" 'BEGIN { exit took > 10 }'
result $? "within 10 s" "it took $took s"
size=$(granted "$alpha")
say "a load of $(load "$alpha") MiB"
began=$EPOCHREALTIME
check "more load, and it grows again" wait_for 30 grown "$size"
say "grown again after $(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }') s"
size=$(granted "$alpha")
say "a load of $(load "$alpha") MiB"
check "and again" wait_for 30 grown "$size"
wait_for 20 op_ended "$alpha"
(($(granted "$beta") + $(granted "$gamma") < 2048 * MiB))
result $? "from what the idle ones had" "$(granted "$beta") and $(granted "$gamma")"
(($(granted "$beta") >= 512 * MiB && $(granted "$gamma") >= 512 * MiB))
result $? "who keep their minimum"
is "$(field "$alpha" .profile.mem.desired_bytes)" $((512 * MiB)) "what is desired is as it was"
[[ $(field "$alpha" '.drift | join(" ")') != *desired* ]]
result $? "and to be elsewhere is no drift" "$(field "$alpha" '.drift | join(" ")')"
ends 0 "the log" policy log "$alpha"
says ' grow$' "tells that it grew"
says 'Memory: it has 512 MiB' "from what"
says 'operation [0-9]+ done' "and what came of it"
ends 0 "what is said of one that gave" policy log
says ' shrink$' "somebody gave"
ends 0 "an explanation" policy explain "$alpha"
says 'Memory: it has ' "of what it has"
ends 0 "the policy's operations" op list --all --partition "$alpha"

# An operator's word goes first.
size=$(granted "$beta")
ends 0 "an operator resizes one" set "$beta" mem=512M
check "the policy leaves it alone" wait_for 10 eval '[[ $(decided "$beta" .fixed) == operator ]]'
ends 0 "and says so" policy explain "$beta"
says 'An operator resized it' "in words"

# The load ends: what it does not use any more goes back.
guest "$alpha" 'killall lab-stress; while pidof lab-stress; do sleep 0.1; done' >/dev/null
size=$(granted "$alpha")
ends 0 "leftovers are not to stay" policy set --leftovers keep
ends 0 "and the guest is to be kept close to its use" autoscale "$alpha" --goal density
if [[ ${LPARD_LAB_LONG-} ]]; then
    # Nothing is taken for two minutes after it grew, with the goal that gives back soonest.
    check "it gives back" wait_for 180 smaller "$alpha" "$size"
    wait_for 30 op_ended "$alpha"
    ends 0 "the log" policy log "$alpha"
    says ' shrink$' "tells of it"
else
    # What a resize by hand leaves behind would hold it: the room that the next part needs comes so.
    ends 0 "it gives back" set "$alpha" mem=512M
fi

# Who has no agent is seen by its balloon, which is quiet where there is one.
is "$(decided "$plain" .seen.mem_by)" balloon "one without an agent is seen by its balloon"
ends 0 "and so says" policy explain "$plain"
says "by its balloon's word" "the explanation"
say "a load of $(load "$plain") MiB"
began=$EPOCHREALTIME
check "it grows by that" wait_for 30 eval '(($(granted "$plain") > 512 * MiB))'
say "grown after $(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }') s"
periods() {
    vsh dumpxml "$1" | grep -c '<stats period'
}
is "$(periods "$plain") $(periods "$alpha")" "1 0" "its driver speaks, and that of one with an agent does not"
guest "$plain" 'killall lab-stress; while pidof lab-stress; do sleep 0.1; done' >/dev/null
wait_for 20 op_ended "$plain"
is "$(kills "$plain")" "$killed_plain" "nobody was killed in it"

ends 0 "the policy is off" policy set --mode off
check "nothing is under way" wait_for 60 eval 'op_ended "$alpha" && op_ended "$beta" && op_ended "$gamma"'
for i in "${!names[@]}"; do
    is "$(kills "${names[i]}")" "${killed[i]}" "nobody was killed in ${names[i]}"
done
is "$(guest "$alpha" 'cat /run/stress')" "" "no memory was lost"

# A new lpard has the mode, and the files of the old one are whole.
check "lpard is restarted" lpard_with ""
is "$(lparctl policy -o json | jq -r .mode)" off "the mode outlives it"
for name in "${names[@]}" "$plain"; do
    lparctl autoscale "$name" --mode off --no-schedules >/dev/null 2>&1
done
if [[ -x $build_dir/lpar-sim ]]; then
    "$build_dir/lpar-sim" replay --from-history "$history" >"$log_dir/replay.log" 2>&1
    result $? "the history says the same when it is run again" "$(tail -n 5 "$log_dir/replay.log")"
else
    skip "the history is run again" "no lpar-sim was built"
fi
guest "$alpha" 'rm -f /run/stress' >/dev/null
guest "$plain" 'rm -f /run/stress' >/dev/null
guest_remove gamma
at_start "$alpha" "$beta" "$plain"
tests_end
