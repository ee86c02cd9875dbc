# Wrong on purpose, and repaired while a guest is resized.
put_wrong one two
for name in one two; do
    share=$(local_share "$name")
    say "$name:$(lies "$name")"
    result $((share >= 4000)) "put down wrongly: $(percent "$share") on one node"
done
"$io/scatter" "$(qemu_pid "$prefix-cells")" 2 3 >"$log_dir/scatter-cells.log" 2>&1
say "cells:$(lies cells)"
before=$(score_centi)
ends 0 "a dry run" optimize --dry-run -o json
predicted=$(jq .optimize.host.predicted_centi <<<"$said")
say "score $before, predicted $predicted"
result $((before >= predicted)) "it promises a better score: $before to $predicted"

migrated=$(migrated_mib)
began=$SECONDS
ends 9 "an optimization begins" optimize --no-wait -o json
id=$(jq .id <<<"$said")
check "pages are on their way" wait_for 60 op_moved "$id"
ends 0 "a guest grows meanwhile" set "$prefix-cells" mem=768M
state=$(op_field "$id" .state)
is "$state" running "and pages are still on their way"
ends 0 "it comes to its end" op wait "$id"
took=$((SECONDS - began))
for name in one two; do
    share=$(local_share "$name")
    say "$name:$(lies "$name")"
    result $((share <= 9800)) "repaired: $(percent "$share") on one node, by numastat"
    is "$(vcpu_nodes "$name")" "$(fullest_node "$name")" "and its vCPU runs there"
done
say "cells:$(lies cells)"
measured=$(op_field "$id" .optimize.host.measured_centi)
after=$(score_centi)
result $((after < predicted - 300 || after > predicted + 300)) \
    "predicted $predicted, measured $after (by the operation: $measured)"
lpard_row="$(local_share one) $(local_share two) $(($(migrated_mib) - migrated)) $took"
say "moved $(($(migrated_mib) - migrated)) MiB in $took s"
