#!/bin/bash
# Workload classes: two of them compete while their partition is doubled, under cgroup v2 and v1;
# what each gets is measured in the guest, and follows classes.conf before and after.
# budget: 300
. "$(dirname "$0")/lib.sh"

# A class's share is measured over this long; 3 points of it are well above the scheduler's
# own coarseness.
span=6

# guest_file NAME PATH TEXT: writes a file in a guest.
guest_file() {
    guest "$1" "mkdir -p '${2%/*}' && echo $(base64 -w 0 <<<"$3") | base64 -d >'$2'"
}

# The minima and the 10 % for what is in no class leave 10 %, which go half and half: 65 % and
# 25 %, so that of what both use together gold has 72.2 %.
conf='[class gold]
cgroup = /gold
cpu-min = 60%
mem-min = 30%
mem-max = 50%
[class silver]
cgroup = /silver
cpu-min = 20%'

# A sum over 100 %, noticed at its line 6.
conf_over='[class gold]
cgroup = /gold
cpu-min = 60%
mem-min = 30%
mem-max = 50%
[class silver]
cgroup = /silver
cpu-min = 60%'

# cpu_dir v2|v1, mem_dir v2|v1: where a guest has its classes.
cpu_dir() { if [[ $1 == v1 ]]; then echo /sys/fs/cgroup/cpu,cpuacct; else echo /sys/fs/cgroup; fi; }
mem_dir() { if [[ $1 == v1 ]]; then echo /sys/fs/cgroup/memory; else echo /sys/fs/cgroup; fi; }

# compete NAME VERSION: in each class two busy loops for each vCPU there may be, so that each class
# can always run on every one.
compete() {
    # The console is in no class, and each command of the lab's is dozens of processes.
    guest "$1" 'renice -n -20 -p $(pidof lab-shell)' >/dev/null
    guest "$1" "for class in gold silver; do
        for n in 1 2 3 4; do
            sh -c 'echo \$\$ >$(cpu_dir "$2")/'\$class'/cgroup.procs; while :; do :; done' \\
                </dev/null >/dev/null 2>&1 &
        done
    done"
}

# usage NAME VERSION: CPU time of gold and silver since they exist, in microseconds.
usage_script() {
    if [[ $1 == v1 ]]; then
        echo 'usec() { echo $(($(cat /sys/fs/cgroup/cpu,cpuacct/$1/cpuacct.usage) / 1000)); }'
    else
        echo 'usec() { sed -n "s/^usage_usec //p" /sys/fs/cgroup/$1/cpu.stat; }'
    fi
}

# measure NAME VERSION: sets `gold_centi`, gold's part of what both used, in hundredths of a
# percent, and `used_centi`, the processors that both used together, in hundredths.
measure() {
    local figures gold silver usec
    figures=$(guest "$1" "$(usage_script "$2")
        read start rest </proc/uptime
        gold=\$(usec gold) silver=\$(usec silver)
        sleep $span
        gold=\$((\$(usec gold) - gold)) silver=\$((\$(usec silver) - silver))
        read end rest </proc/uptime
        echo \$gold \$silver \$start \$end" 60) || return 1
    read -r gold silver usec < <(awk '{ print $1, $2, int(($4 - $3) * 1000000) }' <<<"$figures")
    [[ $usec ]] && ((gold + silver > 0 && usec > 0)) || return 1
    gold_centi=$((gold * 10000 / (gold + silver)))
    used_centi=$(((gold + silver) * 100 / usec))
    say "gold $gold us, silver $silver us in $usec us: gold has $gold_centi hundredths of a percent"
}

# follows TEXT: within 3 points of the configured 65 to 25.
follows() {
    local wanted=$((65 * 10000 / 90))
    ((gold_centi >= wanted - 300 && gold_centi <= wanted + 300))
    result $? "$1" "gold has $gold_centi hundredths of a percent, wanted $wanted +- 300"
}

# gold_limits_are: compares gold's limits with the MemTotal of this moment, for limits_follow.
gold_limits_are() {
    local bytes
    kib=$(guest_mem_kib "$name")
    bytes=$((kib * 1024))
    # Whole pages, as the kernel has them.
    wanted="$(((bytes * 30 / 100) / 4096 * 4096)) $(((bytes * 50 / 100) / 4096 * 4096))"
    got=$(guest "$name" "cd $dir; echo \$(cat $min $max)")
    [[ $got == "$wanted" ]]
}

# limits_follow NAME VERSION TEXT: mem-min and mem-max of gold are those of the MemTotal there is.
limits_follow() {
    local name=$1 dir got wanted kib min=memory.low max=memory.max
    dir=$(mem_dir "$2")/gold
    [[ $2 == v1 ]] && min=memory.soft_limit_in_bytes max=memory.limit_in_bytes
    # A guest in which sixteen loops compete is slow to answer at its console.
    wait_for 40 gold_limits_are
    is "$got" "$wanted" "$3: mem-min and mem-max of $kib KiB"
}

agent_hup() {
    guest "$1" 'kill -HUP $(pidof lpar-agent)'
}

# The whole of it, in one guest.
two_compete() {
    local name=$1 version=$2 said status
    guest_file "$name" /etc/lpard/classes.conf "$conf"
    agent_hup "$name"
    wait_for 15 guest "$name" "test -d $(cpu_dir "$version")/silver && test -s /run/lpard/classes"
    result $? "$version: the agent makes the classes" "$(guest "$name" 'cat /run/lpar-agent.log')"
    limits_follow "$name" "$version" "$version, 512M"
    compete "$name" "$version"
    sleep 1
    measure "$name" "$version" || used_centi=0 gold_centi=0
    follows "$version: gold has its share of one vCPU"

    ends 0 "$version: doubled while they compete" set "$name" cpu=2 mem=1G
    limits_follow "$name" "$version" "$version, 1G"
    wait_for 20 eval '[[ $(guest_cpus "$name") == 2 ]]'
    sleep 1
    measure "$name" "$version" || used_centi=0 gold_centi=0
    follows "$version: gold has its share of two vCPUs"
    ((used_centi >= 170))
    result $? "$version: both vCPUs are used" "$used_centi hundredths of a processor"

    # Emulated, a guest this busy may not have all its memory emptied in time: partial then.
    said=$(timeout 150 "$build_dir/lparctl" set "$name" cpu=1 mem=512M 2>&1 </dev/null)
    status=$?
    ((status == 0 || status == 3))
    result $? "$version: and halved again, as far as it goes" "ended with $status: $said"
    wait_for 20 eval '[[ $(guest_cpus "$name") == 1 ]]'
    limits_follow "$name" "$version" "$version, after that"
    measure "$name" "$version" || used_centi=0 gold_centi=0
    follows "$version: gold has its share of one vCPU again"
}

# quota NAME VERSION CLASS: hundredths of a processor that it may use.
quota_centi() {
    if [[ $2 == v1 ]]; then
        guest "$1" "cd $(cpu_dir v1)/$3
            echo \$((\$(cat cpu.cfs_quota_us) * 100 / \$(cat cpu.cfs_period_us)))"
    else
        guest "$1" "read quota period <$(cpu_dir v2)/$3/cpu.max; echo \$((quota * 100 / period))"
    fi
}

# A sum over 100 % changes nothing, and says where it is.
over_refused() {
    local name=$1 said weight
    weight=$(guest "$name" 'cat /sys/fs/cgroup/silver/cpu.weight')
    guest_file "$name" /etc/lpard/classes.conf "$conf_over"
    said=$(guest "$name" 'lpar-agent-classes check')
    is "$?" 2 "classes over 100 %: check refuses them"
    is "$said" "/etc/lpard/classes.conf:6: with class silver the sum of cpu-min is 120 %, over \
100 %" "... and says where and why"
    agent_hup "$name"
    wait_for 10 guest "$name" 'grep -q "classes.conf:6: .*over 100" /run/lpar-agent.log'
    result $? "... and so does the agent's log" "$(guest "$name" 'cat /run/lpar-agent.log')"
    is "$(guest "$name" 'cat /sys/fs/cgroup/silver/cpu.weight')" "$weight" "... and nothing changes"
}

# A class whose cgroup is removed and made again, as a service's is.
comes_again() {
    local name=$1
    guest_file "$name" /etc/lpard/classes.conf "$conf
cpu-max = 30%"
    agent_hup "$name"
    wait_for 10 eval '[[ $(quota_centi "$name" v2 silver) == 30 ]]'
    is "$(quota_centi "$name" v2 silver)" 30 "cpu-max is a quota"
    guest "$name" 'for pid in $(cat /sys/fs/cgroup/silver/cgroup.procs); do kill -9 $pid; done
        until rmdir /sys/fs/cgroup/silver; do sleep 0.1; done 2>/dev/null; mkdir /sys/fs/cgroup/silver'
    wait_for 10 eval '[[ $(quota_centi "$name" v2 silver) == 30 ]]'
    is "$(quota_centi "$name" v2 silver)" 30 "a cgroup that comes again is set again"
}

# A class that uses more than its new mem-max, of memory that cannot be reclaimed: it stays whole,
# and cannot grow.
over_max() {
    local name=$1 said limit
    said=$(guest "$name" 'echo $$ >/sys/fs/cgroup/gold/cgroup.procs; lab-hog 60' 60)
    is "$said" $((60 * MiB)) "a class takes 60 MiB"
    said=$(guest "$name" "lpar-agent-classes --mem $((60 * MiB)) apply" 60)
    is "$?" 3 "a mem-max of 30 MiB cannot be had"
    [[ $said == *"cgroup gold uses 6"*" MiB, more than the 30 MiB it may"* ]]
    result $? "... and that is said" "$said"
    limit=$(guest "$name" 'cat /sys/fs/cgroup/gold/memory.max')
    [[ $limit == [0-9]* ]] && ((limit >= 60 * MiB && limit <= 80 * MiB))
    result $? "... the class cannot grow" "its limit is $limit"
    is "$(guest "$name" 'grep oom_kill\  /sys/fs/cgroup/gold/memory.events; stat -c %s /mnt/hog')" \
        "oom_kill 0
$((60 * MiB))" "... and nothing of it was killed or lost"
    guest "$name" 'lab-hog 0; lpar-agent-classes apply' >/dev/null
    is "$?" 0 "it can be had when the memory is given back"
    limits_follow "$name" v2 "v2, once more"
}

cleared() {
    local name=$1
    guest "$name" 'for pid in $(cat /sys/fs/cgroup/*/cgroup.procs); do kill -9 $pid; done
        until ! grep -q . /sys/fs/cgroup/*/cgroup.procs; do sleep 0.1; done; rm /etc/lpard/classes.conf'
    agent_hup "$name"
    wait_for 10 guest "$name" '! test -d /sys/fs/cgroup/gold && ! test -f /run/lpard/classes'
    result $? "without classes.conf the agent takes its classes back" \
        "$(guest "$name" 'ls /sys/fs/cgroup /run/lpard; cat /run/lpar-agent.log')"
}

at_start "$alpha"
two_compete "$alpha" v2
over_refused "$alpha"
comes_again "$alpha"
over_max "$alpha"
cleared "$alpha"

guest_words=lpard.cgroup=v1 guest_new old
two_compete "$prefix-old" v1
guest_remove old
tests_end
