#!/bin/bash
# A guest that reboots has the same partition afterwards: what was folded is folded again, what
# was plugged comes back, and meanwhile nobody is given its memory.
# budget: 180
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

# What lpard says that the guest can use is as wanted: CPUS BYTES.
settled() {
    [[ "$(field "$alpha" '"\(.cpu.usable) \(.mem.usable_bytes)"')" == "$1 $2" ]]
}

rebooted() {
    local now
    now=$(field "$alpha" .agent.boot_id)
    [[ $now != null && $now && $now != "$1" && $(field "$alpha" .agent.state) == connected ]]
}

ends 0 "three vCPUs" set "$alpha" cpu=3 mem=768M
ends 0 "one of them folded" set "$alpha" cpu=2
guest_has "$alpha" 2 768 "before the reboot"
boot_id=$(field "$alpha" .agent.boot_id)
guest "$alpha" '(sleep 1; reboot -f) >/dev/null 2>&1 &'
check "the guest boots again and its agent tells so" wait_for 90 rebooted "$boot_id"
is "$(field "$alpha" .mem.granted_bytes)" $((768 * MiB)) "its memory was kept for it"
check "processors and memory are as they were" wait_for 60 settled 2 $((768 * MiB))
is "$(guest_cpus "$alpha")" 2 "the guest itself runs on two"
is "$(guest "$alpha" 'cat /proc/sys/kernel/random/boot_id')" "$(field "$alpha" .agent.boot_id)" \
    "lpard knows the new boot"
# A kernel takes another few pages at each boot, so this boot is measured by itself.
before=$(guest_mem_kib "$alpha")
ends 0 "and it goes on being resized" set "$alpha" cpu=1 mem=512M
guest_measure "$alpha"
is $(((before - $(guest_mem_kib "$alpha")) / 1024)) 256 "all that was plugged was there"
guest_has "$alpha" 1 512 "as at the start"
tests_end
