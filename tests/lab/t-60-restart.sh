#!/bin/bash
# lpard's death changes nothing, and its return goes on where it was.
# budget: 120
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

ends 0 "something to keep" set "$alpha" cpu=2 mem=768M
lpard_stop KILL
is "$(guest_cpus "$alpha") $(guest_mem_bytes "$alpha")" "2 $((768 * MiB))" \
    "without lpard the guest keeps its size"
ends 8 "lparctl says that nobody is there" list
lpard_start
check "the agent finds the new lpard" wait_for 30 agent_connected "$alpha"
guest_has "$alpha" 2 768 "after the restart"
is "$(field "$alpha" '.drift | length')" 0 "nothing has drifted"

# Killed in the middle: the operation is closed by what is, and nothing is left open.
ends 9 "a resize on its way" set "$alpha" mem=2G --no-wait
lpard_stop KILL
lpard_start
check "the agent finds it again" wait_for 30 agent_connected "$alpha"
check "every operation comes to an end" wait_for 60 \
    eval '[[ $(field "$alpha" .operations_open) == 0 ]]'
mem=$(field "$alpha" .mem.granted_bytes)
is "$(guest_mem_bytes "$alpha")" "$mem" "lpard and the guest agree on what it came to"
ends 0 "and the next request works" set "$alpha" cpu=1 mem=512M
guest_has "$alpha" 1 512 "as at the start"
tests_end
