#!/bin/bash
# From one running guest to another: the giver shrinks, and only then the receiver grows.
# budget: 120
. "$(dirname "$0")/lib.sh"
at_start "$alpha" "$beta"

ends 0 "the giver has something to give" set "$alpha" cpu=3 mem=1G
ends 0 "cpu=1 mem=256M from one to the other" move cpu=1 mem=256M --from "$alpha" --to "$beta"
guest_has "$alpha" 2 768 "the giver"
guest_has "$beta" 2 768 "the receiver"

ends 0 "a dry run of a move" move cpu=1 mem=256M --from "$alpha" --to "$beta" --dry-run
guest_has "$alpha" 2 768 "the giver after the dry run"
guest_has "$beta" 2 768 "the receiver after the dry run"

ends 4 "more than the giver may give" move mem=512M --from "$alpha" --to "$beta"
ends 4 "more than the receiver may take" move cpu=3 --from "$alpha" --to "$beta"
ends 2 "by balloon, which frees nothing for good" \
    move mem=128M --via balloon --from "$alpha" --to "$beta"
ends 1 "to nobody" move mem=128M --from "$alpha" --to "$prefix-nobody"
[[ $said == *"$prefix-nobody"* ]]
result $? "... and the answer names it" "$said"
guest_has "$alpha" 2 768 "the giver after refusals"
guest_has "$beta" 2 768 "the receiver after refusals"

ends 0 "and back" move cpu=1 mem=256M --from "$beta" --to "$alpha"
guest_has "$alpha" 3 1024 "the giver has it back"
guest_has "$beta" 1 512 "the receiver has given it back"
at_start "$alpha"
guest_has "$alpha" 1 512 "as at the start"
tests_end
