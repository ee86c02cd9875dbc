# numad on the same start: reported, whatever it does.
row() {
    printf '#   %-8s %8s %8s %8s %12s %8s\n' "$@"
}
numad_seconds=60
if [[ $numa_quick ]]; then
    skip "numad on the same start" "--quick"
    return 0
fi
vsh destroy "$prefix-cells" >/dev/null 2>&1
lpard_stop TERM
put_wrong one two
start_row="$(local_share one) $(local_share two)"
# It looks at processes that work.
for name in one two; do
    vsh schedinfo "$prefix-$name" --live --set global_quota=-1 >/dev/null
done
migrated=$(migrated_mib)
began=$SECONDS
"$io/numad" -i 5:15 -l 6 >"$log_dir/numad.out" 2>&1
numad_done() {
    local name
    for name in one two; do
        (($(local_share "$name") > 9800)) || return 1
    done
}
wait_for "$numad_seconds" numad_done
took=$((SECONDS - began))
numad_row="$(local_share one) $(local_share two) $(($(migrated_mib) - migrated)) $took"
"$io/numad" -i 0 >/dev/null 2>&1
cp /var/log/numad.log "$log_dir/" 2>/dev/null
say "per cent on one node (numastat -p), by partition"
row '' one two 'MiB moved' seconds
# shellcheck disable=SC2086
for line in "start $start_row - -" "lpard $lpard_row" "numad $numad_row"; do
    set -- $line
    row "$1" "$(percent "$2")" "$(percent "$3")" "$4" "$5"
done
result $((${start_row%% *} >= 4000)) "numad began where lpard did"
