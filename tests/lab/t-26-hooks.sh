#!/bin/bash
# The guest's part in a resize: hooks in their order with real amounts, a veto that reaches the
# operator, hooks that misbehave in every way.
# budget: 240
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

# hook NAME TEXT...: puts a script in the guest's agent.d, its body from standard input.
hook() {
    guest "$alpha" "mkdir -p /etc/lpard/agent.d && cat >/etc/lpard/agent.d/$1 <<'END'
#!/bin/sh
$(cat)
END
chmod 755 /etc/lpard/agent.d/$1" >/dev/null
}

hook_gone() {
    guest "$alpha" "rm -f /etc/lpard/agent.d/$1" >/dev/null
}

hook_log() {
    guest "$alpha" 'cat /run/hooks.log; : >/run/hooks.log'
}

# --- a chain, in order, with real amounts ----------------------------------------------------
write='echo "${0##*/} $LPAR_PHASE $LPAR_ACTION $LPAR_RESOURCE $LPAR_FROM $LPAR_TO $LPAR_AMOUNT" \
    >>/run/hooks.log'
hook 20-second <<<"$write"
hook 3-first <<<"$write"
guest "$alpha" ': >/run/hooks.log' >/dev/null
ends 0 "memory grows with two hooks" set "$alpha" mem=1G
half=$((512 * MiB)) full=$((1024 * MiB))
wanted=$(for phase in check pre post; do
    for name in 3-first 20-second; do
        echo "$name $phase acquire mem $half $full $half"
    done
done)
check "post has run" wait_for 10 guest "$alpha" 'grep -q "20-second post" /run/hooks.log'
is "$(hook_log)" "$wanted" "check, pre and post, each in the order of the names"

ends 0 "processors and memory in one" set "$alpha" cpu=2 mem=768M
check "post has run" wait_for 10 guest "$alpha" 'grep -q "20-second post.*mem" /run/hooks.log'
is "$(hook_log | sort | uniq -c | awk '{ n += $1 } END { print n }')" 12 \
    "two resources, two hooks, three phases"

# What really went, when it is less than asked.
ends 0 "room to hold on to" set "$alpha" cpu=1 mem=1G
guest "$alpha" 'lab-pin 560' 60 >/dev/null
hook_log >/dev/null
ends 3 "a shrink that stops half way" set "$alpha" mem=512M --timeout 12
granted=$(field "$alpha" .mem.granted_bytes)
check "post has run" wait_for 10 guest "$alpha" 'grep -q "20-second post" /run/hooks.log'
is "$(hook_log | grep '3-first post')" \
    "3-first post release mem $full $granted $((full - granted))" "post is told what really went"
guest "$alpha" 'killall lab-pin'
ends 0 "the rest" set "$alpha" mem=512M
hook_gone '*'

# --- a veto ----------------------------------------------------------------------------------
hook 10-import <<'END'
test "$LPAR_PHASE$LPAR_ACTION" = checkrelease || exit 0
echo "looking at the jobs"
echo "an import is under way until 06:00"
exit 1
END
ends 0 "the hook has nothing against growing" set "$alpha" cpu=2 mem=768M
ends 5 "a veto has an exit status of its own" set "$alpha" mem=512M
says '10-import.*an import is under way until 06:00' "... and its reason is on the screen"
says '[-][-]force' "... with the way around it"
three_agree "$alpha" $((768 * MiB)) "after a veto nothing has changed"
id=$(lparctl op list --all --partition "$alpha" -o json | jq '.operations[0].id')
ends 0 "the operation, later" op show "$id"
says 'vetoed' "... says that it was vetoed"
says 'an import is under way' "... and why"
ends 0 "a dry run asks, too" set "$alpha" mem=512M --dry-run
says 'an import is under way' "... and tells"
ends 0 "the operator may insist" set "$alpha" mem=512M --force
says 'an import is under way' "... and is told all the same"
three_agree "$alpha" $((512 * MiB)) "after --force"
ends 0 "what leaves nothing to veto" set "$alpha" cpu=2 mem=512M
hook_gone 10-import

# A veto in pre: what it had prepared is undone, nothing is touched.
hook 10-ready <<'END'
echo "$LPAR_PHASE $LPAR_FROM $LPAR_TO" >>/run/hooks.log
END
hook 20-not <<'END'
test "$LPAR_PHASE" = pre || exit 0
echo "the cache cannot be emptied"
exit 9
END
guest "$alpha" ': >/run/hooks.log' >/dev/null
ends 5 "a veto in pre" set "$alpha" mem=640M
says '20-not.*the cache cannot be emptied' "... has its reason"
three_agree "$alpha" $((512 * MiB)) "nothing came"
check "the hooks before it are told" wait_for 10 guest "$alpha" 'grep -q post /run/hooks.log'
is "$(hook_log | tr '\n' ';')" \
    "check $half $((640 * MiB));pre $half $((640 * MiB));undo $half $((640 * MiB));post $half $half;" \
    "check, pre, undo, post"
hook_gone '*'

# --- hooks that misbehave --------------------------------------------------------------------
hook 10-hang <<'END'
test "$LPAR_PHASE" = check || exit 0
setsid sleep 1111 &
sleep 2222
END
started=$SECONDS
ends 5 "a hook that hangs has not said yes" set "$alpha" mem=640M
says '10-hang' "... and is named"
((SECONDS - started < 30))
result $? "... within its time" "$((SECONDS - started)) s"
is "$(guest "$alpha" 'pidof sleep')" "" "it is killed with all its children"
hook_gone 10-hang

hook 10-flood <<'END'
test "$LPAR_PHASE" = check || exit 0
exec dd if=/dev/zero bs=1M count=1024
END
ends 5 "a hook that prints a gigabyte" set "$alpha" mem=640M
says '10-flood' "... is named"
hook_gone 10-flood

hook 10-fork <<'END'
setsid sleep 3333 >/dev/null 2>&1 &
exit 0
END
ends 0 "a hook that forks away" set "$alpha" mem=640M
check "... leaves nothing behind" wait_for 20 eval '[[ -z $(guest "$alpha" "pidof sleep") ]]'
hook_gone 10-fork

hook 10-die <<'END'
test "$LPAR_PHASE" = check && kill -SEGV $$
exit 0
END
ends 5 "a hook that dies of a signal" set "$alpha" mem=768M
says '10-die.*signal' "... is named"
hook_gone 10-die

hook 10-plain <<<'exit 1'
guest "$alpha" 'chmod 644 /etc/lpard/agent.d/10-plain; ln -s /nowhere /etc/lpard/agent.d/20-gone
    mkdir /etc/lpard/agent.d/30-dir; printf "#!/no/such/shell\n" >/etc/lpard/agent.d/40-lost
    chmod 755 /etc/lpard/agent.d/40-lost' >/dev/null
ends 0 "hooks that cannot be run are left out" set "$alpha" mem=768M
check "... and the log says so" guest "$alpha" \
    'grep -q 10-plain /run/lpar-agent.log && grep -q 40-lost /run/lpar-agent.log'
guest "$alpha" 'rm -rf /etc/lpard/agent.d' >/dev/null

# The agent dies between pre and post: the operation ends all the same.
hook 10-slow <<'END'
test "$LPAR_PHASE" = pre && killall -9 lpar-agent
exit 0
END
ends 0 "an agent that dies in pre does not hold a growth up" set "$alpha" mem=896M
hook_gone 10-slow
check "it is back" wait_for 60 agent_connected "$alpha"
ends 0 "as before" set "$alpha" cpu=1 mem=512M
three_agree "$alpha" $((512 * MiB)) "at the end"
tests_end
