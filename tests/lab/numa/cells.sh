# A guest with two cells, the node of the first of which is full: it grows in the second.
wait_for 60 agent_connected "$prefix-cells"
# requested CELL: of the cell's device, in MiB.
requested() {
    vsh dumpxml "$prefix-cells" | awk -F'[<>]' -v cell="$1" '
        /<requested unit/ { size = $3 }
        /<node>/ { node = $3 }
        /<\/memory>/ { if (node == cell) print int(size / 1024); node = "" }'
}
# in_guest NODE: MiB that the guest counts there.
in_guest() {
    guest "$prefix-cells" "cat /sys/devices/system/node/node$1/meminfo" |
        awk '/MemTotal/ { print int($4 / 1024) }'
}
free=$(lparctl host --numa -o json | jq '[.. | objects | select(.id? == 0 and has("free_bytes"))][0].free_bytes')
fill=$(((free / MiB - 128 - 32) / 4 * 4))
say "node 0 has $((free / MiB)) MiB left"
if ((fill >= 256)); then
    burner_disk /var/lib/lab-fill.img
    ends 0 "a partition fills the first node" define "$prefix-fill" --cpu 1:1:1 \
        --mem "${fill}M:${fill}M:${fill}M" --disk /var/lib/lab-fill.img --numa strict:0 \
        --capped --entitled 0.10 --start
fi
first=$(requested 0) second=$(requested 1)
guest_first=$(in_guest 0) guest_second=$(in_guest 1)
read -r _ on_second _ < <(lies cells)
say "cells:$(lies cells); devices $first and $second MiB; the guest sees $guest_first and $guest_second MiB"
ends 0 "the guest grows by 256 MiB" add "$prefix-cells" mem=256M
is "$(requested 0) $(requested 1)" "$first $((second + 256))" "all of it by the second cell's device"
wait_for 10 eval '(($(in_guest 1) >= guest_second + 240))'
now=$(in_guest 1)
result $((now < guest_second + 240)) "the guest finds it in its second node" "$guest_second, then $now MiB"
is "$(in_guest 0)" "$guest_first" "and nothing in its first"
# What a guest has not touched lies nowhere.
guest "$prefix-cells" 'mkdir -p /mnt/n1; mount -t tmpfs -o size=230m,mpol=bind:1 n1 /mnt/n1 &&
    dd if=/dev/zero of=/mnt/n1/file bs=1M count=220 2>&1' 60 >"$log_dir/cells-fill.log"
read -r _ now _ < <(lies cells)
say "cells:$(lies cells)"
result $((${now%.*} < ${on_second%.*} + 150)) "it is on the host's second node, by numastat" \
    "$on_second, then $now MiB on node 1"
