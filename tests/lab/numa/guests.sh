# The partitions of the NUMA lab, and where the system itself (numastat, /proc) says they lie.
# Sourced by main.sh.
burner_mib=1408

# A boot sector that does nothing, for ever.
burner_disk() {
    printf '\xeb\xfe' >"$1" && truncate -s 510 "$1" && printf '\x55\xaa' >>"$1" &&
        truncate -s 1M "$1" && chmod 0666 "$1"
}

# A call that has libvirt start QEMU on an emulated machine that is busy.
slow_vsh() {
    timeout 300 virsh -q -c "$uri" "$@" </dev/null
}

# burner NAME [OPTIONS...]: defines a partition without a system; all of its memory is there from
# the start.  It has a QEMU of its own (where QEMU finds its modules): program text that several
# processes run lies on one node only, and is a fiftieth of so small a partition.
burner() {
    local name=$prefix-$1 disk=/var/lib/lab-$1.img qemu=/usr/bin/lab-$1-qemu
    local log=$log_dir/define-$1.log
    shift
    burner_disk "$disk" && cp /usr/bin/qemu-system-x86_64 "$qemu" || return 1
    lparctl define "$name" --cpu 1:1:1 --mem "$burner_mib"M:"$burner_mib"M:"$burner_mib"M \
        --disk "$disk" --entitled 0.10 --capped "$@" >"$log" 2>&1 || return 1
    vsh dumpxml --inactive "$name" >"$run_dir/$name.xml" &&
        sed -i -e 's,<vcpu,<memoryBacking><allocation mode="immediate"/></memoryBacking>&,' \
            -e "s,<emulator>.*</emulator>,<emulator>$qemu</emulator>," "$run_dir/$name.xml" &&
        slow_vsh define "$run_dir/$name.xml" >>"$log" 2>&1 && slow_vsh start "$name" >>"$log" 2>&1
}

# lies NAME: MiB by node and in all, by numastat.
lies() {
    numastat -p "$(qemu_pid "$prefix-$1")" | awk '$1 == "Total" { $1 = ""; print }'
}

# local_share NAME [NODES]: hundredths of a per cent of it on its fullest node (or as many nodes).
local_share() {
    lies "$1" | awk -v nodes="${2:-1}" '{
        for (i = 1; i < NF; i++) on[i] = $i
        for (k = 0; k < nodes; k++) {
            best = 1
            for (i = 1; i < NF; i++) if (on[i] > on[best]) best = i
            sum += on[best]; on[best] = 0
        }
        printf "%d\n", 10000 * sum / $NF }'
}

fullest_node() {
    lies "$1" | awk '{ best = 1; for (i = 1; i < NF; i++) if ($i > $best) best = i; print best - 1 }'
}

# Each node has one processor, of the same number.
vcpu_nodes() {
    vsh vcpupin "$prefix-$1" | awk '$1 == 0 { print $2 }'
}

# percent HUNDREDTHS
percent() {
    printf '%d.%02d %%' $(($1 / 100)) $(($1 % 100))
}

# put_wrong NAME...: pages over all nodes, vCPUs where they like.
put_wrong() {
    local name
    for name in "$@"; do
        vsh vcpupin "$prefix-$name" 0 0-3 --live >/dev/null
        vsh emulatorpin "$prefix-$name" 0-3 --live >/dev/null
        "$io/scatter" "$(qemu_pid "$prefix-$name")" 0 1 2 3 >"$log_dir/scatter-$name.log" 2>&1
    done
}

# Pages moved between nodes by anybody since the start, in MiB.
migrated_mib() {
    awk '$1 == "pgmigrate_success" { print int($2 / 256) }' /proc/vmstat
}

# score_centi [NAME]: measured now, by lpard.
score_centi() {
    lparctl score --fresh -o json | jq --arg name "$prefix-${1-}" \
        'if $name == "'"$prefix-"'" then .host.score_centi
         else .partitions[] | select(.partition == $name) | .score_centi end'
}

# op_field ID JQ
op_field() {
    lparctl op show "$1" -o json 2>/dev/null | jq -r "$2"
}

op_moved() {
    (($(op_field "$1" '.optimize.moved_bytes // 0') > 0))
}
