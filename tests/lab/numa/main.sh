#!/bin/bash
# What runs inside the emulated NUMA host: a lab of its own, in which partitions without a system
# (memory to be moved, a processor that spins) and one Linux guest lie about.
# /run/lab-io/main gives the paths and sources this; results go to /run/lab-io/tap, logs beside it.
set -uo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
io=/run/lab-io
exec >"$io/tap" 2>&1

lab_dir=/run/lab
run_dir=$lab_dir/run
# Not by 9p, of whose changes nobody is told: a console is followed.
log_dir=$lab_dir/log
mkdir -p "$run_dir" "$log_dir" /var/lib/libvirt/qemu
trap 'cp -r "$log_dir"/. "$io/log"' EXIT

die() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

die_with_log() {
    tail -n 15 "$2" | sed 's/^/# /'
    die "$1"
}

# Seconds since the machine started are what a person wants to know here.
say() {
    printf '# %3.0f s: %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"
}

# A host has a name and a loopback device.
hostname numa
ip link set lo up

. "$top/tests/lab/console.sh"
. "$top/tests/lab/host.sh"
host_mode
cat >"$run_dir/lpard.conf" <<CONF
[host]
memory-reserve = 128M
guest-overhead = 128M
[operations]
timeout = 400
[numa]
move-rate = 256M
CONF
say "up"
lab_start numa >"$log_dir/start.log" 2>&1 || die_with_log "no lab" "$log_dir/start.log"
say "lpard answers"
. "$top/tests/lab/lib.sh"
# Guests in an emulated machine, which may have to do with what processor time others leave.
guest_patience=20
guest_boot_patience=600
lparctl_patience=400
say() {
    printf '# %3.0f s: %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"
}
. "$top/tests/lab/numa/guests.sh"
for part in place cells repair restart numad; do
    # shellcheck source=/dev/null
    . "$top/tests/lab/numa/$part.sh"
done
say "the end"
# Partitions and all end with the machine.
tests_end
