#!/bin/bash
# The guest asks: within its profile's bounds it is given; its programs take part in resizes.
# budget: 120
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

# asks STATUS TEXT ARGUMENTS...: lpar-agent request in the guest; its output stays in $said.
asks() {
    local wanted=$1 text=$2 status
    shift 2
    said=$(guest "$alpha" "lpar-agent request $*" 60)
    status=$?
    ((status == wanted))
    result $? "$text" "lpar-agent request $* ended with $status, not $wanted
$said"
    # lpard takes one from a guest in five seconds.
    sleep 5.2
}

asks 0 "a guest asks for 256 MiB" mem=+256M --why "'nightly import'"
guest_has "$alpha" 1 768 "it has them"
id=$(lparctl op list --all --partition "$alpha" -o json | jq '.operations[0].id')
ends 0 "who asked is on record" op show "$id"
says 'nightly import' "... with the reason"
says 'guest' "... and that it was the guest"
asks 4 "more than its maximum is refused" mem=8G --why greed
says '2G|2 GiB|maximum' "... naming the bound"
guest_has "$alpha" 1 768 "nothing has changed"
lparctl hold "$alpha" >/dev/null
asks 4 "a partition on hold gets nothing by itself" mem=+128M --why hold
says 'hold' "... and is told why"
lparctl hold "$alpha" --release >/dev/null
asks 2 "nonsense is a usage error" mem=lots
asks 0 "it gives back" mem=512M --why done
guest_has "$alpha" 1 512 "it has given back"

# A program that watches.
guest "$alpha" '(lpar-agent watch >/run/watched 2>&1 &)' >/dev/null
ends 0 "a resize while a program watches" set "$alpha" mem=640M
check "it saw every phase" wait_for 10 guest "$alpha" \
    'grep -q check /run/watched && grep -q pre /run/watched && grep -q post /run/watched'
guest "$alpha" 'pkill -f "agent watch"' >/dev/null

ends 0 "status, in the guest" list
said=$(guest "$alpha" 'lpar-agent status')
says 'tcg|kvm' "lpar-agent status says where it runs"
says 'virtio-mem' "... and what it can do"
ends 0 "and the same from the host" show "$alpha" --guest
says 'tcg|kvm' "... the hypervisor"
says 'virtio-mem' "... and the features"
ends 0 "at the start again" set "$alpha" mem=512M
tests_end
