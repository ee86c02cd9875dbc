#!/bin/bash
# libvirtd stopped, slow, dead and back while lpard works, and domains changed with virsh behind its
# back: what is, is adopted, and known again within 5 s.
# LPARD_LAB_LONG=1: twenty rounds of it with random stops, for the soak.
# budget: 600
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

# within SECONDS TEXT COMMAND...: how long it takes until COMMAND succeeds, and whether in time.
within() {
    local most=$1 text=$2 start took
    shift 2
    start=$(date +%s%N)
    wait_for 30 "$@"
    took=$((($(date +%s%N) - start) / 1000000))
    ((took <= most * 1000))
    result $? "$text within $most s" "it took $took ms"
    say "$text: $took ms"
}
listed() {
    lparctl list --all -o json | jq -e --arg name "$1" 'any(.domains[]; .name == $name)' >/dev/null
}
not_listed() {
    ! listed "$1"
}
# What is granted is what libvirt says, whatever the request came to.
agrees() {
    check "$2 it ends" wait_for 90 op_ended "$1"
    check "... and lpard tells what libvirt tells" wait_for 10 \
        eval '[[ $(libvirt_bytes "'"$1"'") == $(field "'"$1"'" .mem.granted_bytes) ]]'
    say "it ended $(lparctl op list --all --partition "$1" -o json |
        jq -r '.operations[0] | "\(.state): \(.message)"')"
}

# --- behind its back ---
xml=$run_dir/behind.xml
vsh dumpxml --inactive "$plain" | sed -e "s,<name>.*</name>,<name>$prefix-behind</name>,;/<uuid>/d" >"$xml"
vsh define "$xml" >/dev/null
within 5 "a domain defined with virsh is known" listed "$prefix-behind"
vsh domrename "$prefix-behind" "$prefix-renamed" >/dev/null
within 5 "its new name is known" listed "$prefix-renamed"
not_listed "$prefix-behind"
result $? "... and the old one is not"
vsh undefine "$prefix-renamed" >/dev/null
within 5 "that it is gone is known" not_listed "$prefix-renamed"
rm -f "$xml"

generation=$(field "$alpha" .profile.generation)
vsh update-memory-device "$alpha" --alias virtiomem0 --requested-size 131072KiB >/dev/null
within 5 "memory that virsh gave is known" \
    eval '[[ $(field "$alpha" .mem.granted_bytes) == $((640 * MiB)) ]]'
sleep 1
is "$(libvirt_bytes "$alpha")" $((640 * MiB)) "... and not taken back"
is "$(field "$alpha" '.drift | length > 0')" true "... but shown as drift"
vsh setvcpus "$alpha" 2 --live >/dev/null
ends 0 "a change of something else begins from there" set "$alpha" mem=704M
check "... with the vCPU that virsh gave" wait_for 15 \
    eval '[[ $(field "$alpha" .cpu.granted) == 2 ]]'
ends 0 "what was desired comes back when it is asked for" set "$alpha" cpu=1 mem=512M
guest_has "$alpha" 1 512 "after all that"
vsh metadata "$alpha" https://lpard.org/xmlns/partition/1 --remove --live >/dev/null
within 5 "a profile that virsh removed is missed" \
    eval '[[ $(field "$alpha" .profile_state) == lost ]]'
ends 0 "it is put back" profile restore "$alpha"
check "... and good again" wait_for 10 eval '[[ $(field "$alpha" .profile_state) == good ]]'
is "$(($(field "$alpha" .profile.generation) >= generation))" 1 "... no older than before"

# --- libvirtd ---
if ((EUID != 0)) || [[ ! -f $runtime_base/services ]] || [[ -d /run/systemd/system ]]; then
    skip "libvirtd is stopped" "this libvirtd was not started by the lab"
    tests_end
fi
daemon() {
    kill "-$1" "$(cat /run/libvirtd.pid)"
}
partition_define behind none 1:1:2 512M:512M:1G --cells 1 >"$log_dir/define-behind.log" 2>&1 ||
    die_with_log "define failed" "$log_dir/define-behind.log"

ends 9 "a resize on its way" set "$alpha" mem=1G --no-wait
daemon STOP
start=$(date +%s%N)
for _ in 1 2 3 4 5; do
    lparctl list >/dev/null 2>&1
done
took=$((($(date +%s%N) - start) / 1000000))
((took < 5000))
result $? "lpard answers while libvirtd is stopped" "five answers took $took ms"
say "five answers in $took ms"
sleep 2
daemon CONT
agrees "$alpha" "libvirtd goes on:"

# Slow: it runs a tenth of the time.
ends 9 "a resize on its way" set "$alpha" mem=512M --no-wait
for _ in {1..20}; do
    daemon STOP
    sleep 0.09
    daemon CONT
    sleep 0.01
done
agrees "$alpha" "libvirtd was slow:"

# Dead in the middle, and a QEMU with it: all is read anew within 5 s of its return.
ends 9 "a resize on its way" set "$alpha" mem=768M --no-wait
libvirtd_kill
kill -KILL "$(cat "/run/libvirt/qemu/$prefix-behind.pid")"
services_start >/dev/null
within 5 "what happened meanwhile is known" \
    eval '[[ $(field "$prefix-behind" .run) == off ]]'
agrees "$alpha" "libvirtd died:"
ends 0 "and it goes on being resized" set "$alpha" cpu=1 mem=512M
guest_has "$alpha" 1 512 "at last"
say "soak: libvirtd 3"
guest_remove behind

if [[ ${LPARD_LAB_LONG-} ]]; then
    for round in {1..20}; do
        lparctl set "$alpha" mem="$((512 + RANDOM % 4 * 128))M" --no-wait >/dev/null 2>&1
        sleep "0.$((RANDOM % 10))"
        case $((RANDOM % 3)) in
        0) daemon STOP; sleep "$((RANDOM % 25))"; daemon CONT ;;
        1) libvirtd_kill; sleep "$((RANDOM % 3))"; services_start >/dev/null ;;
        2) daemon KILL; services_start >/dev/null ;;
        esac
        within 5 "round $round: lpard has it again" \
            eval '[[ $(lparctl host -o json | jq .connected) == true ]]'
        agrees "$alpha" "round $round:"
    done
    say "soak: libvirtd 20"
    at_start "$alpha"
fi
tests_end
