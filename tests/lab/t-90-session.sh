#!/bin/bash
# A plain user's libvirt (qemu:///session): processors and memory are resized; without cgroups
# nothing enforces capacity, and lpard says so.  As root it is run by a user made for it, who has
# a lab of his own; he and all of his are gone afterwards.
# budget: 150
if ((EUID != 0)); then
    . "$(dirname "$0")/lib.sh"
    at_start "$alpha"
    is "$(field "$alpha" .run)" running "a partition of qemu:///session"
    is "$(lparctl host -o json | jq .cpu_enforced)" false "host says that capacity is not enforced"
    ends 4 "capacity is refused" capacity "$alpha" entitled=0.50 capped
    says 'cgroup|control group' "... for the reason that there is no cgroup"
    ends 4 "pools are refused" pool define web max=1
    says 'no control groups' "... for the same reason"
    ends 0 "processors and memory" set "$alpha" cpu=2 mem=768M
    says 'not enforced' "... and the answer says what is not enforced"
    guest_has "$alpha" 2 768 "both"
    ends 0 "a processor less" set "$alpha" cpu=1
    says 'not enforced' "... and nothing holds the guest to it"
    guest_has "$alpha" 1 768 "one processor"
    ends 0 "memory less" set "$alpha" mem=512M
    guest_has "$alpha" 1 512 "as at the start"
    tests_end
fi

. "$(dirname "$0")/lib.sh"
scratch=$(mktemp -d /tmp/lab-s.XXXXXX) || die "no room in /tmp"
user=lab-${scratch##*.}
user=${user,,}

session_clean() {
    local pid
    for pid in $(ps -o pid= -u "$user" 2>/dev/null); do
        kill -KILL "$pid" 2>/dev/null
    done
    wait_for 10 eval '! ps -u "$user" >/dev/null 2>&1'
    userdel "$user" 2>/dev/null
    rm -rf "$scratch"
}
trap session_clean EXIT
trap 'exit 143' TERM

groups=()
getent group kvm >/dev/null && groups=(-G kvm)
useradd --system --no-create-home --home-dir "$scratch" --shell /bin/bash "${groups[@]}" \
    "$user" || die "cannot make a user for this test"
# The checkout may be where only root can read it.
mkdir -p "$scratch/top/tests" "$scratch/build/lpard" "$scratch/log" "$scratch/xdg"
cp -r "$top/tests/lab" "$scratch/top/tests/"
cp "$build_dir/lparctl" "$scratch/build/"
cp "$build_dir/lpard/lpard" "$scratch/build/lpard/"
cp "$boot_dir/vmlinuz" "$boot_dir/initrd" "$scratch/"
chmod 0755 "$scratch" && chmod 0700 "$scratch/xdg"
chown -R "$user": "$scratch"
setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups env -i PATH="$PATH" \
    HOME="$scratch" XDG_RUNTIME_DIR="$scratch/xdg" LPARD_LAB_DIR="$scratch" \
    bash "$scratch/top/tests/lab/session.sh" "$scratch" </dev/null
exit
