#!/bin/bash
# lpard killed (it kills itself) at named points of operations on real guests, and started again: the
# operation is closed as done or as a declared partial, and libvirt, lpard and the guest agree.
# LPARD_LAB_LONG=1: at every point that these operations come to.
# budget: 180
. "$(dirname "$0")/lib.sh"
faulty=$lab_dir/build-asan/lpard/lpard
if [[ ! -x $faulty ]] || ! grep -aq LPARD_FAULT "$faulty"; then
    result 1 "there is an lpard that can be told to fail" \
        "$faulty: ./lab check builds it; with a filter it must be there already"
    tests_end
fi

# Operation and point; the rest is LPARD_LAB_LONG's.
cases=(
    'mem intent-write-before' 'mem call-set-requested-after' 'mem confirm-before'
    'cpu agent-phase-send-after' 'cpu confirm-after' 'mem close-write-before'
)
if [[ ${LPARD_LAB_LONG-} ]]; then
    cases=()
    while read -r point; do
        cases+=("mem $point" "mem $point" "cpu $point" "cpu $point")
    done < <(sed -n 's/^ *X([A-Z_]*, "\(.*\)").*/\1-before\n\1-after/p' "$top/hotplug/fault.h")
fi

killed() {
    local pid
    read -r pid <"$run_dir/lpard.pid"
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) != lpard ]]
}
agree() {
    local cpus bytes
    bytes=$(libvirt_bytes "$alpha")
    cpus=$(guest_cpus "$alpha")
    [[ $(figures "$alpha") == "$bytes $bytes $bytes" &&
        $(field "$alpha" '"\(.cpu.granted) \(.cpu.usable)"') == "$cpus $cpus" ]]
}
# up_or_down mem|cpu: the other of two sizes, whatever a killed operation has left.
up_or_down() {
    case $1 in
    mem) if (($(field "$alpha" .mem.granted_bytes) > 512 * MiB)); then echo mem=512M; else echo mem=768M; fi ;;
    cpu) if (($(field "$alpha" .cpu.granted) > 1)); then echo cpu=1; else echo cpu=2; fi ;;
    esac
}
last_state() {
    lparctl op list --all --partition "$alpha" -o json | jq -r '.operations[0].state'
}

at_start "$alpha"
kills=0
for case in "${cases[@]}"; do
    read -r what point <<<"$case"
    what=$(up_or_down "$what")
    lpard_stop TERM
    # Some points are passed at its start already.
    if (LPARD_FAULT=$point lpard_program=$faulty lpard_start) >/dev/null 2>&1; then
        wait_for 30 agent_connected "$alpha"
        timeout 60 "$build_dir/lparctl" set "$alpha" "$what" >/dev/null 2>&1 </dev/null
    fi
    if ! wait_for 3 killed; then
        # Not a point of this operation.
        [[ ${LPARD_LAB_LONG-} ]] || result 1 "$what comes to $point"
        continue
    fi
    kills=$((kills + 1))
    lpard_start
    check "$what, killed at $point: closed" wait_for 60 op_ended "$alpha"
    check "... and all three agree" wait_for 30 agree
    [[ $(last_state) =~ ^(done|partial)$ ]]
    result $? "... as done or partial" "$(last_state)"
done
lpard_stop TERM
lpard_start
check "the agent is back" wait_for 60 agent_connected "$alpha"
at_start "$alpha"
guest_has "$alpha" 1 512 "after all that"
echo "# soak: lpard killed at a point, real guests: $kills"
tests_end
