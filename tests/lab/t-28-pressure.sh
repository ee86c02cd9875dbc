#!/bin/bash
# A shrink that would hurt: refused with the blocker's name, or stopped in the middle and given
# back in part; never an OOM kill.
# budget: 240
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

oom_kills() {
    guest "$alpha" "awk '\$1 == \"oom_kill\" { print \$2 }' /proc/vmstat"
}
killed=$(oom_kills)

# --- processors that something is bound to ---------------------------------------------------
ends 0 "three processors" set "$alpha" cpu=3
bound=$(guest "$alpha" 'lab-bind 2')
ends 0 "one leaves that nothing is bound to" set "$alpha" cpu=2
is "$(guest_cpu_list "$alpha")" 0,2 "it is not the one with a bound process"
ends 5 "no other can leave" set "$alpha" cpu=1
says "pid $bound lab-bind is bound to cpu 2" "the blocker is named"
is "$(guest_cpu_list "$alpha")" 0,2 "nothing has changed"
guest "$alpha" "kill $bound; while kill -0 $bound; do sleep 0.1; done" >/dev/null
ends 0 "when it has ended, the processor leaves" set "$alpha" cpu=1
is "$(guest_cpu_list "$alpha")" 0 "one is left"

# --- memory that is in use -------------------------------------------------------------------
ends 0 "a big guest" set "$alpha" mem=1536M
guest "$alpha" 'rm -f /run/lab-stress.count; (lab-stress 700 0 >/run/stress 2>&1 &)' >/dev/null
check "a program fills 700 MiB" wait_for 60 guest "$alpha" 'test -s /run/lab-stress.count'
ends 5 "a shrink below what is in use is refused" set "$alpha" mem=640M
says 'in use' "... with the reason"
says 'lab-stress' "... and who holds it"
three_agree "$alpha" $((1536 * MiB)) "nothing has changed"
ends 0 "a shrink that leaves enough is not" set "$alpha" mem=1280M
three_agree "$alpha" $((1280 * MiB)) "256 MiB have left"

# Who insists gets what can be had: the guest stops it when it hurts.  A block of each cell may be
# on its way at once, so there must be room for some to leave.
ends 0 "a bigger guest" set "$alpha" mem=1792M
ends 3 "insisting ends where it hurts" set "$alpha" mem=512M --force --timeout 60
says 'pressure' "... and says so"
id=$(lparctl op list --all --partition "$alpha" -o json | jq '.operations[0].id')
is "$(lparctl op show "$id" -o json | jq -r '.state + " " + .code')" "partial guest-pressure" \
    "its state"
granted=$(field "$alpha" .mem.granted_bytes)
((granted < 1792 * MiB && granted > 700 * MiB))
result $? "something left, enough stayed" "$granted"
check "the devices come to rest" wait_for 10 \
    eval '[[ $(libvirt_bytes "$alpha") == "$granted" ]]'
three_agree "$alpha" "$granted" "after it was given back"
is "$(oom_kills)" "$killed" "nobody was killed"
is "$(guest "$alpha" 'pidof lab-stress | wc -w')" 1 "the program goes on"
is "$(guest "$alpha" 'cat /run/stress')" "" "and has lost nothing"
guest "$alpha" 'killall lab-stress; while pidof lab-stress; do sleep 0.1; done' >/dev/null

# Pressure that begins in the middle, when everything looked well.
ends 0 "a big guest again" set "$alpha" mem=1536M
guest "$alpha" 'mkdir -p /etc/lpard/agent.d; cat >/etc/lpard/agent.d/10-go <<"END"
#!/bin/sh
test "$LPAR_PHASE$LPAR_ACTION" = prerelease && touch /run/go
exit 0
END
chmod 755 /etc/lpard/agent.d/10-go; rm -f /run/go /run/lab-stress.count
(while ! test -e /run/go; do sleep 0.05; done; exec lab-stress 900 0 >/run/stress 2>&1) \
    >/dev/null 2>&1 &' >/dev/null
said=$(timeout 150 "$build_dir/lparctl" set "$alpha" mem=512M --timeout 60 2>&1 </dev/null)
status=$?
# It is stopped as soon as the rest could not leave any more: in the middle, or before anything has.
((status == 3 || status == 5))
result $? "a program that grows while memory leaves stops it" "ended with $status
$said"
says 'under pressure' "... and it is said why"
is "$(oom_kills)" "$killed" "nobody was killed"
is "$(guest "$alpha" 'pidof lab-stress | wc -w; cat /run/stress')" 1 "the program goes on"
granted=$(field "$alpha" .mem.granted_bytes)
check "the devices come to rest" wait_for 10 \
    eval '[[ $(libvirt_bytes "$alpha") == "$granted" ]]'
three_agree "$alpha" "$granted" "after it"
guest "$alpha" 'killall lab-stress; while pidof lab-stress; do sleep 0.1; done
    rm -rf /etc/lpard/agent.d' >/dev/null
ends 0 "all well again" set "$alpha" cpu=1 mem=512M
three_agree "$alpha" $((512 * MiB)) "at the end"
tests_end
