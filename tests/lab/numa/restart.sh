# lpard dies in the middle of it.
put_wrong one two
ends 9 "another optimization begins" optimize --no-wait -o json
id=$(jq .id <<<"$said")
check "pages are on their way" wait_for 60 op_moved "$id"
lpard_stop KILL
say "lpard killed: one:$(lies one)"
lpard_start
ended() {
    [[ $(op_field "$id" .state) =~ ^(done|partial|failed|cancelled)$ ]]
}
check "the new lpard ends what the old one began" wait_for 200 ended
say "it is $(op_field "$id" .state): $(op_field "$id" .message)"
[[ $(op_field "$id" .state) == done ]] || ends 0 "and begins anew" optimize
for name in one two; do
    share=$(local_share "$name")
    say "$name:$(lies "$name")"
    result $((share <= 9800)) "$(percent "$share") on one node, after the restart"
done
