# The host's side of a lab: libvirt's services, lpard, the guests.  Sourced by ./lab.
#
# What a lab leaves outside its own .lab directory, all of it removed by `down`:
#   $runtime_base/PREFIX   lpard's socket; also the reservation of the guests' name prefix
#   $boot_dir              kernel and initramfs, where QEMU's own user can read them

# vsh ARGS...: virsh, with a deadline: a stuck libvirtd must not hold the lab up.
vsh() {
    timeout --foreground 90 virsh -q -c "$uri" "$@" </dev/null
}

lparctl() {
    "$build_dir/lparctl" "$@"
}

# --- who we are -----------------------------------------------------------------------------
host_mode() {
    if ((EUID == 0)); then
        uri=qemu:///system
        runtime_base=/run/lpard-lab
        boot_base=/var/lib/lpard-lab
    else
        uri=qemu:///session
        if [[ ! -d ${XDG_RUNTIME_DIR-} || ! -w ${XDG_RUNTIME_DIR-} ]]; then
            # Short on purpose: Unix sockets end below 108 characters.
            XDG_RUNTIME_DIR=/tmp/lpard-lab-$EUID
            [[ -d $XDG_RUNTIME_DIR ]] || mkdir -m 0700 "$XDG_RUNTIME_DIR"
            [[ -O $XDG_RUNTIME_DIR && ! -L $XDG_RUNTIME_DIR ]] ||
                die "$XDG_RUNTIME_DIR belongs to somebody else: set XDG_RUNTIME_DIR"
        fi
        export XDG_RUNTIME_DIR
        runtime_base=$XDG_RUNTIME_DIR/lpard-lab
        boot_base=$lab_dir/boot
    fi
    # A libvirt client that finds this set would go somewhere else.
    unset LIBVIRT_DEFAULT_URI VIRSH_DEFAULT_CONNECT_URI
}

host_describe() {
    if ((EUID == 0)); then
        say "as root: $uri"
    else
        say "as a plain user: $uri; without cgroups, so capacity is not enforced and is not shown"
    fi
    accel_note=
    if ! grep -qwE '^flags.* (vmx|svm)' /proc/cpuinfo; then
        accel_note="this machine has no VT-x/AMD-V"
    elif [[ ! -e /dev/kvm ]]; then
        accel_note="there is no /dev/kvm"
    elif ((EUID != 0)) && [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
        accel_note="/dev/kvm is not open to $(id -un)"
    fi
    if [[ $accel_note ]]; then
        say "$accel_note: the guests run in QEMU's emulator, slower but whole"
    else
        say "VT-x/AMD-V is usable: the guests run under KVM"
    fi
    local available_kib
    available_kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
    ((available_kib >= 4 << 20)) ||
        say "only $((available_kib >> 10)) MiB of memory are free; the lab wants about 4 GiB"
}

# --- services -------------------------------------------------------------------------------
services_answer() {
    timeout 30 virsh -q -c "$uri" uri >/dev/null 2>&1 </dev/null
}

# libvirt probes QEMU anew at each look-up while /dev/kvm exists but QEMU's user cannot open it:
# a minute for each define.
services_open_kvm() {
    [[ -c /dev/kvm ]] && id libvirt-qemu >/dev/null 2>&1 || return 0
    setpriv --reuid=libvirt-qemu --regid="$(id -g libvirt-qemu)" --init-groups \
        bash -c ': <>/dev/kvm' 2>/dev/null && return 0
    getent group kvm >/dev/null || return 0
    say "opening /dev/kvm to the group kvm (mode 0660): libvirt is very slow while its QEMU cannot"
    chgrp kvm /dev/kvm && chmod 0660 /dev/kvm || say "that failed; expect libvirt to be slow"
}

# Under the host-wide lock.  As a plain user libvirt starts its own session daemon by itself.
services_start() {
    ((EUID != 0)) || services_open_kvm
    services_answer && return 0
    if ((EUID != 0)); then
        timeout 60 virsh -c "$uri" uri 2>&1 </dev/null | tail -n 1 >&2
        die "libvirt's session daemon does not start"
    fi
    say "starting virtlogd and libvirtd"
    if [[ -d /run/systemd/system ]]; then
        systemctl start virtlogd.socket libvirtd.service >&2 || die "libvirtd does not start"
        echo systemd >"$runtime_base/services"
    else
        mkdir -p /run/libvirt /var/log/libvirt
        # One that runs already keeps its pid file locked, and this one ends by itself.
        spawn virtlogd -d </dev/null >/dev/null 2>&1
        spawn libvirtd -d </dev/null >"$log_dir/libvirtd.log" 2>&1
        echo daemons >"$runtime_base/services"
    fi
    local deadline=$((SECONDS + 120))
    until services_answer; do
        ((SECONDS < deadline)) || die_with_log "libvirtd does not answer" "$log_dir/libvirtd.log"
        sleep 0.2
    done
}

# libvirtd dies at once and is not started again by itself; services_start brings it back.
libvirtd_kill() {
    local pid
    if [[ -d /run/systemd/system ]]; then
        systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket 2>/dev/null
        systemctl kill -s KILL libvirtd.service
        systemctl stop libvirtd.service 2>/dev/null
        return
    fi
    pid=$(cat /run/libvirtd.pid) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == libvirtd ]] &&
        kill -KILL "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
    done
}

# Stops what a lab started, when this was the last lab and nobody else's domain runs.
services_stop() {
    local how lab
    read -r how 2>/dev/null <"$runtime_base/services" || return 0
    for lab in "$runtime_base"/*/; do
        [[ -d $lab ]] && return 0
    done
    if [[ $(vsh list --name 2>/dev/null) ]]; then
        say "libvirtd stays: somebody else's domains are running"
        return 0
    fi
    rm -f "$runtime_base/services"
    case $how in
    systemd) systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket \
        libvirtd-admin.socket virtlogd.service virtlogd.socket 2>/dev/null ;;
    daemons)
        service_end libvirtd /run/libvirtd.pid
        service_end virtlogd /run/virtlogd.pid
        ;;
    esac
    return 0
}

# service_end NAME PIDFILE
service_end() {
    local pid deadline=$((SECONDS + 15))
    pid=$(cat "$2" 2>/dev/null) || return 0
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]] || return 0
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
        sleep 0.1
    done
}

# --- the host-wide part, under one lock ------------------------------------------------------
# host_locked FUNCTION: two checkouts may start or end at the same moment.
host_locked() {
    local host_lock status
    mkdir -p "$runtime_base"
    exec {host_lock}>"$runtime_base/lock"
    flock -w 180 "$host_lock" || die "another lab holds $runtime_base/lock"
    "$@"
    status=$?
    exec {host_lock}>&-
    return $status
}

# Two lpards on one libvirt would both talk to each guest's agent, and each would hear half.
host_alone() {
    local other
    for other in "$runtime_base"/*/; do
        [[ -S ${other}lpard.sock ]] || continue
        LPARD_SOCKET=${other}lpard.sock lparctl version >/dev/null 2>&1 &&
            die "a lab is up on this machine already: ./lab down in $(cat "${other}checkout")"
    done
    return 0
}

# Takes the first prefix of which there is neither another lab nor a domain.
host_reserve() {
    local n names
    services_start
    host_alone
    names=$(vsh list --all --name) || die "libvirt ($uri) does not list its domains"
    for n in '' {2..9}; do
        prefix=lab$n
        grep -q "^$prefix-" <<<"$names" && continue
        mkdir "$runtime_base/$prefix" 2>/dev/null || continue
        socket_dir=$runtime_base/$prefix
        boot_dir=$boot_base/$prefix
        echo "$top" >"$socket_dir/checkout"
        lab_save
        return 0
    done
    die "nine labs are up on this machine (see $runtime_base/*/checkout): take one down"
}

host_release() {
    rm -rf "$socket_dir" "$boot_dir"
    services_stop
    rmdir "$boot_base" 2>/dev/null
    return 0
}

# --- a lab ----------------------------------------------------------------------------------
# What `down`, and a run after a crash, must know; sourced by lab_load.
lab_save() {
    mkdir -p "$run_dir"
    local name
    for name in uri prefix socket_dir boot_dir purpose; do
        printf '%s=%q\n' "$name" "${!name}"
    done >"$run_dir/lab.new" && mv "$run_dir/lab.new" "$run_dir/lab"
}

lab_load() {
    [[ -f $run_dir/lab ]] || return 1
    # shellcheck disable=SC1091
    . "$run_dir/lab"
    export LPARD_SOCKET=$socket_dir/lpard.sock
}

# lab_domains: the UUIDs of the domains that this lab made.  Their name alone proves nothing;
# that they boot from this lab's own directory does.
lab_domains() {
    local name
    vsh list --all --name 2>/dev/null | while read -r name; do
        [[ $name == "$prefix"-* ]] || continue
        [[ $(vsh dumpxml "$name" 2>/dev/null) == *"<kernel>$boot_dir/"* ]] && vsh domuuid "$name"
    done
}

lab_start() {
    purpose=$1
    mkdir -p "$run_dir"
    host_locked host_reserve || return 1
    export LPARD_SOCKET=$socket_dir/lpard.sock
    mkdir -p "$boot_dir" && chmod 0755 "$boot_base" "$boot_dir" &&
        install -m 0644 "$kernel_dir/vmlinuz" "$initrd" "$boot_dir/" ||
        die "cannot write the guests' kernel to $boot_dir"
    # A plain user's lab is given the one image only.
    [[ ! -f $initrd-qga ]] || install -m 0644 "$initrd-qga" "$boot_dir/" ||
        die "cannot write the guests' image to $boot_dir"
    lpard_start
}

lab_stop() {
    local uuid file name
    lab_load || return 0
    lpard_stop TERM
    for uuid in $(lab_domains); do
        name=$(vsh domname "$uuid" 2>/dev/null)
        vsh destroy "$uuid" >/dev/null 2>&1
        vsh undefine "$uuid" --managed-save >/dev/null 2>&1
        if vsh domstate "$uuid" >/dev/null 2>&1; then
            say "the domain $name ($uuid) could not be removed: virsh -c $uri undefine $uuid"
        fi
    done
    for file in "$run_dir"/console-*.pid; do
        name=${file##*/console-}
        [[ -f $file ]] && console_detach "${name%.pid}"
    done
    host_locked host_release
    rm -rf "$run_dir"
}

# --- lpard ----------------------------------------------------------------------------------
lpard_start() {
    local log=$log_dir/lpard.log deadline=$((SECONDS + 60))
    [[ -x $build_dir/lpard/lpard && -x $build_dir/lparctl ]] || die "lpard is not built in $build_dir"
    if [[ ! -f $run_dir/lpard.conf ]]; then
        cat >"$run_dir/lpard.conf" <<CONF
# A lab's lpard: see lpard.conf(5).
[operations]
timeout = 90
CONF
    fi
    spawn "${lpard_program:-$build_dir/lpard/lpard}" --config "$run_dir/lpard.conf" --connect "$uri" \
        --socket "$LPARD_SOCKET" --state "$run_dir/state" </dev/null >>"$log" 2>&1
    echo $! >"$run_dir/lpard.pid"
    # It answers before it has reached libvirt, which may have started a moment ago.
    until [[ $(lparctl host -o json 2>/dev/null | jq .connected 2>/dev/null) == true ]]; do
        kill -0 "$(cat "$run_dir/lpard.pid")" 2>/dev/null || die_with_log "lpard ended" "$log"
        ((SECONDS < deadline)) || die_with_log "lpard does not answer" "$log"
        sleep 0.1
    done
}

# lpard_stop SIGNAL
lpard_stop() {
    local pid deadline=$((SECONDS + 20))
    read -r pid 2>/dev/null <"$run_dir/lpard.pid" || return 0
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) == lpard ]] || return 0
    kill "-$1" "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS >= deadline)); then
            say "lpard does not end within 20 s of SIGTERM: killed"
            kill -KILL "$pid"
            break
        fi
        sleep 0.1
    done
    rm -f "$run_dir/lpard.pid"
}

# --- guests ---------------------------------------------------------------------------------
# partition_define NAME AGENT CPU MEM [OPTIONS...]: a partition of this lab, started; AGENT is
# lpar, qga (qemu-guest-agent), both or none; with the
# words in $guest_words on its kernel's command line.
partition_define() {
    local name=$prefix-$1 cmdline image=initrd
    cmdline="console=ttyS0 quiet panic=-1 psi=1 lpard.name=$name lpard.agent=$2"
    cmdline+=${guest_words:+ $guest_words}
    # Without an agent somebody else must bring memory online: the guest's own kernel.
    [[ $2 == none ]] && cmdline+=" memhp_default_state=online_movable"
    [[ $2 == qga || $2 == both ]] && image=initrd-qga
    [[ "${*:5}" == *--cells* ]] || set -- "$@" --cells 2
    lparctl define "$name" --cpu "$3" --mem "$4" --kernel "$boot_dir/vmlinuz" \
        --initrd "$boot_dir/$image" --cmdline "$cmdline" --start "${@:5}"
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# agent_connected PARTITION [STATE]: of lpar-agent, or the state given.
agent_connected() {
    [[ $(lparctl show "$1" -o json 2>/dev/null | jq -r .agent.state 2>/dev/null) == \
        "${2:-connected}" ]]
}

# guests_up NAME...: defines and starts the lab's guests, and waits until each can be used.
guests_up() {
    local name agent
    for name in "$@"; do
        agent=lpar
        [[ $name == plain ]] && agent=none
        partition_define "$name" "$agent" 1:1:4 512M:512M:2G >"$log_dir/define-$name.log" 2>&1 ||
            die_with_log "lparctl define $prefix-$name failed" "$log_dir/define-$name.log"
    done
    for name in "$@"; do
        guest_ready "$name"
    done
}

# Seconds that a guest may take to boot.
guest_boot_patience=180

# guest_ready NAME [AGENT]: until its user space answers and its agent (of partition_define's
# kinds; lpar, but none in the guest `plain`) is connected.
guest_ready() {
    local name=$prefix-$1 agent=${2:-lpar} state=connected
    [[ $1 == plain ]] && agent=none
    [[ $agent == qga ]] && state=qemu-guest-agent
    guest_wait "$name" "$guest_boot_patience" || {
        touch "$log_dir/console-$name.log"
        die_with_log "the guest $name does not come up" "$log_dir/console-$name.log"
    }
    guest_measure "$name" || die "the guest $name does not tell its memory"
    [[ $agent == none ]] && return 0
    wait_for 60 agent_connected "$name" "$state" ||
        die "the agent in $name does not reach lpard; see $log_dir/lpard.log"
}

# --- what a guest itself says ----------------------------------------------------------------
# The lab's guests start with this much memory, none of it in a device.
base_mib=512
MiB=1048576

# guest_measure NAME: takes what the guest has now, which is its boot memory, to measure by.
guest_measure() {
    local kib
    kib=$(guest_mem_kib "$1") && echo "$kib" >"$run_dir/base-$1"
}

guest_mem_kib() {
    guest "$1" "awk '\$1 == \"MemTotal:\" { print \$2 }' /proc/meminfo"
}

# A guest's MemTotal is less than the memory that it has by what its kernel took at boot, so it
# is told by its growth since then.
guest_mem_bytes() {
    local now base
    now=$(guest_mem_kib "$1") && read -r base <"$run_dir/base-$1" || return 1
    echo $((base_mib * 1048576 + (now - base) * 1024))
}

guest_cpus() {
    guest "$1" 'grep -c ^processor /proc/cpuinfo'
}

guest_cpu_list() {
    guest "$1" 'cat /sys/devices/system/cpu/online'
}

# --- what lpard and libvirt say of it -----------------------------------------------------------
# field PARTITION JQ: one value of what lpard shows.
field() {
    timeout 30 "$build_dir/lparctl" show "$1" -o json 2>/dev/null </dev/null | jq -r "$2"
}

# device_sum PARTITION ELEMENT: over libvirt's virtio-mem devices, in bytes (its XML is in KiB).
device_sum() {
    vsh dumpxml "$1" | sed -n "s/.*<$2 unit='KiB'>\([0-9]*\)<.*/\1/p" |
        awk '{ n += $1 } END { print n * 1024 }'
}

# libvirt_bytes PARTITION: boot memory, DIMMs aside, and what is plugged, if that is what was
# asked for.
libvirt_bytes() {
    local requested current
    requested=$(device_sum "$1" requested)
    current=$(device_sum "$1" current)
    if [[ $requested == "$current" ]]; then
        echo $((base_mib * MiB + current))
    else
        echo "requested:$requested,current:$current"
    fi
}

# cgroup_file NAME V2FILE V1FILE: the path of that file in the CPU cgroup of a guest's machine.
# QEMU's own thread is in a child of it (libvirt keeps emulator and vCPUs apart).  Under systemd
# libvirt sets limits in a child named libvirt, but the weight on the machine's scope.
cgroup_file() {
    local pid path controllers dir
    pid=$(qemu_pid "$1") || return 1
    while IFS=: read -r _ controllers path; do
        path=${path%/emulator}
        [[ $2 == cpu.weight ]] && path=${path%/libvirt}
        case ,$controllers, in
        *,cpu,*) dir=$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpu(,|$)/ { print $2; exit }' /proc/mounts)
            [[ -f $dir$path/$3 ]] && { echo "$dir$path/$3"; return 0; } ;;
        ,,) dir=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
            [[ -f $dir$path/$2 ]] && { echo "$dir$path/$2"; return 0; } ;;
        esac
    done <"/proc/$pid/cgroup"
    return 1
}

qemu_pid() {
    local dir=/run/libvirt/qemu pid
    ((EUID == 0)) || dir=$XDG_RUNTIME_DIR/libvirt/qemu/run
    pid=$(cat "$dir/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo "$pid"
}
