# A guest with two cells, the node of the first of which is full: it grows in the second.
guest_ready cells
say "the Linux guest is up"
wait_for 60 agent_connected "$prefix-cells"
# requested CELL: of the cell's device, in MiB.
requested() {
    vsh dumpxml "$prefix-cells" | awk -F'[<>]' -v cell="$1" '
        /<requested unit/ { size = $3 }
        /<node>/ { node = $3 }
        /<\/memory>/ { if (node != "" && node == cell) print int(size / 1024); node = "" }'
}
# in_guest NODE: MiB that the guest counts there.
in_guest() {
    guest "$prefix-cells" "cat /sys/devices/system/node/node$1/meminfo" |
        awk '/MemTotal/ { print int($4 / 1024) }'
}
node_free() {
    lparctl host --numa -o json | jq --argjson node "$1" \
        '[.. | objects | select(.id? == $node and has("free_bytes"))][0].free_bytes / 1048576 | floor'
}
# fill LEAVE: of the first node, all but so many MiB.
fill() {
    local mib=$(($(node_free 0) - $1))
    lparctl define "$prefix-fill" --cpu 1:1:1 --mem "${mib}M:${mib}M:${mib}M" --numa strict:0 \
        --disk /var/lib/lab-fill.img --capped --entitled 0.10 --start >"$log_dir/fill.log" 2>&1 ||
        { vsh undefine "$prefix-fill" >/dev/null 2>&1; return 1; }
}
burner_disk /var/lib/lab-fill.img
say "node 0 has $(node_free 0) MiB left"
# A part of what is free is the host's own: to be told by what is refused.
for leave in 32 48 64 80 96; do
    fill "$leave" && break
done
say "node 0 has $(node_free 0) MiB left beside a partition that fills it"
first=$(requested 0) second=$(requested 1)
guest_first=$(in_guest 0) guest_second=$(in_guest 1)
read -r _ on_second _ < <(lies cells)
say "cells:$(lies cells); devices $first and $second MiB, in the guest $guest_first and $guest_second"
ends 0 "the guest grows by 128 MiB" add "$prefix-cells" mem=128M
is "$(requested 0) $(requested 1)" "$first $((second + 128))" "all by the second cell's device"
wait_for 10 eval '(($(in_guest 1) >= guest_second + 112))'
now=$(in_guest 1)
result $((now < guest_second + 112)) "the guest finds it in its second node" \
    "$guest_second, then $now MiB"
is "$(in_guest 0)" "$guest_first" "and nothing in its first"
# What a guest has not touched lies nowhere: it fills its second node, beyond what that had before.
fills() {
    guest "$prefix-cells" "mkdir -p /mnt/n1 && mount -t tmpfs -o size=300m,mpol=bind:1 n1 /mnt/n1 &&
        dd if=/dev/zero of=/mnt/n1/file bs=1M count=$1" 300
}
check "the guest can use it" fills $((guest_second + 12))
read -r _ now _ < <(lies cells)
say "cells:$(lies cells)"
result $((${now%.*} < ${on_second%.*} + 64)) "it is on the host's second node, by numastat" \
    "$on_second, then $now MiB on node 1"
vsh destroy "$prefix-fill"
vsh undefine "$prefix-fill"
