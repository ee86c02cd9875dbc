#!/bin/sh
# Least power, seen from outside: what the real lpard still may do, who may reach it and its files,
# and that none of the programs has a shell in it.  TAP.
set -u

test_name=power
. "${0%/*}/lpard-tap.sh"

skip() {                        # DESCRIPTION REASON
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

run() {                         # ARGUMENTS...: an lpard that is expected to end by itself
    timeout "$patience" "$lpard" --connect "sim:$host" --socket "$sock" --state "$dir/state" \
        --topology "$topology" "$@" >"$dir/out" 2>&1
}

start_lpard() {                 # LINES of [lpard]
    printf '[lpard]\n%s\n' "$1" >"$dir/lpard.conf"
    "$lpard" --connect "sim:$host" --socket "$sock" --state "$dir/state" \
        --config "$dir/lpard.conf" --topology "$topology" \
        >"$dir/log" 2>&1 &
    lpard_answers ctl version
}

end_lpard() {                   # SIGNAL
    kill "-$1" "$pid"
    wait "$pid" 2>/dev/null
    pid=
}

# status KEY: of the daemon, by the kernel's word.
status() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"
}

is() {                          # GOT WANTED DESCRIPTION
    echo "got '$1', wanted '$2'" >"$dir/out"
    [ "$1" = "$2" ]
    result $? "$3"
}

echo '{"seed": 1, "cgroup": "v2", "domains": [{"name": "p0", "vcpus": 2, "vcpus_max": 4, "cells": [
  {"base_bytes": 1073741824, "device_bytes": 1073741824, "requested_bytes": 0}]}]}' >"$host"

# --- no shell, anywhere -----------------------------------------------------------------------
# A program's own calls, and those of a library that is linked into it.
calls() {
    nm "$1" 2>/dev/null | awk '$(NF - 1) ~ /^[UTtWw]$/ { sub(/@.*/, "", $NF); print $NF }'
}
shells='system|popen|wordexp|posix_spawnp?|g_spawn_.*|g_subprocess_.*|g_app_info_launch.*'
for program in lpard/lpard lparctl lpar-agent lpar-agent-classes lpar-sim; do
    if [ ! -e "$build/$program" ]; then
        skip "$program runs no shell" "it is not built here"
        continue
    fi
    calls "$build/$program" >"$dir/calls"
    grep -c . "$dir/calls" >"$dir/out"
    grep -xE "(__libc_)?($shells)" "$dir/calls" >"$dir/out" || [ ! -s "$dir/calls" ]
    [ $? != 0 ]
    result $? "$program calls nothing that runs a shell"
    strings=$(tr -c '[:print:]' '\n' <"$build/$program" | grep -cE '/bin/(ba|da)?sh([^[:alnum:]]|$)')
    is "$strings" 0 "$program names no shell"
done
# Only the agent runs programs: its hooks.
for program in lpard/lpard lparctl lpar-sim; do
    calls "$build/$program" >"$dir/calls"
    grep -xE 'v?fork|(f?exec(ve|vpe?|lpe?|le?|veat)?)|clone' "$dir/calls" >"$dir/out"
    [ $? = 1 ]
    result $? "$program runs no program at all"
done

# --- what is in force ----------------------------------------------------------------------------
start_lpard ""
ctl host >"$dir/out" 2>&1
if ctl -o json host | grep -q 'has a sanitizer'; then
    says "sandbox: off: this build has a sanitizer" "a build with a sanitizer says why it has none"
else
    says "sandbox: on" "lparctl host says that it is on"
    is "$(status Seccomp)" 2 "system calls are filtered"
    is "$(status NoNewPrivs)" 1 "no new privileges"
    if [ "$(id -u)" = 0 ]; then
        # CAP_DAC_OVERRIDE, CAP_SYS_PTRACE, CAP_SYS_NICE.
        few=$(printf '%016x' $((0x880002 & 0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status))))
        is "$(status CapEff)" "$few" "three capabilities are left"
        is "$(status CapPrm)" "$few" "and no others can be taken up"
    else
        is "$(status CapEff)" 0000000000000000 "a plain user's has no capabilities"
    fi
    filtered=$(cat "/proc/$pid/task/"*/status | grep -c '^Seccomp:[[:space:]]*2')
    is "$filtered" "$(ls "/proc/$pid/task" | wc -l)" "it holds for every thread"
fi
ctl -o json host | grep -q '"reason"'
result $? "the API tells it"

# --- who may reach it ----------------------------------------------------------------------------
is "$(stat -c %a "$sock")" 666 "without a group everybody may connect, and roles decide"
ctl enable p0 --cpu 1:2:4 --mem 1G:1G:2G --cells 1 >/dev/null 2>&1
ctl set p0 mem=2G >"$dir/out" 2>&1
result $? "a resize"
find "$dir/state" \( -type f ! -perm 600 -o -type d ! -perm 700 \) -exec ls -ld {} + >"$dir/out"
[ ! -s "$dir/out" ] && [ -s "$dir/state/journal.db" ]
result $? "all that lpard writes is its own to read"

# --- one lpard to a hypervisor ---------------------------------------------------------------------
first=$pid
timeout "$patience" "$lpard" --connect "sim:$host" --socket "$dir/two.sock" --state "$dir/state2" \
    --topology "core:8 pu:1" >"$dir/out" 2>&1
is_refused=$?
says "another lpard (pid $first) works on sim:$host" "a second one is refused, and told of the first"
is "$is_refused" 1 "with exit status 1"
[ ! -e "$dir/state2" ]
result $? "it has not touched its own state directory"
round=0
while [ $round -lt 5 ]; do
    end_lpard KILL
    start_lpard ""
    round=$((round + 1))
done
is "$round" 5 "after kill -9 the next one starts at once"
end_lpard TERM

# --- the other ways --------------------------------------------------------------------------------
start_lpard "sandbox = off"
ctl host >"$dir/out" 2>&1
says "sandbox: off" "it can be turned off, and lparctl host says so"
is "$(status Seccomp)" "$(sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status)" "then nothing is filtered"
end_lpard TERM

# A group of this user's that is not the first one, where there is any.
group=$(id -G | tr ' ' '\n' | sed -n 2p)
[ "$(id -u)" = 0 ] && group=$(awk -F: '$3 > 0 { print $1; exit }' /etc/group)
if [ -n "$group" ]; then
    start_lpard "socket-group = $group"
    is "$(stat -c %a "$sock")" 660 "with a group the socket is closed to others"
    is "$(stat -c "%G %g" "$sock" | tr ' ' '\n' | grep -cx "$group")" 1 "and is that group's"
    end_lpard TERM
else
    skip "with a group the socket is closed to others" "this user has one group only"
fi
printf '[lpard]\nsocket-group = no-such-group-here\n' >"$dir/lpard.conf"
run --config "$dir/lpard.conf"
says "socket-group = no-such-group-here: there is no such group" "an unknown group is refused"
[ ! -e "$sock" ]
result $? "and no socket is left behind"

chmod 0777 "$dir/state"
run
is $? 1 "a state directory that everybody may write to is refused"
run
says "chmod 0700 $dir/state" "with its cure"

echo "1..$n"
exit $failed
