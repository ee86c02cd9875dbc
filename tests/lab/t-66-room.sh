#!/bin/bash
# Room is what is observed to be free: a guest that reboots, is saved or paused keeps its memory
# on the account, and nobody is given what it has not returned.
# budget: 240
. "$(dirname "$0")/lib.sh"
at_start "$alpha" "$beta"

# lpard_with TEXT: restarts lpard with this added to its configuration.
lpard_with() {
    lpard_stop TERM
    { sed '/^\[host\]/,$d' "$run_dir/lpard.conf"; printf '%s\n' "$1"; } >"$run_dir/lpard.conf.new"
    mv "$run_dir/lpard.conf.new" "$run_dir/lpard.conf"
    lpard_start
    wait_for 60 agent_connected "$alpha" && wait_for 60 agent_connected "$beta"
}

# held NAME: what a guest may hold now, by libvirt's own word, in bytes.
held() {
    vsh dumpxml "$1" | awk -F"[<>]" '
        /<memory model/ { requested = current = 0 }
        /<requested unit/ { requested = $3 }
        /<current unit/ { current = $3; n += requested > current ? requested : current }
        END { print n * 1024 }'
}

# Both may hold this much beyond their boot memory, and no more.
ends 0 "one guest has a lot" set "$alpha" mem=1536M
free=$(lparctl host -o json | jq .memory.free_bytes)
reserve=$(lparctl host -o json | jq .memory.reserve_bytes)
check "a host with 128 MiB left" lpard_with \
    "[host]"$'\n'"memory-reserve = $(((free + reserve) / MiB - 128))M"
bound=$((1024 * MiB + 128 * MiB))
room() {
    local sum
    sum=$(($(held "$alpha") + $(held "$beta")))
    ((sum <= bound)) || echo "$(held "$alpha") + $(held "$beta")" >>"$run_dir/beyond"
}
rm -f "$run_dir/beyond"
ends 4 "more than is left is refused" set "$beta" mem=768M
ends 0 "what is left is not" set "$beta" mem=576M
ends 0 "and back" set "$beta" mem=512M

# A reboot: for seconds the device says 0, and that is no room.
rebooted() {
    local now
    now=$(field "$alpha" .agent.boot_id)
    [[ $now != null && $now && $now != "$1" && $(field "$alpha" .agent.state) == connected ]]
}
boot_id=$(field "$alpha" .agent.boot_id)
guest "$alpha" '(sleep 0.2; reboot -f) >/dev/null 2>&1 &'
admitted=0 asked=0 deadline=$((SECONDS + 60))
until rebooted "$boot_id" || ((SECONDS >= deadline)); do
    lparctl set "$beta" mem=768M >/dev/null 2>&1 && admitted=$((admitted + 1))
    asked=$((asked + 1))
    room
    sleep 0.3
done
is "$admitted" 0 "during a reboot nobody gets its memory"
say "asked $asked times"
check "its memory comes back" wait_for 60 \
    eval '[[ $(field "$alpha" .mem.usable_bytes) == $((1536 * MiB)) ]]'

# A reboot in the middle of a shrink, while the other asks for what is to be given.
is "$(guest "$alpha" 'lab-pin 1000' 60)" 2000 "the guest holds a page in each half MiB of 1000"
ends 9 "a shrink on its way" set "$alpha" mem=512M --no-wait
check "it has begun" wait_for 20 eval '[[ $(held "$alpha") -lt $((1024 * MiB)) ]]'
boot_id=$(field "$alpha" .agent.boot_id)
guest "$alpha" '(sleep 0.2; reboot -f) >/dev/null 2>&1 &'
got=0 deadline=$((SECONDS + 90))
until ((SECONDS >= deadline)); do
    ((got)) || { lparctl set "$beta" mem=1536M --timeout 20 >/dev/null 2>&1 && got=1; }
    room
    sleep 0.5
    ((got)) && rebooted "$boot_id" && op_ended "$alpha" && break
done
[[ ! -s $run_dir/beyond ]]
result $? "never is more held than there is" "$(cat "$run_dir/beyond" 2>/dev/null)"
check "the shrink ends" wait_for 60 op_ended "$alpha"
say "it ended $(lparctl op list --all --partition "$alpha" -o json |
    jq -r '.operations[0] | "\(.state): \(.message)"')"
check "the guest is up" wait_for 60 agent_connected "$alpha"
ends 0 "the rest of it" set "$alpha" mem=512M
guest_measure "$alpha"
three_agree "$alpha" $((512 * MiB)) "after reboot and shrink"
((got)) || lparctl set "$beta" mem=1536M >/dev/null 2>&1
guest_has "$beta" 1 1536 "what was returned is the other's now"
ends 0 "back" set "$beta" mem=512M

# Saved and restored: granted as before, and the agent finds lpard again.
check "a host with room again" lpard_with ""
ends 0 "something to save" set "$beta" cpu=2 mem=768M
check "saved" vsh save "$beta" "$boot_dir/beta.save"
check "lpard sees it off" wait_for 20 eval '[[ $(field "$beta" .run) == off ]]'
check "restored" vsh restore "$boot_dir/beta.save"
rm -f "$boot_dir/beta.save"
console_detach "$beta"
check "the agent is connected again" wait_for 60 agent_connected "$beta"
check "its sizes are known again" wait_for 20 \
    eval '[[ $(field "$beta" .mem.usable_bytes) == $((768 * MiB)) ]]'
guest_has "$beta" 2 768 "after save and restore"
is "$(field "$beta" '.drift | length')" 0 "nothing has drifted"
ends 0 "and it goes on being resized" set "$beta" cpu=1 mem=512M
guest_has "$beta" 1 512 "as at the start"

# Paused: it keeps its memory.
ends 0 "something to keep" set "$beta" mem=640M
vsh suspend "$beta" >/dev/null
check "lpard sees the pause" wait_for 20 eval '[[ $(field "$beta" .run) == paused ]]'
is "$(field "$beta" .mem.granted_bytes)" $((640 * MiB)) "a paused partition keeps its memory"
vsh resume "$beta" >/dev/null
check "lpard sees it running" wait_for 20 eval '[[ $(field "$beta" .run) == running ]]'
ends 0 "and it is resized again" set "$beta" mem=512M
guest_has "$beta" 1 512 "after the pause"
tests_end
