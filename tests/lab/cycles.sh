# Random grow and shrink cycles under a load that checks its memory.  Sourced by t-27-cycles.sh
# and tests/bench/cycles.
#
# The load (lab-stress) holds LOAD_MIB all the time and, now and then, a burst more; it writes a
# pattern and reads it back.  Targets go from the least the guest may have, with which load and
# burst do not fit, to its maximum.  A burst is less than what Linux guests keep free for themselves
# at any size: one that is larger than that would be killed however the size was chosen.

load_mib=330
burst_mib=100
cycle_least_mib=512
cycle_most_mib=2048
cycle_step_mib=64

cycles_begin() {
    local name=$1
    guest "$name" "rm -f /run/lab-stress.count; (lab-stress $load_mib 0 >/run/stress 2>&1 &)
        (while :; do sleep 3; lab-stress $burst_mib 1 >>/run/burst 2>&1; done) >/dev/null 2>&1 &
        echo \$! >/run/bursts" >/dev/null
    wait_for 60 guest "$name" 'test -s /run/lab-stress.count'
}

cycles_end() {
    guest "$1" 'kill "$(cat /run/bursts)"; killall lab-stress
        while pidof lab-stress; do sleep 0.1; done' >/dev/null
}

# What the load lost, and who was killed: "OOM-KILLS LOST ALIVE".
cycles_harm() {
    guest "$1" 'echo "$(awk "\$1 == \"oom_kill\" { print \$2 }" /proc/vmstat)" \
        "$(cat /run/stress /run/burst 2>/dev/null | grep -c lost)" \
        "$(kill -0 "$(cat /run/bursts)" 2>/dev/null && pidof lab-stress | wc -w | sed "s/[1-9]/1/")"'
}

# Into the variable `target`: a subshell would have a RANDOM of its own, whatever the seed.
cycles_target() {
    target=$((cycle_least_mib + RANDOM % ((cycle_most_mib - cycle_least_mib) / cycle_step_mib + 1) \
        * cycle_step_mib))
}
