#!/bin/bash
# Guests of three kinds: with lpar-agent, with qemu-guest-agent, with neither; each result says
# whose word it rests on.
# budget: 420
. "$(dirname "$0")/lib.sh"
at_start "$alpha" "$plain"
# qemu-guest-agent cannot say where memory goes; without this the kernel would put it where it
# may not leave from again.
guest_agent=qga guest_words=memory_hotplug.online_policy=auto-movable guest_new other
other=$prefix-other

# resized PARTITION WORD TEXT CHANGE...: done, and confirmed by WORD.
resized() {
    local partition=$1 word=$2 text=$3
    shift 3
    ends 0 "$text" set "$partition" "$@" -o json
    is "$(jq -r .confirm <<<"$said")" "$word" "... confirmed: $word"
}

# other_has CPUS MIB TEXT: by the guest's own /proc, and by what is granted.
other_has() {
    is "$(guest_cpus "$other") $(guest_mem_bytes "$other")" "$1 $(($2 * MiB))" "$3: the guest"
    is "$(field "$other" '"\(.cpu.granted) \(.mem.granted_bytes)"')" "$1 $(($2 * MiB))" \
        "$3: granted"
}

is "$(field "$alpha" .agent.state)" connected "lpar-agent is shown"
is "$(field "$other" .agent.state)" qemu-guest-agent "qemu-guest-agent is shown"
is "$(field "$plain" '.agent.state | IN("absent", "silent")')" true "and where neither is"
ends 0 "the check knows it, too" check "$other"
says 'qemu-guest-agent answers' "... and says what it can do"

# --- side by side ---
resized "$alpha" agent "a processor more, lpar-agent" cpu=2
resized "$other" guest-agent "a processor more, qemu-guest-agent" cpu=2
resized "$plain" device "a processor more, neither" cpu=2
resized "$alpha" agent "memory, lpar-agent" mem=768M
# This guest's kernel brings nothing online by itself.
resized "$other" guest-agent "memory, qemu-guest-agent" mem=768M
resized "$plain" device "memory, neither" mem=768M
other_has 2 768 "grown by qemu-guest-agent"
resized "$other" guest-agent "memory back" mem=512M
resized "$other" guest-agent "a processor folded" cpu=1
other_has 1 512 "shrunk by qemu-guest-agent"
is "$(guest_cpu_list "$other")" 0 "it is offline in the guest"
ends 0 "both at once, and said" set "$other" cpu=3 mem=1G
says 'confirmed by qemu-guest-agent' "... by lparctl"
other_has 3 1024 "both at once"

# --- it dies in the middle ---
ends 9 "a resize on its way" set "$other" mem=1536M cpu=2 --no-wait
guest "$other" 'killall qemu-ga' >/dev/null
check "it ends" wait_for 60 op_ended "$other"
is "$(field "$other" '"\(.cpu.granted) \(.mem.granted_bytes)"')" "2 $((1536 * MiB))" \
    "with all that was asked"
check "qemu-guest-agent is back" wait_for 60 agent_connected "$other" qemu-guest-agent
ends 0 "reconciled" reconcile "$other"
resized "$other" guest-agent "and goes on as before" cpu=1 mem=1664M
other_has 1 1664 "after its death"

# --- it hangs ---
guest "$other" 'killall -STOP qemu-ga' >/dev/null
before=$SECONDS
ends 9 "a request to a guest whose agent hangs" set "$other" cpu=2 mem=1792M --no-wait
ends 0 "another is resized meanwhile" set "$alpha" cpu=1 mem=512M
result $((SECONDS - before > 20)) "... at once" "it took $((SECONDS - before)) s"
check "the other ends, too" wait_for 60 op_ended "$other"
result $((SECONDS - before > 60)) "... in time" "it took $((SECONDS - before)) s"
said=$(lparctl op list --all --partition "$other" -o json | jq '.operations[0]')
is "$(jq -r '"\(.state) \(.confirm)"' <<<"$said")" "done device" "by the device's word"
says "device's word is taken" "... which a remark says"
guest "$other" 'killall -CONT qemu-ga' >/dev/null
check "it answers again" wait_for 60 eval 'vsh qemu-agent-command "$other" \
    "{\"execute\": \"guest-ping\"}" --timeout 3 >/dev/null 2>&1'
ends 0 "what was missed" reconcile "$other"
resized "$other" guest-agent "and goes on as before" cpu=1 mem=512M
other_has 1 512 "after it hung"

# --- it is forbidden to do it ---
guest "$other" 'echo "-b guest-set-vcpus" >/run/lab-qga.options; killall qemu-ga' >/dev/null
sleep 1
check "it is back" wait_for 60 eval 'vsh qemu-agent-command "$other" \
    "{\"execute\": \"guest-ping\"}" --timeout 3 >/dev/null 2>&1'
check "... and known to be" wait_for 20 agent_connected "$other" qemu-guest-agent
resized "$other" device "a processor more, forbidden" cpu=2
says "device's word is taken" "... and a remark says so"
resized "$other" guest-agent "memory all the same" mem=640M

guest_remove other
tests_end
