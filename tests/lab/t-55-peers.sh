#!/bin/bash
# Peers that die, hang or lie: libvirtd, QEMU, the agent.
# budget: 360
. "$(dirname "$0")/lib.sh"
at_start "$alpha" "$beta" "$plain"

agent_off='sed -i /lab-agent/d /etc/inittab; kill -HUP 1; killall lpar-agent'
agent_on='killall head 2>/dev/null; echo "::respawn:/bin/lab-agent" >>/etc/inittab; kill -HUP 1'
port='/dev/$(cd /sys/class/virtio-ports && grep -l org.lpard.agent.0 */name | cut -d / -f 1)'

# --- a QEMU that hangs, and meanwhile an agent that ended: both take their time to be noticed ---
beta_pid=$(qemu_pid "$beta")
kill -STOP "$beta_pid"
ends 9 "a request to one that hangs" set "$beta" mem=640M --no-wait
ends 0 "the other is resized meanwhile" set "$alpha" cpu=2 mem=640M
guest_has "$alpha" 2 640 "the healthy one"
guest "$alpha" "$agent_off" >/dev/null
check "the one that hangs is shown stuck" wait_for 60 \
    eval '[[ $(field "$beta" .stuck) == true ]]'
check "an agent that ended is noticed" wait_for 120 \
    eval '[[ $(field "$alpha" .agent.state) != connected ]]'
ends 0 "without it memory is resized all the same" set "$alpha" mem=768M -o json
is "$(jq -r .confirm <<<"$said")" device "... by the device's word"
kill -CONT "$beta_pid"
check "the one that hung recovers by itself" wait_for 60 \
    eval '[[ $(field "$beta" .stuck) == false ]]'
check "and its operation ends" wait_for 120 op_ended "$beta"
check "its agent is there" wait_for 60 agent_connected "$beta"
ends 0 "and is resized again" set "$beta" mem=768M
guest_has "$beta" 1 768 "after the hang"
at_start "$beta"

# --- what is no agent on the channel ---
guest "$alpha" "head -c 100000 /dev/urandom >$port; printf '%s\n' '{\"hello\":7}' '[[[[[[[[[[[[[[' \
    '{\"type\":\"state\",\"mem_total\":-1}' null 1e999 >$port" >/dev/null
check "nonsense on the channel is counted" wait_for 10 \
    eval '[[ $(field "$alpha" .agent.refused_frames) -gt 0 ]]'
[[ $(field "$alpha" .agent.state) != connected ]]
result $? "... and makes no agent"
ends 0 "lpard is well" list
ends 0 "and so are the others" set "$beta" cpu=2
guest_has "$beta" 2 512 "the other guest"
guest "$alpha" "$agent_on" >/dev/null
check "the agent is back" wait_for 120 agent_connected "$alpha"
ends 0 "and everything is as before" set "$alpha" cpu=2 mem=512M
guest_has "$alpha" 2 512 "with the agent again"

# In the middle of a resize: it ends by the device's word, or the agent's when it is back.
ends 9 "a resize on its way" set "$alpha" mem=1G --no-wait
guest "$alpha" 'killall lpar-agent' >/dev/null
check "it ends" wait_for 60 op_ended "$alpha"
check "the agent came back" wait_for 30 agent_connected "$alpha"
check "all of it is there" wait_for 20 \
    eval '[[ $(field "$alpha" .mem.usable_bytes) == $((1024 * MiB)) ]]'
guest_has "$alpha" 2 1024 "after the agent died in the middle"
at_start "$alpha" "$beta"

# --- libvirtd ---
if ((EUID != 0)) || [[ ! -f $runtime_base/services ]]; then
    skip "libvirtd dies in the middle" "this libvirtd was not started by the lab"
    tests_end
fi
ends 9 "a resize on its way" set "$alpha" mem=1536M --no-wait
libvirtd_kill
is "$(field "$alpha" .agent.state)" connected "the agent stays connected while libvirtd is away"
ends 8 "what is asked meanwhile cannot be done" set "$beta" cpu=2
says 'libvirt' "... and the answer says why"
kill -KILL "$(cat "/run/libvirt/qemu/$plain.pid")"
services_start >/dev/null
check "lpard finds libvirtd again" wait_for 60 \
    eval '[[ $(lparctl host -o json | jq .connected) == true ]]'
check "the resize ends" wait_for 120 op_ended "$alpha"
state=$(lparctl op list --all --partition "$alpha" -o json | jq -r '.operations[0].state')
granted=$(field "$alpha" .mem.granted_bytes)
if [[ $state == "done" ]]; then
    is "$granted" $((1536 * MiB)) "done means all of it"
else
    is "$state" partial "if it is not done, it says so"
fi
check "the devices come to rest" wait_for 10 eval '[[ $(libvirt_bytes "$alpha") == "$granted" ]]'
three_agree "$alpha" "$granted" "after libvirtd's death"
check "what happened meanwhile was read anew" wait_for 20 \
    eval '[[ $(field "$plain" .run) == off ]]'
is "$(field "$alpha" .agent.state)" connected "the agent is still connected"
ends 0 "and it goes on being resized" set "$alpha" cpu=2 mem=512M
guest_has "$alpha" 2 512 "after all that"
ends 0 "started again" start "$plain"
guest_ready plain
at_start "$alpha"
tests_end
