# Everybody is put down, and put down well.  The Linux guest boots meanwhile.
# libvirt asks each QEMU once what it can do.  On an emulated machine that takes longer than lpard
# waits for an answer.
slow_vsh domcapabilities --virttype qemu >"$log_dir/capabilities.xml" 2>&1
say "libvirt knows its QEMU"
partition_define cells lpar 1:2:2 512M:512M:1G --cells 2 --numa spread:0-1 \
    >"$log_dir/define-cells.log" 2>&1 || die_with_log "no Linux guest" "$log_dir/define-cells.log"
say "the Linux guest is started"
starting=()
# Started at once, neither knows of the other: their nodes are named.
burner one --cell-nodes 2 &
starting+=($!)
burner two --cell-nodes 3 &
starting+=($!)
failed=0
for pid in "${starting[@]}"; do
    wait "$pid" || failed=1
done
result $failed "partitions start" "$(cat "$log_dir"/define-*.log)"
((failed == 0)) || die "there is nothing to be moved"
say "started: numastat -p, MiB by node and in all"
for name in one two; do
    share=$(local_share "$name")
    say "$name:$(lies "$name")"
    result $((share <= 9700)) "a new partition lies on one node: $(percent "$share")"
    is "$(vcpu_nodes "$name")" "$(fullest_node "$name")" "and is pinned to its processors"
done
