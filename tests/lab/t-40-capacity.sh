#!/bin/bash
# Processing units: what lpard sets is read back from the kernel's cgroups, and felt by a guest.
# budget: 120
. "$(dirname "$0")/lib.sh"

# CPU time that a machine used, in hundredths of a second.
machine_centi() {
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 100 / hz) }' \
        "/proc/$(qemu_pid "$1")/stat"
}

# quota_centi NAME: the machine's cap in hundredths of a processor, or "none".
quota_centi() {
    local file quota period
    file=$(cgroup_file "$1" cpu.max cpu.cfs_quota_us) || { echo 'no cgroup'; return; }
    read -r quota period <"$file"
    [[ $period ]] || read -r period <"${file%/*}/cpu.cfs_period_us"
    if [[ $quota == max ]] || ((quota < 0)); then
        echo none
    else
        echo $((quota * 100 / period))
    fi
}

shares() {
    cat "$(cgroup_file "$1" cpu.weight cpu.shares)"
}

if ((EUID != 0)); then
    ends 4 "refused where there are no cgroups" capacity "$alpha" entitled=0.50 capped
    says 'cgroup|control group' "... for that reason"
    skip "the cap is in the kernel" "a plain user's session has no cgroups"
    tests_end
fi
at_start "$alpha" "$beta"

ends 0 "half a processor, capped" capacity "$alpha" entitled=0.50 weight=200 capped
is "$(field "$alpha" .capacity.entitled_centi)" 50 "entitled as asked"
is "$(field "$alpha" .capacity.capped)" true "capped as asked"
is "$(field "$alpha" .capacity.weight)" 200 "weight as asked"
quota=$(quota_centi "$alpha")
is "$quota" "$(field "$alpha" .capacity.quota_centi)" "the kernel has the quota that lpard shows"
[[ $quota == [0-9]* ]] && ((quota >= 50 && quota <= 80))
result $? "the cap is the entitlement and QEMU's own allowance" "quota $quota"
ends 0 "twice the entitlement for the other" capacity "$beta" entitled=1.00
first=$(shares "$alpha")
second=$(shares "$beta")
((second == 2 * first))
result $? "has twice the weight in the kernel" "$first and $second"

# A loop in the guest: the machine must not use more than its cap, whatever the guest wants.
guest "$alpha" 'timeout 8 sh -c "while :; do :; done" >/dev/null 2>&1 &'
before=$(machine_centi "$alpha")
start=$(date +%s%N)
guest "$alpha" 'sleep 5' >/dev/null
used=$(($(machine_centi "$alpha") - before))
span=$((($(date +%s%N) - start) / 10000000))
((used * 100 <= span * (quota + 10)))
result $? "a busy guest stays under its cap" \
    "used $used of $span hundredths of a second, the quota is $quota"

ends 0 "uncapped" capacity "$alpha" entitled=0.20 weight=128 uncapped
is "$(field "$alpha" .capacity.capped)" false "uncapped as asked"
quota=$(quota_centi "$alpha")
[[ $quota == none ]] || ((quota >= 100))
result $? "no cap below its one vCPU is left in the kernel" "quota $quota"

ends 4 "below a twentieth of a processor for its vCPU" capacity "$alpha" entitled=0.01
ends 4 "above its granted vCPU" capacity "$alpha" entitled=1.50
ends 4 "above all processors" capacity "$beta" entitled=900
ends 2 "no number" capacity "$alpha" entitled=much
ends 2 "weight beyond 255" capacity "$alpha" weight=256
is "$(field "$alpha" .capacity.entitled_centi)" 20 "refusals change nothing"
ends 0 "back" capacity "$beta" entitled=0.20
tests_end
