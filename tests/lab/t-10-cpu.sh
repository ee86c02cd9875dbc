#!/bin/bash
# Virtual processors of a running guest, up and down; each word is held against the guest's.
# budget: 120
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

ends 0 "1 -> 4 processors" set "$alpha" cpu=4
guest_has "$alpha" 4 512 "four processors"
is "$(guest_cpu_list "$alpha")" 0-3 "all four are online in the guest"
is "$(guest "$alpha" 'for i in 1 2 3 4; do sh -c : & done; wait; cat /proc/stat' |
    grep -c '^cpu[0-9]')" 4 "the guest's scheduler has four"

ends 0 "4 -> 2 processors" set "$alpha" cpu=2
guest_has "$alpha" 2 512 "two processors"

ends 0 "add one" add "$alpha" cpu=1
guest_has "$alpha" 3 512 "three processors"
ends 0 "remove two" remove "$alpha" cpu=2
guest_has "$alpha" 1 512 "one processor"

# Repeating what is already so changes nothing and is no error.
ends 0 "set to what it is" set "$alpha" cpu=1
guest_has "$alpha" 1 512 "still one processor"

# Ten times up and down: nothing may drift.
bad=0
for _ in 1 2 3 4 5; do
    lparctl set "$alpha" cpu=3 >/dev/null 2>&1 || bad=$((bad + 1))
    [[ $(guest_cpus "$alpha") == 3 ]] || bad=$((bad + 1))
    lparctl set "$alpha" cpu=1 >/dev/null 2>&1 || bad=$((bad + 1))
    [[ $(guest_cpus "$alpha") == 1 ]] || bad=$((bad + 1))
done
is "$bad" 0 "five times 1 -> 3 -> 1"
is "$(field "$alpha" '.drift | length')" 0 "nothing has drifted"
is "$(field "$beta" .cpu.granted)" 1 "the other guest was left alone"
tests_end
