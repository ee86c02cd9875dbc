#!/bin/bash
# The guests as they start: what they say of themselves and what lpard says of them.
# budget: 60
. "$(dirname "$0")/lib.sh"

for name in "$alpha" "$beta" "$plain"; do
    is "$(guest "$name" hostname)" "$name" "$name answers on its console"
    is "$(guest_cpu_list "$name")" 0 "$name starts on one processor"
    is "$(guest "$name" 'cat /sys/devices/system/node/online')" 0-1 "$name sees two NUMA cells"
    is "$(field "$name" .mem.granted_bytes)" $((512 * MiB)) "$name is granted 512 MiB"
    is "$(field "$name" .profile_state)" good "$name has a good profile"
done
for name in "$alpha" "$beta"; do
    is "$(field "$name" .agent.state)" connected "$name's agent is connected"
    is "$(field "$name" .agent.kernel)" "$(guest "$name" 'uname -r')" "... and tells its kernel"
    is "$(field "$name" .agent.boot_id)" \
        "$(guest "$name" 'cat /proc/sys/kernel/random/boot_id')" "... and its boot id"
    is "$(field "$name" .cpu.usable)" 1 "... and one usable vCPU"
    is "$(field "$name" .mem.usable_bytes)" $((512 * MiB)) "... and 512 MiB usable"
done
[[ $(field "$plain" .agent.state) != connected ]]
result $? "$plain has no agent"
is "$(field "$plain" .mem.usable_bytes)" null "... so nobody claims what it can use"

ends 0 "list" list
for name in "$alpha" "$beta" "$plain"; do
    says "$name" "list names $name"
done
is "$(awk 'length > 100' <<<"$said" | wc -l)" 0 "list fits 100 columns"
ends 0 "show" show "$alpha"
is "$(awk 'length > 100' <<<"$said" | wc -l)" 0 "show fits 100 columns"
ends 0 "host" host
host_describe >/dev/null
usable=false
[[ $accel_note ]] || usable=true
is "$(lparctl host -o json | jq .virtualization.kvm_usable)" $usable \
    "host says truly whether KVM is usable"
# A session's libvirt is started by its client, which a sandbox would not let it do.
((EUID == 0)) && sandbox=true || sandbox=false
is "$(lparctl host -o json | jq .sandbox.on)" $sandbox "the sandbox is on for qemu:///system"
is "$(lparctl host -o json | jq .topology.cpus)" "$(nproc --all)" "host counts the processors"

# An agent that ends is started again by the guest and reports again.
boot_id=$(field "$alpha" .agent.boot_id)
guest "$alpha" 'killall lpar-agent' >/dev/null
check "an agent that was killed comes back" wait_for 30 agent_connected "$alpha"
is "$(field "$alpha" .agent.boot_id)" "$boot_id" "... in the same boot"
is "$(field "$alpha" .cpu.granted)" 1 "... and nothing else has changed"
tests_end
