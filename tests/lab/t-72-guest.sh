#!/bin/bash
# A guest from the inside: what the host is told, what the guest shows, what telling it costs.
# budget: 120
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

# How often the agent woke up so far.
wakeups() {
    guest "$alpha" 'grep ^voluntary /proc/$(pidof lpar-agent)/status' | tr -dc 0-9
}

seen=$(lparctl show "$alpha" --guest -o json)
is "$(jq -r .agent.state <<<"$seen")" connected "the agent tells of its guest"
accel=$(field "$alpha" .accel)
is "$(jq -r .hypervisor <<<"$seen")" "$accel" "the guest knows that it runs on $accel"
for feature in cpu-hotplug memory-hotplug movable-zone virtio-mem; do
    is "$(jq -r --arg f $feature '.features[] | select(.name == $f) | .state' <<<"$seen")" yes \
        "it has $feature"
done
is "$(jq -r '[.features[] | select((.state == "no") != (.cure != null))] | length' <<<"$seen")" 0 \
    "for whatever it lacks there is a cure"
is "$(jq -r '.abilities[] | select(.name == "memory-shrink") | .able' <<<"$seen")" yes \
    "memory can leave it"
total=$(guest "$alpha" 'grep MemTotal /proc/meminfo' | tr -dc 0-9)
is "$(jq -r .pressure.mem_total_bytes <<<"$seen")" $((total * 1024)) "its memory, by its own word"
check "its working set is a part of that" \
    jq -e '.pressure | .working_set_bytes > 0 and .working_set_bytes < .mem_total_bytes' \
    <<<"$seen"
shown=$(guest "$alpha" 'lpar-agent status')
check "lpar-agent status says it in the guest" grep -q "hypervisor: *$accel" <<<"$shown"
check "... and what resizing can do there" grep -q "memory-grow *yes" <<<"$shown"
metrics=$(curl -sS --max-time 60 --unix-socket "$LPARD_SOCKET" http://lpard/v1/metrics)
check "lpard's metrics have it" grep -q "^lpard_guest_memory_bytes{partition=\"$alpha\"" \
    <<<"$metrics"

# Idle: one wake-up in ten seconds, and little else.  For some seconds after a resize it still
# watches, ten times a second.
at_rest() {
    local before
    before=$(wakeups)
    sleep 2
    (($(wakeups) - before <= 2))
}
check "the agent comes to rest" wait_for 30 at_rest
before=$(wakeups)
sleep 20
after=$(wakeups)
result "$(((after - before) <= 6 ? 0 : 1))" "idle for 20 s: $((after - before)) wake-ups"
tests_end
