#!/bin/sh
# lpar-agent.init: one agent runs, whatever has been done to its file, and however fast it is
# restarted.  In place of the agent is a copy of sleep.
set -u
srcdir=${srcdir:-.}
work=$(mktemp -d)
number=0 failed=0

# end: nothing of it is left running.
# shellcheck disable=SC2317 # by the trap
end() {
    "$work/init" stop
    for pid in $(agents); do
        kill "$pid"
    done
    rm -rf "$work"
}

# agents: the processes that run the program, replaced or not.
agents() {
    for exe in /proc/[0-9]*/exe; do
        case $(readlink "$exe" 2>/dev/null) in
        "$work"/lpar-agent*) exe=${exe#/proc/}; echo "${exe%/exe}" ;;
        esac
    done
}

# is DESCRIPTION WORD WORD: whether both are the same.
is() {
    number=$((number + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1: $2, not $3"
        failed=1
    fi
}

put_program() {
    rm -f "$work/lpar-agent"
    cp "$(command -v sleep)" "$work/lpar-agent"
}

put_program
sed -e "s|@sbindir@|$work|" -e "s|^pidfile=.*|pidfile=$work/pid|" -e "s|^log=.*|log=/dev/null|" \
    -e "s|\"\$daemon\" </dev/null|\"\$daemon\" 300 </dev/null|" \
    "$srcdir/data/lpar-agent.init.in" >"$work/init"
chmod +x "$work/init"
trap end EXIT

"$work/init" start
first=$(agents)
is "it runs" "$first" "$(cat "$work/pid")"
"$work/init" start
is "once" "$(agents)" "$first"

put_program
is "an agent whose file was replaced still runs" "$("$work/init" status)" \
    "lpar-agent runs (pid $first)"
"$work/init" restart
second=$(agents)
is "the new one alone runs after a restart" "$second" "$(cat "$work/pid")"

# It ended by itself, and before it was started again somebody else had it started.
echo 1 >"$work/pid"
kill "$second"
sleep 2
is "who has lost its place to another starts none" "$(agents)" ""
is "and leaves that one's number" "$(cat "$work/pid")" 1
rm -f "$work/pid"

"$work/init" start
kill "$(agents)"
sleep 2
is "an agent that ends is started again" "$(agents)" "$(cat "$work/pid")"
kill "$(agents)"
sleep 0.2
"$work/init" stop
sleep 2
is "but not if it is stopped meanwhile" "$(agents)" ""
"$work/init" start
"$work/init" stop
is "stop ends it" "$(agents)" ""
echo "1..$number"
exit $failed
