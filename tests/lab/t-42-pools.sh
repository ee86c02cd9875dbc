#!/bin/bash
# Shared processor pools: a control group in the kernel, whose members are held together, and whose
# size changes while they run.
# budget: 180
. "$(dirname "$0")/lib.sh"

pool=lab_${prefix//[^a-zA-Z0-9]/_}
pool=${pool:0:24}

# pool_file V2FILE V1FILE: the path of that file in the pool's group.
pool_file() {
    local dir
    dir=$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpu(,|$)/ { print $2; exit }' /proc/mounts)
    if [[ $dir ]]; then
        echo "$dir/machine/$pool.partition/$2"
        return
    fi
    dir=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    if [[ -d /run/systemd/system ]]; then
        echo "$dir/machine.slice/machine-$pool.slice/$1"
    else
        echo "$dir/machine/$pool.partition/$1"
    fi
}

# centi_of FILE: the limit there in hundredths of a processor, or "none".
centi_of() {
    local quota period
    read -r quota period <"$1" || { echo 'no group'; return; }
    [[ $period ]] || read -r period <"${1%/*}/cpu.cfs_period_us"
    if [[ $quota == max ]] || ((quota < 0)); then
        echo none
    else
        echo $((quota * 100 / period))
    fi
}

pool_centi() {
    centi_of "$(pool_file cpu.max cpu.cfs_quota_us)" 2>/dev/null
}

member_centi() {
    centi_of "$(cgroup_file "$1" cpu.max cpu.cfs_quota_us)"
}

# Whether the machine of a partition runs under the pool's group.
runs_in_pool() {
    grep -qE "$pool[.](partition|slice)/" "/proc/$(qemu_pid "$1")/cgroup"
}

again() {
    timeout 20 "$build_dir/lparctl" show "$1" >/dev/null
    vsh destroy "$1" >/dev/null
    ends 0 "${1#"$prefix"-} starts anew" start "$1"
    guest_ready "${1#"$prefix"-}" lpar
}

machine_centi() {
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 100 / hz) }' \
        "/proc/$(qemu_pid "$1")/stat"
}

if ((EUID != 0)); then
    ends 4 "refused where there are no cgroups" pool define "$pool" max=1
    says 'no control groups' "... for that reason"
    ends 0 "the list says so too" pool list
    says 'cannot be used here' "... in words"
    skip "pools are in the kernel" "a plain user's session has no cgroups"
    tests_end
fi
at_start "$alpha"

ends 0 "a pool" pool define "$pool" max=1.50 reserved=0.10
is "$(pool_centi)" 150 "the kernel has its maximum"
ends 1 "a second of that name" pool define "$pool" max=1
ends 4 "more than the host has" pool set "$pool" max=900
ends 2 "more reserved than it may use" pool set "$pool" reserved=1.60
ends 2 "a name that no group could have" pool define a-b max=1
ends 1 "no such pool" pool set "${pool}x" max=1
ends 1 "no such pool to join" pool join "$alpha" "${pool}x"
is "$(pool_centi)" 150 "refusals change nothing"

ends 0 "a running partition joins" pool join "$alpha" "$pool"
says 'from its next start on' "... from its next start on, and that is said"
is "$(vsh dumpxml --inactive "$alpha" | grep -c "<partition>/machine/$pool</partition>")" 1 \
    "the definition says so"
! runs_in_pool "$alpha"
result $? "it does not run in the pool yet"
ends 1 "a pool with a member is not removed" pool remove "$pool"
again "$alpha"
runs_in_pool "$alpha"
result $? "it runs in the pool"
ends 0 "the list" pool list
says "^$pool: $alpha\$" "... has it as a member"
ends 0 "an entitlement" capacity "$alpha" entitled=0.30 uncapped
weight() {
    cat "$(pool_file cpu.weight cpu.shares)"
}
member_weight() {
    cat "$(cgroup_file "$alpha" cpu.weight cpu.shares)"
}
weighs() {
    # 0.30 of the member and 0.10 reserved to 0.30.
    (($(weight) * 3 >= $(member_weight) * 4 - 6 && $(weight) * 3 <= $(member_weight) * 4 + 6))
}
check "its weight is its members' entitlements and what is reserved" wait_for 10 weighs

# One vCPU taken offline: the machine is held to the other, and 10 % for QEMU itself.
ends 0 "two vCPUs" set "$alpha" cpu=2
ends 0 "and one again" set "$alpha" cpu=1
held=$(member_centi "$alpha")
if [[ $held == none ]]; then
    skip "a member's hold follows the pool's size" "the vCPU was unplugged: nothing is held"
else
    is "$held" 110 "the member is held to its one vCPU"
    ends 0 "the pool shrinks below its member's hold" pool set "$pool" max=0.80
    is "$(pool_centi) $(member_centi "$alpha")" "80 80" "both are held to the new size"
    ends 0 "and grows" pool set "$pool" max=1.50
    is "$(pool_centi) $(member_centi "$alpha")" "150 110" "the member has its own hold back"
fi
ends 4 "a pool below what its members are entitled to" pool set "$pool" max=0.35

ends 0 "half a processor for all in it" pool set "$pool" max=0.50
guest "$alpha" 'timeout 8 sh -c "while :; do :; done" >/dev/null 2>&1 &'
sleep 1
before=$(machine_centi "$alpha")
start=$(date +%s%N)
sleep 5
used=$(($(machine_centi "$alpha") - before))
span=$((($(date +%s%N) - start) / 10000000))
((used * 100 <= span * 60 && used * 100 >= span * 25))
result $? "a busy member stays under the pool's maximum" \
    "used $used of $span hundredths of a second"

# The next start must not fail for a quota above the pool's.
ends 0 "a cap above the pool's maximum" pool set "$pool" max=0.90
ends 0 "capped" capacity "$alpha" entitled=0.75 capped
ends 0 "the pool's size stays within it" pool set "$pool" max=0.85
is "$(member_centi "$alpha")" 85 "the member's quota and QEMU's own allowance fit the pool"
again "$alpha"
runs_in_pool "$alpha"
result $? "it starts in the pool again"
ends 0 "uncapped" capacity "$alpha" entitled=0.20 uncapped

lpard_stop KILL
lpard_start
check "the agent finds the new lpard" wait_for 30 agent_connected "$alpha"
ends 0 "a new lpard" pool list
says "^$pool +0.85 +0.1" "... knows the pool"
is "$(pool_centi)" 85 "... and it has its size"

ends 0 "it leaves" pool leave "$alpha"
says 'in no pool from its next start on' "... from its next start on"
ends 1 "the pool is still run in" pool remove "$pool"
again "$alpha"
! runs_in_pool "$alpha"
result $? "it runs outside"
ends 0 "the empty pool is removed" pool remove "$pool"
[[ ! -e $(pool_file cpu.max cpu.cfs_quota_us) ]]
result $? "and its group"
ends 1 "it is gone" pool remove "$pool"
tests_end
