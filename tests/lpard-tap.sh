# For tests that run the real lpard and lparctl on a simulated host: TAP, a directory of their own
# that goes with them, and waiting.  Sourced; $test_name is part of the directory's name.
#
# They set: $host (the simulated host's file, theirs to write), $pid where they start an lpard, and
# may have a clean_more() for what else must go.
build=${LP_BUILD:-.}
lpard=$build/lpard/lpard
lparctl=$build/lparctl
dir=$(mktemp -d "/tmp/lpard-$test_name-XXXXXX") || exit 1
host=$dir/host.json
sock=$dir/lpard.sock
topology='numa:1(memory=17179869184) core:8 pu:1'
n=0
failed=0
pid=
# Only a hang reaches these.
patience=60
tries_most=1200

clean_more() { :; }

clean_up() {
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
    clean_more
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# result STATUS DESCRIPTION: with what was last said, and by lpard, if it is not well.
result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        failed=1
        sed 's/^/# /' "$dir/out" 2>/dev/null | head -n 20
        sed 's/^/# lpard: /' "$dir/log" 2>/dev/null | tail -n 5
    fi
}

# expect STATUS DESCRIPTION COMMAND...: the exit status; what it says stays in $dir/out.
expect() {
    want=$1
    what=$2
    shift 2
    "$@" >"$dir/out" 2>&1
    got=$?
    [ "$got" = "$want" ] || echo "exit status $got, not $want: $*" >>"$dir/out"
    [ "$got" = "$want" ]
    result $? "$what"
}

# says TEXT DESCRIPTION: what was last said, in one of its lines.
says() {
    grep -q -e "$1" "$dir/out"
    result $? "$2"
}

# wait_until COMMAND...
wait_until() {
    tries=0
    until "$@" >"$dir/out" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt "$tries_most" ] || return 1
        sleep 0.05
    done
}

# until_is DESCRIPTION COMMAND...
until_is() {
    what=$1
    shift
    wait_until "$@"
    result $? "$what"
}

ctl() {
    timeout "$patience" "$lparctl" --socket "$sock" "$@"
}

# lpard_answers COMMAND...: the lpard that was just started; COMMAND tells.
lpard_answers() {
    pid=$!
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt "$tries_most" ] && kill -0 "$pid" 2>/dev/null || {
            echo "Bail out! lpard does not answer: $(tail -n 3 "$dir/log" | tr '\n' ' ')"
            exit 1
        }
        sleep 0.02
    done
}

# It has read the simulated host, whose first domain is p0.
knows_p0() {
    ctl list --all | grep -q '^p0'
}

kill_lpard() {
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    pid=
}

# tell NAME JSON: to a domain (hotplug/sim.h); whole, or not at all.
tell() {
    mkdir -p "$host.faults"
    printf '%s' "$2" >"$dir/mail" && mv "$dir/mail" "$host.faults/$1.json"
}
