#!/bin/bash
# A hostile guest writes to device memory that it was not given: QEMU lets it, so lpard sees it,
# charges it, and gives it nothing more.
# budget: 120
. "$(dirname "$0")/lib.sh"
greedy=$prefix-greedy

guest_remove greedy
guest_words=lpard.without=virtio_mem
partition_define greedy lpar 1:1:2 1G:1G:4G --cells 1 >"$log_dir/define-greedy.log" 2>&1 ||
    die_with_log "lparctl define $greedy failed" "$log_dir/define-greedy.log"
guest_words=
guest_wait "$greedy" 120 || die "$greedy does not come up"
check "its agent is there" wait_for 60 agent_connected "$greedy"
is "$(field "$greedy" .overrun)" false "at first it keeps to its grant"
free=$(lparctl host -o json | jq .memory.free_bytes)
counted=$(field "$greedy" .mem.counted_bytes)

# Above its boot memory: where the device's own memory begins.
start=$(guest "$greedy" "sed -n 's/^\([0-9a-f]*\)-[0-9a-f]* : *virtio[0-9]*.*/\1/p' /proc/iomem")
[[ $start ]] || start=100000000
written=$(guest "$greedy" "lab-touch 0x$start 2816" 100)
is "$written" 2816 "it writes 2816 MiB that it was not given"
check "lpard sees the overrun" wait_for 30 eval '[[ $(field "$greedy" .overrun) == true ]]'
is "$(field "$greedy" .mem.granted_bytes)" $((1024 * MiB)) "its grant is what it was"
((counted + 128 * MiB < $(field "$greedy" .mem.counted_bytes)))
result $? "the excess is charged to it" \
    "counted $counted, now $(field "$greedy" .mem.counted_bytes)"
(($(lparctl host -o json | jq .memory.free_bytes) + 128 * MiB < free))
result $? "and is nobody's room any more"
ends 4 "it is given nothing more" set "$greedy" mem=1152M
says 'more than .* granted' "... for that reason"
ends 0 "show tells of it" show "$greedy"
says 'more memory than it was granted|overrun' "... in words"
ends 0 "others are left alone" set "$alpha" cpu=2
guest_has "$alpha" 2 512 "another guest"
guest_remove greedy
check "its end returns the room" wait_for 20 \
    eval '(($(lparctl host -o json | jq .memory.free_bytes) >= free))'
at_start "$alpha"
tests_end
