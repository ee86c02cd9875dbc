# The demonstration.  Sourced by ./lab; two guests are up.
# What lparctl prints is shown; what counts is what the guests say of themselves.

demo_failed=0

demo_step() {
    demo_number=$((${demo_number:-0} + 1))
    printf '\n=== %d. %s\n' "$demo_number" "$*"
}

# demo_run_command STATUS ARGUMENTS...: shows the command and what it says; STATUS is expected.
demo_lparctl() {
    local wanted=$1 status
    shift
    printf '$ lparctl %s\n' "$*"
    timeout 150 "$build_dir/lparctl" "$@" 2>&1 </dev/null
    status=$?
    ((status == wanted)) && return 0
    echo "!!! exit status $status, expected $wanted"
    demo_failed=$((demo_failed + 1))
}

# demo_guest NAME CPUS MIB: reads the guest's own /proc and /sys and compares.
demo_guest() {
    local cpus list bytes kib
    cpus=$(guest_cpus "$1")
    list=$(guest_cpu_list "$1")
    kib=$(guest_mem_kib "$1")
    bytes=$(guest_mem_bytes "$1")
    printf '    %s itself: %s online (cpu %s), MemTotal %s kB' "$1" "$cpus" "$list" "$kib"
    if [[ $cpus == "$2" && $bytes == $(($3 * 1048576)) ]]; then
        printf ' = %s processors and %s MiB, as asked\n' "$2" "$3"
    else
        printf '\n!!! %s: %s processors and %s bytes, expected %s and %s\n' "$1" "$cpus" "$bytes" \
            "$2" $(($3 * 1048576))
        demo_failed=$((demo_failed + 1))
    fi
}

demo_run() {
    local started=$SECONDS alpha=$prefix-alpha beta=$prefix-beta

    demo_step "The host, and two running Linux guests"
    demo_lparctl 0 host
    demo_lparctl 0 list
    demo_guest "$alpha" 1 512
    demo_guest "$beta" 1 512
    echo "    (MemTotal is less by what a kernel keeps to itself at boot; that much is added to it.)"

    demo_step "$alpha gets three more processors, then gives two back"
    demo_lparctl 0 set "$alpha" cpu=4
    demo_guest "$alpha" 4 512
    demo_lparctl 0 set "$alpha" cpu=2
    demo_guest "$alpha" 2 512

    demo_step "A dry run: the plan, and nothing else"
    demo_lparctl 0 set "$alpha" cpu=3 mem=1G --dry-run
    demo_guest "$alpha" 2 512

    demo_step "Its memory grows, and shrinks"
    demo_lparctl 0 set "$alpha" mem=1536M
    demo_guest "$alpha" 2 1536
    demo_lparctl 0 remove "$alpha" mem=512M
    demo_guest "$alpha" 2 1024

    demo_step "A processor and 256 MiB move from $alpha to $beta"
    demo_lparctl 0 move cpu=1 mem=256M --from "$alpha" --to "$beta"
    demo_guest "$alpha" 1 768
    demo_guest "$beta" 2 768

    demo_step "A program of $beta is bound to a processor: the guest says so, and gives another"
    demo_lparctl 0 set "$beta" cpu=3
    printf '    %s itself: process %s is now bound to cpu 2\n' "$beta" "$(guest "$beta" 'lab-bind 2')"
    demo_lparctl 0 set "$beta" cpu=2
    demo_guest "$beta" 2 768
    demo_lparctl 5 set "$beta" cpu=1
    guest "$beta" 'killall lab-bind' >/dev/null

    demo_step "A hook in $alpha refuses to give memory; the operator may insist"
    demo_hook "$alpha"
    demo_lparctl 5 remove "$alpha" mem=256M
    demo_guest "$alpha" 1 768
    demo_lparctl 0 remove "$alpha" mem=256M --force
    demo_guest "$alpha" 1 512
    guest "$alpha" 'rm -r /etc/lpard/agent.d' >/dev/null

    demo_step "$alpha asks for memory itself, within its bounds"
    demo_request 0 "$alpha" mem=+256M --why "'nightly import'"
    demo_guest "$alpha" 1 768

    demo_step "Half a processor for $beta, and never more"
    if ((EUID == 0)); then
        demo_lparctl 0 capacity "$beta" entitled=0.50 weight=200 capped
        demo_quota "$beta"
    else
        demo_lparctl 4 capacity "$beta" entitled=0.50 weight=200 capped
        echo "    refused: a plain user's session has no cgroups to enforce it with"
    fi

    demo_step "More than its maximum is refused, and nothing changes"
    demo_lparctl 4 set "$alpha" mem=4G
    demo_guest "$alpha" 1 768

    demo_step "A program of $alpha needs more: autoscaling gives it, and says why"
    demo_lparctl 0 autoscale "$alpha" --goal latency --release-after 10s \
        --schedule 'daily 00:00-24:00 max cpu=1'
    demo_load "$alpha"
    demo_grows "$alpha" 768
    demo_lparctl 0 policy explain "$alpha"
    guest "$alpha" 'killall lab-stress' >/dev/null
    demo_lparctl 0 policy log "$alpha" --limit 3
    demo_lparctl 0 autoscale "$alpha" --mode off --no-schedules

    demo_step "How it stands"
    demo_lparctl 0 list
    demo_lparctl 0 show "$beta"
    demo_lparctl 0 show "$beta" --guest

    echo
    if ((demo_failed)); then
        echo "$demo_failed of the steps did not go as they should; logs are in $log_dir"
        return 1
    fi
    echo "All as asked, by the guests' own word, in $((SECONDS - started)) s."
}

# A program that keeps busy all but 40 MiB of what its guest has available.
demo_load() {
    local mib
    mib=$(guest "$1" 'mib=$(($(sed -n "s/MemAvailable: *\([0-9]*\) kB/\1/p" /proc/meminfo) / 1024 - 40))
        echo "$mib"; (lab-stress "$mib" 0 >/dev/null 2>&1 &)')
    echo "    $1 itself: a program is filling $mib MiB"
}

# demo_grows NAME MIB: nobody asks for it.
demo_grows() {
    local started=$EPOCHREALTIME mib=$2 deadline=$((SECONDS + 25))
    until ((mib > $2 || SECONDS >= deadline)); do
        sleep 0.5
        mib=$(($(guest_mem_bytes "$1") / 1048576))
    done
    printf '    %s itself: %s MiB after %.1f s\n' "$1" "$mib" \
        "$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')"
    ((mib > $2)) && return
    echo "!!! it did not grow"
    demo_failed=$((demo_failed + 1))
}

# A hook as an administrator would write it.
demo_hook() {
    guest "$1" 'mkdir -p /etc/lpard/agent.d
        printf "%s\n" "#!/bin/sh" \
            "test \$LPAR_PHASE\$LPAR_ACTION\$LPAR_RESOURCE = checkreleasemem || exit 0" \
            "echo an import is under way until 06:00; exit 1" >/etc/lpard/agent.d/10-import
        chmod 755 /etc/lpard/agent.d/10-import' >/dev/null
    echo "    $1 itself: /etc/lpard/agent.d/10-import is there now"
}

# demo_request STATUS NAME ARGUMENTS...: lpar-agent request, in the guest.
demo_request() {
    local wanted=$1 name=$2 status
    shift 2
    printf '%s# lpar-agent request %s\n' "$name" "$*"
    guest "$name" "lpar-agent request $*" 60
    status=$?
    ((status == wanted)) && return 0
    echo "!!! exit status $status, expected $wanted"
    demo_failed=$((demo_failed + 1))
}

# The kernel's word on a cap: the quota of the partition's own cgroup.
demo_quota() {
    local file
    file=$(cgroup_file "$1" cpu.max cpu.cfs_quota_us) || {
        echo "!!! $1 has no CPU cgroup"
        demo_failed=$((demo_failed + 1))
        return
    }
    printf '    %s: %s\n' "$file" "$(cat "$file")"
    if (($(cut -d ' ' -f 1 "$file") <= 0)); then
        echo "!!! that is no cap"
        demo_failed=$((demo_failed + 1))
    fi
}
