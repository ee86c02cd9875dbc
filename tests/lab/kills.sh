#!/bin/bash
# lpard killed (kill -9) at random moments of operations on real guests.  $kills: how often (5);
# $kills_seed: of all that is by chance.  Judged by libvirt, by the guests and by what is on record.
# budget: 1200
. "$(dirname "$0")/lib.sh"
kills=${kills:-5}
kills_seed=${kills_seed:-$RANDOM}
RANDOM=$kills_seed
say "seed $kills_seed (kills_seed=)"
at_start "$alpha" "$beta"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cycle_msec=2500
lost=0

# Sends it and forgets it; what it was answered stays in a file of its own.
sent=0
senders=()
send() {
    sent=$((sent + 1))
    timeout 60 "$build_dir/lparctl" -o json "$@" --no-wait >"$tmp/said-$sent" 2>/dev/null </dev/null &
    senders+=($!)
}

operations() {
    lparctl -o json op list --all 2>/dev/null
}

newest() {
    operations | jq '[.operations[].id] | max // 0'
}

open_ones() {
    lparctl -o json op list 2>/dev/null |
        jq '[.operations[] | select(.state | IN("queued", "checking", "running", "confirming"))] | length'
}

at_rest() {
    [[ $(open_ones) == 0 ]]
}

# What libvirt, lpard and the guest say of memory, and lpard and the guest of processors, is one.
agree() {
    local name bytes cpus
    for name in "$alpha" "$beta"; do
        bytes=$(libvirt_bytes "$name")
        [[ $(figures "$name") == "$bytes $bytes $bytes" ]] || return 1
        cpus=$(guest_cpus "$name")
        [[ $(field "$name" '"\(.cpu.granted) \(.cpu.usable)"') == "$cpus $cpus" ]] || return 1
    done
}

sum_bytes() {
    echo $(($(guest_mem_bytes "$alpha") + $(guest_mem_bytes "$beta")))
}

trouble() {
    lost=$((lost + 1))
    result 1 "round $round: $1" "${2-}
$(operations | jq -c --argjson since "$since" \
        '.operations[] | select(.id > $since) | {id, kind, state, message, legs: [.legs[] | {partition, target, now}]}')
$(lparctl list)"
}

# Memory goes from one to the other and back: none may come up, and none be left.
round_of_moves() {
    local from=$alpha to=$beta
    if (($(guest_mem_bytes "$alpha") < $(guest_mem_bytes "$beta"))); then
        from=$beta to=$alpha
    fi
    send move mem=$((128 * (1 + RANDOM % 3)))M --from "$from" --to "$to"
}

round_of_sets() {
    send set "$alpha" mem=$((768 + 128 * (RANDOM % 5)))M
    send set "$beta" mem=$((768 + 128 * (RANDOM % 5)))M cpu=$((1 + RANDOM % 2))
}

# judge KIND SUM: what the round came to.
judge() {
    local bad id file
    check_quietly wait_for 90 at_rest || { trouble "operations stay open"; return; }
    for file in "$tmp"/said-*; do
        id=$(jq '.id // empty' "$file" 2>/dev/null)
        [[ -z $id ]] || operations | jq -e --argjson id "$id" \
            '[.operations[] | select(.id == $id)] | length == 1' >/dev/null ||
            trouble "operation $id, which was taken on, is lost"
    done
    rm -f "$tmp"/said-*
    bad=$(operations | jq -r --argjson since "$since" '[.operations[] | select(.id > $since) |
        select(.state | IN("done", "partial", "refused") | not)] | length')
    [[ $bad == 0 ]] || trouble "operations that ended otherwise than done, partial or refused"
    check_quietly wait_for 60 agree || { trouble "libvirt, lpard and the guest do not agree"; return; }
    # What was given and not taken is lost, unless it is said.
    if [[ $1 == moves && $(sum_bytes) != "$2" ]] &&
        ! operations | jq -e --argjson since "$since" \
            'any(.operations[]; .id > $since and .state == "partial")' >/dev/null; then
        trouble "memory was lost or doubled" "$2 before, $(sum_bytes) now"
    fi
}

check_quietly() {
    "$@" >/dev/null 2>&1
}

lparctl set "$alpha" mem=1G >/dev/null 2>&1
lparctl set "$beta" mem=1G >/dev/null 2>&1
check "both begin with the same" wait_for 30 agree
for ((round = 1; round <= kills; round++)); do
    since=$(newest)
    before=$(sum_bytes)
    kind=sets
    ((round % 2)) && kind=moves
    "round_of_$kind"
    delay=$((RANDOM % (cycle_msec * 11 / 10)))
    sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
    lpard_stop KILL
    wait "${senders[@]}"
    senders=()
    lpard_start
    for name in "$alpha" "$beta"; do
        check_quietly wait_for 60 agent_connected "$name" || trouble "the agent of $name does not come back"
    done
    judge "$kind" "$before"
done
is "$lost" 0 "$kills times kill -9: every operation closed and told, all agree, nothing lost or doubled"
echo "# soak: lpard killed at random, real guests: $kills"
ends 0 "the next request works" set "$alpha" cpu=1 mem=512M
ends 0 "on the other, too" set "$beta" cpu=1 mem=512M
guest_has "$alpha" 1 512 "as at the start"
tests_end
