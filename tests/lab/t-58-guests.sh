#!/bin/bash
# Guests that are reset, paused, saved, shut down or killed in the middle of a resize, and an agent
# that only drips: what comes of it is told as it is, and the others go on.
# LPARD_LAB_LONG=1: also a Linux guest that panics, for the soak.
# budget: 600
. "$(dirname "$0")/lib.sh"
at_start "$alpha" "$beta"

still=$prefix-still
agent_off='sed -i /lab-agent/d /etc/inittab; kill -HUP 1; killall lpar-agent'
agent_on='kill $(cat /tmp/drip.pid); echo "::respawn:/bin/lab-agent" >>/etc/inittab; kill -HUP 1'
port='/dev/$(cd /sys/class/virtio-ports && grep -l org.lpard.agent.0 */name | cut -d / -f 1)'

last_op() {
    lparctl op list --all --partition "$1" -o json | jq -r ".operations[0] | $2"
}
# ended TEXT: its operation is over, says why unless it is done, and is true of what libvirt has.
ended() {
    check "$1: it ends" wait_for 60 op_ended "$still"
    is "$(last_op "$still" '.state == "done" or (.message | length > 0)')" true "... with its reason"
    say "$1: $(last_op "$still" '"\(.state): \(.message)"')"
}
# A guest without a driver that moves memory: each resize waits for it, and can be met in the middle.
guest_words=initcall_blacklist=virtio_mem_driver_init
partition_define still none 1:1:2 512M:512M:1G --cells 1 >"$log_dir/define-still.log" 2>&1 ||
    die_with_log "define failed" "$log_dir/define-still.log"
guest_words=

# --- an agent that drips, all the while ---
guest "$beta" "$agent_off; (while :; do printf '{'; usleep 50000; done >$port) >/dev/null 2>&1 &
    echo \$! >/tmp/drip.pid" >/dev/null

# --- reset, paused, saved, shut down ---
ends 9 "a resize on its way" set "$still" cpu=2 mem=768M --no-wait --timeout 8
vsh reset "$still" >/dev/null
ended "reset in the middle"
lparctl set "$still" cpu=1 mem=512M --timeout 8 >/dev/null 2>&1

ends 9 "a resize on its way" set "$still" mem=768M --no-wait --timeout 8
vsh suspend "$still" >/dev/null
ended "paused in the middle"
granted=$(field "$still" .mem.granted_bytes)
vsh resume "$still" >/dev/null
check "it runs again" wait_for 10 eval '[[ $(field "$still" .run) == running ]]'
is "$(field "$still" .mem.granted_bytes)" "$granted" "... with what was told"

ends 9 "a resize on its way" set "$still" mem=768M --no-wait --timeout 8
vsh managedsave "$still" >/dev/null
check "it is seen off" wait_for 20 eval '[[ $(field "$still" .run) == off ]]'
ended "saved in the middle"
vsh start "$still" >/dev/null
check "it is seen on" wait_for 20 eval '[[ $(field "$still" .run) == running ]]'

ends 9 "a resize on its way" set "$still" mem=640M --no-wait --timeout 20
vsh destroy "$still" >/dev/null
ended "killed in the middle"
is "$(last_op "$still" '.state != "done" or .legs[0].now.mem_bytes == .legs[0].target.mem_bytes')" true \
    "... and is not called done if it is not"
ends 0 "off, its next start is resized" set "$still" mem=512M
guest_remove still

# --- meanwhile ---
ends 0 "beside an agent that drips another is resized" set "$alpha" cpu=2 mem=768M
guest_has "$alpha" 2 768 "the other"
is "$(field "$beta" .mem.granted_bytes)" $((512 * MiB)) "the guest with that agent has what it had"
ends 0 "... and is resized by the device's word" set "$beta" mem=640M -o json
is "$(jq -r .confirm <<<"$said")" device "... which is said"
guest "$beta" "$agent_on" >/dev/null
check "its agent is back" wait_for 120 agent_connected "$beta"
at_start "$alpha" "$beta"
guest_has "$beta" 1 512 "after the dripping"
say "soak: guests 5"

# --- a Linux that panics in mid-shrink; it is reset by hand ---
if [[ ${LPARD_LAB_LONG-} ]]; then
    for _ in 1 2 3; do
        ends 0 "something to give" set "$alpha" mem=1536M
        ends 9 "a shrink on its way" set "$alpha" mem=512M --no-wait
        guest "$alpha" '(sleep 0.2; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &' >/dev/null
        check "it ends" wait_for 90 op_ended "$alpha"
        say "panic: $(last_op "$alpha" '"\(.state): \(.message)"')"
        vsh reset "$alpha" >/dev/null
        check "it boots again" wait_for 180 agent_connected "$alpha"
        ends 0 "and goes on" set "$alpha" mem=512M
    done
    say "soak: guests 3"
    guest_measure "$alpha"
fi
tests_end
