#!/bin/bash
# The other two ways for memory: DIMMs, whole or not at all; and the balloon, which is the guest's
# promise and changes no grant.
# budget: 150
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

dimms() {
    vsh dumpxml "$alpha" | grep -c "<memory model='dimm'"
}

ends 0 "128 MiB as a DIMM" add "$alpha" mem=128M --via dimm
guest_has "$alpha" 1 640 "one DIMM"
is "$(dimms)" 1 "libvirt has it"
ends 0 "256 MiB as a DIMM" add "$alpha" mem=256M --via dimm
guest_has "$alpha" 1 896 "two DIMMs"
is "$(guest "$alpha" 'cat /sys/devices/system/memory/memory*/state' | grep -c offline)" 0 \
    "no memory block is left offline"
is "$(dimms)" 2 "libvirt has both"

# A DIMM is removed whole: no two of them make 64 MiB.
ends 4 "half a DIMM cannot be removed" remove "$alpha" mem=64M --via dimm
guest_has "$alpha" 1 896 "after the refusal"
ends 0 "the small one" remove "$alpha" mem=128M --via dimm
guest_has "$alpha" 1 768 "the large one is left"
ends 0 "the large one" remove "$alpha" mem=256M --via dimm
guest_has "$alpha" 1 512 "none is left"
is "$(dimms)" 0 "nor in libvirt"

ends 0 "memory for the balloon" set "$alpha" mem=1G
generation=$(field "$alpha" .profile.generation)
ends 3 "what a balloon takes is partial" remove "$alpha" mem=256M --via balloon
says 'balloon' "... and says why"
is "$(field "$alpha" .mem.granted_bytes)" $((1024 * MiB)) "the grant is what it was"
is "$(field "$alpha" .mem.balloon_bytes)" $((256 * MiB)) "the balloon holds it"
is "$(guest_mem_bytes "$alpha")" $((768 * MiB)) "the guest has it no more"
is "$(field "$alpha" .mem.usable_bytes)" $((768 * MiB)) "lpard says the same of what is usable"
((generation <= $(field "$alpha" .profile.generation)))
result $? "the profile's generation never falls"

ends 0 "the next grow" set "$alpha" mem=1152M
is "$(field "$alpha" .mem.balloon_bytes)" 0 "has emptied the balloon"
guest_has "$alpha" 1 1152 "after it"
ends 0 "back" set "$alpha" mem=512M
guest_has "$alpha" 1 512 "as at the start"
tests_end
