#!/bin/bash
# A guest that holds its pages: a shrink stops half way, is told in bytes, and three sides agree.
# budget: 150
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

ends 0 "memory to hold on to" set "$alpha" mem=1G
is "$(guest "$alpha" 'lab-pin 560' 60)" 1120 "the guest holds a page in each half MiB of 560"

ends 3 "a shrink that the guest cannot finish is partial" set "$alpha" mem=512M --timeout 12
says 'remain|not given|short|left|still' "... and says that something remains"
id=$(lparctl op list --all --partition "$alpha" -o json | jq '.operations[0].id')
said=$(lparctl op show "$id" -o json)
granted=$(field "$alpha" .mem.granted_bytes)
is "$(jq -r '.state' <<<"$said")" partial "its state"
is "$(jq '.legs[0].now.mem_bytes' <<<"$said")" "$granted" "what it came to, in bytes"
remaining=$(jq '.legs[0].remaining.mem_bytes' <<<"$said")
is "${remaining#-}" $((granted - 512 * MiB)) "what remains, in bytes"
((granted > 512 * MiB && granted < 1024 * MiB))
result $? "it is between the two" "$granted"
check "the devices come to rest" wait_for 10 \
    eval '[[ $(libvirt_bytes "$alpha") == "$granted" ]]'
three_agree "$alpha" "$granted" "what was given is kept"
[[ $(field "$alpha" '.drift | length') != 0 ]]
result $? "show tells that it is not what is desired"

# The same with --atomic: what came half way is put back.
ends 0 "the memory again" set "$alpha" mem=1G
three_agree "$alpha" $((1024 * MiB)) "whole again"
ends 6 "an atomic shrink that cannot be finished ends as what stopped it" \
    set "$alpha" mem=512M --timeout 12 --atomic
says 'undone' "... and says that it is undone"
check "the devices come to rest again" wait_for 10 \
    eval '[[ $(libvirt_bytes "$alpha") == $((1024 * MiB)) ]]'
three_agree "$alpha" $((1024 * MiB)) "after the undo"
is "$(field "$alpha" '.drift | length')" 0 "nothing has drifted"

guest "$alpha" 'killall lab-pin'
ends 0 "a guest that lets go can be shrunk" set "$alpha" mem=512M
three_agree "$alpha" $((512 * MiB)) "at the start again"
tests_end
