#!/bin/bash
# session.sh DIR: a plain user's lab with one guest in DIR, the tests of a session in it, and its
# end.  Run by t-90-session.sh as that user.
set -uo pipefail
lab_dir=$1
top=$lab_dir/top
build_dir=$lab_dir/build
run_dir=$lab_dir/run
log_dir=$lab_dir/log
kernel_dir=$lab_dir
initrd=$lab_dir/initrd

say() {
    printf '# %s\n' "$*"
}

die() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

die_with_log() {
    tail -n 15 "$2" | sed 's/^/# /'
    die "$1"
}

for part in console host; do
    # shellcheck source=/dev/null
    . "$top/tests/lab/$part.sh" || exit 1
done
host_mode
boot_base=$lab_dir/boot
trap lab_stop EXIT
lab_start session
guests_up alpha
bash "$top/tests/lab/t-90-session.sh"
