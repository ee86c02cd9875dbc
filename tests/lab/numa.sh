# ./lab numa: a machine with four NUMA nodes and cgroup v2, emulated, in which lpard moves memory on
# a real kernel.  Sourced by ./lab; tests/lab/numa/ is what runs inside.
#
# Nothing of it touches this machine: no libvirt, no domain, no cgroup of it.  It writes to
# $numa_dir and $log_dir, and ends with its QEMU.
numa_dir=$lab_dir/numa
# Four nodes, two on a package: near ones are 21 apart, the others 31.
numa_nodes=4
numa_node_mib=2048
numa_pid=
# Set: it gets what processor time nobody else wants.
numa_idle=
# A quiet machine takes a fifth of it; in the background of other suites it takes half.
budget_numa=1200

numa_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci
    netfs fscache 9pnet 9pnet_virtio 9p overlay)

# numa_image: $numa_dir/initrd, and in $numa_dir/io what the machine is told.
numa_image() {
    local root=$numa_dir/initramfs module
    rm -rf "$numa_dir"
    mkdir -p "$root/bin" "$root/lib/modules" "$numa_dir/io/log" &&
        cp /bin/busybox "$root/bin/busybox" && cp "$top/tests/lab/numa/init" "$root/init" &&
        chmod 0755 "$root/init" || die "cannot make the NUMA host's image in $root"
    for module in "${numa_modules[@]}"; do
        cp "$numa_kernel_dir/$module.ko" "$root/lib/modules/"
        echo "$module"
    done >"$root/lib/modules/order"
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$numa_dir/initrd" ||
        die "cannot write $numa_dir/initrd"
    gcc -O1 -Wall -static -s -o "$numa_dir/io/scatter" "$top/tests/lab/numa/scatter.c" \
        2>>"$log_dir/guest.log" || die_with_log "cannot build scatter" "$log_dir/guest.log"
    [[ ${1-} == --quick ]] || { setup_numad && cp "$cache_dir/numad" "$numa_dir/io/"; }
    {
        local name
        # By the same paths: the machine sees this file system.
        for name in top build_dir kernel_dir initrd; do
            printf '%s=%q\n' "$name" "${!name}"
        done
        printf 'numa_quick=%q\n. "$top/tests/lab/numa/main.sh"\n' "${1-}"
    } >"$numa_dir/io/main"
}

numa_distances() {
    local a b
    for ((a = 0; a < numa_nodes; a++)); do
        for ((b = a + 1; b < numa_nodes; b++)); do
            echo "-numa dist,src=$a,dst=$b,val=$((a / 2 == b / 2 ? 21 : 31))"
        done
    done
}

# numa_begin [--quick]: starts the machine, in the background.
numa_begin() {
    setup_numa_kernel
    numa_image "${1-}"
    numa_boot &
    numa_pid=$!
    numa_began=$SECONDS
}

numa_boot() {
    local node arguments=()
    for ((node = 0; node < numa_nodes; node++)); do
        arguments+=(-object "memory-backend-ram,id=m$node,size=${numa_node_mib}M"
            -numa "node,nodeid=$node,cpus=$node,memdev=m$node")
    done
    # shellcheck disable=SC2207
    arguments+=($(numa_distances))
    exec {lab_lock}>&-
    exec timeout -k 10 "$budget_numa" ${numa_idle:+chrt --idle 0} \
        qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
        -m $((numa_nodes * numa_node_mib)) -smp "$numa_nodes,sockets=$numa_nodes" \
        "${arguments[@]}" -nodefaults -display none -no-reboot \
        -serial "file:$log_dir/numa-console.log" \
        -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
        -virtfs "local,path=$numa_dir/io,mount_tag=io,security_model=none,multidevs=remap" \
        -kernel "$numa_kernel_dir/vmlinuz" -initrd "$numa_dir/initrd" \
        -append 'console=ttyS0 quiet panic=-1 psi=1' </dev/null >"$log_dir/numa-qemu.log" 2>&1
}

# numa_wait: for its end; sets tap_*.
numa_wait() {
    local status
    wait "$numa_pid"
    status=$?
    numa_pid=
    tap_log=$numa_dir/io/tap
    tap_budget=$budget_numa
    touch "$tap_log"
    check_judge "$status"
}

# check_numa: counts its results.
check_numa() {
    [[ -z $numa_pid ]] || numa_wait
    check_report
    ((tap_failed == 0)) || echo "    the machine's other logs: $log_dir/numa-*, $numa_dir/io/log"
    check_count numa "$budget_numa" $((SECONDS - numa_began)) "$tap_passed" "$tap_failed" \
        "$tap_skipped"
}

# check_numa_again: the same, and where it failed with little processor time, once more with all of
# it, which is told and counted.
check_numa_again() {
    if ! numa_wait; then
        check_report
        cp "$tap_log" "$log_dir/numa-first.log"
        echo "numa: $tap_failed failed; once more, with nothing beside it ($log_dir/numa-first.log)"
        check_retried=$((check_retried + 1))
        numa_begin --quick
    fi
    check_numa
}

# Also where it is not at its end.
numa_end() {
    [[ ${numa_pid-} ]] || return 0
    # `timeout` ends QEMU with itself.
    kill "$numa_pid" 2>/dev/null
    wait "$numa_pid" 2>/dev/null
    numa_pid=
}
