#!/bin/bash
# Partitions as definitions: an existing domain enabled and disabled, profiles edited, spoilt,
# lost and brought back; renamed and transient domains.
# budget: 180
. "$(dirname "$0")/lib.sh"
old=$prefix-old
metadata_uri=$(sed -n 's/.*define LP_METADATA_URI "\(.*\)".*/\1/p' "$top/hotplug/domxml.h")
emulated=kvm
host_describe >/dev/null
[[ $accel_note ]] && emulated=qemu

inactive() {
    vsh dumpxml "$1" --inactive
}

profile_is() {
    [[ $(field "$1" .profile_state) == "$2" ]]
}

guest_remove old
# As an administrator might have written it, long before lpard came.
cat >"$run_dir/old.xml" <<XML
<domain type='$emulated'>
  <name>$old</name>
  <memory unit='MiB'>1024</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$boot_dir/vmlinuz</kernel>
    <initrd>$boot_dir/initrd</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 psi=1 lpard.name=$old lpard.agent=lpar</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <devices>
    <serial type='pty'/>
    <console type='pty'/>
  </devices>
</domain>
XML
check "a plain domain" vsh define "$run_dir/old.xml"
inactive "$old" >"$run_dir/old-before.xml"
check "lpard sees the domain" wait_for 20 eval 'lparctl list --all | grep -q "$old"'
ends 1 "what is no partition is not resized" set "$old" cpu=2
says 'enable' "... and the answer says what to do"

ends 0 "a dry run of enable" enable "$old" --cpu 1:1:4 --mem 512M:512M:2G --cells 2 --dry-run
says '^\+.*virtio-mem' "... shows what it would write"
is "$(inactive "$old" | cmp - "$run_dir/old-before.xml" 2>&1)" "" "... and writes nothing"
ends 0 "enable" enable "$old" --cpu 1:1:4 --mem 512M:512M:2G --cells 2
is "$(field "$old" .profile_state)" good "it has a profile"
ends 0 "started" start "$old"
guest_ready old
guest_has "$old" 1 512 "the partition"
ends 0 "resized" set "$old" cpu=2 mem=1G
guest_has "$old" 2 1024 "after the resize"
ends 0 "check finds nothing missing" check "$old"

# Edited while it runs: what can be now, and what takes a restart.
ends 0 "desired and entitlement" profile set "$old" cpu=::3 entitled=0.30
is "$(field "$old" '"\(.profile.cpu.max) \(.profile.entitled_centi)"')" "3 30" "are edited at once"
ends 4 "and bind at once" set "$old" cpu=4
ends 0 "a larger maximum of memory" profile set "$old" mem=768M:1G:3G
says 'next start' "... is for the next start"
ends 4 "until then there is no device for it" set "$old" mem=2560M

# Autoscaling is a part of the profile, in both definitions, and no more than that is touched.
vsh metadata "$old" https://example.org/other --key other --set '<note who="someone">keep</note>' \
    --live --config >/dev/null
profile_before=$(lparctl profile "$old" -o json | jq -c 'del(.autoscale, .generation, .version)')
ends 2 "no such goal" autoscale "$old" --goal fast
ends 0 "autoscaling set by its goal" autoscale "$old" --goal density --mode advise --priority 5 \
    --entitled-mem 1G --schedule 'weekdays 08:00-18:00 min mem=1G max cpu=3'
says 'would grow when [0-9]+ %' "... which is told in figures"
is "$(lparctl profile "$old" -o json | jq -c .autoscale)" '{"mode":"advise","goal":"density",'\
'"priority":5,"entitled_bytes":1073741824,"release_sec":0,'\
'"schedules":["weekdays 08:00-18:00 min mem=1G max cpu=3"]}' "it reads back as it was set"
is "$(lparctl profile "$old" -o json | jq -c 'del(.autoscale, .generation, .version)')" \
    "$profile_before" "the rest of the profile stays"
for where in "" --inactive; do
    is "$(vsh dumpxml "$old" $where |
        grep -Eo ' version=.2.|when=.weekdays 08:00|who=.someone.>keep<' | sort -u | wc -l)" 3 \
        "in the ${where:-live} XML, beside another's metadata"
done
ends 4 "a schedule outside of the bounds" autoscale "$old" --schedule 'daily 00:00-24:00 min mem=64G'
says 'min mem=64G' "... is named"
ends 0 "back to what a profile begins with" autoscale "$old" --mode off --goal balanced \
    --priority 3 --entitled-mem 0 --no-schedules
is "$(vsh dumpxml "$old" | grep -Eo '<(lpard:)?autoscale|partition .*version=.[0-9]+.' |
    grep -o '[^ ]*$')" 'version="1"' \
    "which an older lpard can read"

# Spoilt by hand.
good=$(field "$old" .profile.generation)
check "garbage in the metadata" vsh metadata "$old" "$metadata_uri" --key lpard \
    --set '<partition version="1">?</partition>' --live --config
check "lpard notices" wait_for 20 profile_is "$old" garbled
ends 1 "and resizes nothing on it" set "$old" cpu=1
says 'restore' "... and says what to do"
is "$(guest_cpus "$old")" 2 "the guest goes on"
ends 0 "restored" profile restore "$old"
check "good again" wait_for 20 profile_is "$old" good
is "$(field "$old" .profile.generation)" "$good" "the one that was seen last"
ends 0 "and it is resized again" set "$old" cpu=1

# An old file is put back over the running domain, as people do.
check "a stale definition" vsh define "$run_dir/old-before.xml"
check "lpard notices that the next start has lost its profile" wait_for 20 \
    profile_is "$old" config-lost
ends 0 "restored" profile restore "$old"
check "good again" wait_for 20 profile_is "$old" good
inactive "$old" >"$run_dir/old-stale.xml"
check "off" vsh destroy "$old"
check "lpard sees it off" wait_for 20 eval '[[ $(field "$old" .run) == off ]]'
ends 0 "edited while off" profile set "$old" cpu=:1:3
ends 0 "and again" profile set "$old" entitled=0.25
newest=$(field "$old" .profile.generation)
check "an older profile is put back" vsh define "$run_dir/old-stale.xml"
check "lpard notices" wait_for 20 profile_is "$old" older
ends 0 "restored" profile restore "$old"
is "$(field "$old" '"\(.profile_state) \(.profile.generation)"')" "good $newest" "the newest"
check "a definition without any profile" vsh define "$run_dir/old-before.xml"
check "lpard notices" wait_for 20 profile_is "$old" lost
ends 0 "restored" profile restore "$old"
check "good once more" wait_for 20 profile_is "$old" good

# Another name is the same partition.
uuid=$(vsh domuuid "$old")
check "renamed" vsh domrename "$old" "$prefix-renamed"
check "lpard follows" wait_for 20 \
    eval '[[ $(field "$prefix-renamed" .uuid) == "$uuid" && $(field "$old" .uuid) == "" ]]'
[[ $(lparctl op list --all --partition "$prefix-renamed" -o json | jq '.operations | length') -ge 3 ]]
result $? "its history came along"
check "named back" vsh domrename "$prefix-renamed" "$old"
check "lpard follows again" wait_for 20 eval '[[ $(field "$old" .uuid) == "$uuid" ]]'
guest_remove old

# Disabled: what was there before is back, byte for byte as libvirt writes it.
# A domain of its own: that one's profile is remembered.
sed -i /uuid/d "$run_dir/old-before.xml"
check "the plain domain anew" vsh define "$run_dir/old-before.xml"
inactive "$old" >"$run_dir/old-before.xml"
check "lpard sees it" wait_for 20 eval 'lparctl list --all | grep -q "$old"'
ends 0 "enabled" enable "$old" --cpu 1:1:4 --mem 512M:512M:2G
ends 0 "another desired amount" set "$old" cpu=2 mem=640M
ends 0 "disabled" disable "$old"
is "$(inactive "$old" | diff - "$run_dir/old-before.xml")" "" "the definition is as it was"
ends 1 "it is no partition any more" set "$old" cpu=1
guest_remove old

# Transient: there is no next start, so only what runs is changed.
guest_new brief
vsh dumpxml "$prefix-brief" >"$run_dir/brief.xml"
vsh undefine "$prefix-brief" >/dev/null
check "lpard sees that it is transient" wait_for 20 \
    eval '[[ $(field "$prefix-brief" .persistent) == false ]]'
ends 0 "a transient partition is resized" set "$prefix-brief" mem=640M
guest_has "$prefix-brief" 1 640 "the transient one"
is "$(field "$prefix-brief" .next_start)" null "it has no next start"
vsh destroy "$prefix-brief" >/dev/null
check "and when it ends it is gone" wait_for 20 eval '! lparctl list | grep -q "$prefix-brief"'
ends 1 "as the answer says" set "$prefix-brief" cpu=1
guest_remove brief
tests_end
