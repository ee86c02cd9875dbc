# Set-up: packages, build, guest image.  Sourced by ./lab.
# Everything is made once and kept: a second run only looks.

# --- packages -------------------------------------------------------------------------------
packages_needed=(
    gcc make libc6-dev autoconf automake pkg-config
    libglib2.0-dev libvirt-dev libvirt-glib-1.0-dev libxml2-dev libsoup-3.0-dev libjansson-dev
    libsqlite3-dev libhwloc-dev libnuma-dev libcgroup-dev libseccomp-dev libcap-ng-dev liblzma-dev libcmocka-dev
    libgnutls28-dev glib-networking
    qemu-system-x86 seabios libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients
    busybox-static cpio jq qemu-guest-agent
)
packages_for_numa=(numactl)
packages_for_check=(mandoc cppcheck curl openssl xz-utils "${packages_for_numa[@]}")

packages_missing() {
    local package
    for package in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ii*|hi*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

setup_packages() {
    local missing=()
    command -v dpkg-query >/dev/null ||
        die "this is not a Debian system: ./lab installs packages by apt (made for Debian 12)"
    read -ra missing < <(packages_missing "$@"; echo)
    ((${#missing[@]})) || return 0
    ((EUID == 0)) ||
        die "packages are missing; as root: apt-get install --no-install-recommends ${missing[*]}"
    say "installing ${#missing[@]} packages: ${missing[*]}"
    local log=$log_dir/apt.log
    # The lists of a fresh machine may be empty or out of date: fetched only if it fails without.
    packages_install "${missing[@]}" >"$log" 2>&1 && return 0
    { apt-get -q update && packages_install "${missing[@]}"; } >>"$log" 2>&1 && return 0
    tail -n 5 "$log" >&2
    die "apt-get could not install the packages; the whole of it is in $log"
}

packages_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@" </dev/null
}

# --- build ----------------------------------------------------------------------------------
# Sets `source_dir`: the checkout, or a copy where the checkout can neither be configured nor
# written to.
setup_source() {
    source_dir=$top
    [[ -x $top/configure ]] && return 0
    if [[ ! -w $top ]]; then
        source_dir=$lab_dir/source
        mkdir -p "$source_dir"
        (cd "$top" && tar -c --exclude=./.git --exclude=./.lab .) | tar -x -C "$source_dir" ||
            die "cannot copy the sources to $source_dir"
    fi
    [[ -x $source_dir/configure ]] && return 0
    say "autoreconf"
    (cd "$source_dir" && autoreconf -i) >"$log_dir/autoreconf.log" 2>&1 </dev/null ||
        die_with_log "autoreconf failed" "$log_dir/autoreconf.log"
}

# build_tree DIR LOGNAME CONFIGURE-OPTIONS...
build_tree() {
    local dir=$1 log=$log_dir/$2.log
    shift 2
    mkdir -p "$dir"
    : >"$log"
    # One that was configured otherwise, by an earlier version of this, is made anew.
    if [[ ! -f $dir/Makefile || $(cat "$dir/lab-options" 2>/dev/null) != "$*" ]]; then
        (cd "$dir" && "$source_dir/configure" -q "$@") >>"$log" 2>&1 </dev/null ||
            die_with_log "configure failed" "$log"
        echo "$*" >"$dir/lab-options"
    fi
    make -s -C "$dir" -j"$(nproc)" >>"$log" 2>&1 </dev/null || die_with_log "make failed" "$log"
}

setup_build() {
    local started=$SECONDS
    setup_source
    say "building (in ${build_dir#"$top"/})"
    build_tree "$build_dir" build
    say "built in $((SECONDS - started)) s"
}

# --- guest image ----------------------------------------------------------------------------
guest_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci
    virtio_balloon virtio_mem virtio_console)

# Sets `kernel_dir`, which holds vmlinuz and the modules of Debian's cloud kernel.
setup_kernel() {
    kernel_keep linux-image-cloud-amd64 kernel "${guest_modules[@]}"
    kernel_dir=$kept
}

# The same of the ordinary one, which has 9p: `numa_kernel_dir`.
setup_numa_kernel() {
    kernel_keep linux-image-amd64 numa-kernel "${numa_modules[@]}"
    numa_kernel_dir=$kept
}

# kernel_keep META NAME MODULE...: a kernel's vmlinuz and modules in $cache_dir/NAME-PACKAGE; sets
# `kept`.
kernel_keep() {
    local meta=$1 name=$2 package scratch dir module
    shift 2
    kept=
    for dir in "$cache_dir/$name"-*/; do
        [[ -f ${dir}vmlinuz ]] && kept=${dir%/}
    done
    [[ -n $kept ]] && return 0

    scratch=$cache_dir/fetch.$$
    mkdir -p "$scratch/kernel"
    kernel_fetch "$meta" "$scratch" >"$log_dir/kernel.log" 2>&1 </dev/null || {
        # The lists know an older kernel than the archive still has, or there are none yet.
        ((EUID == 0)) && apt-get -q update >>"$log_dir/kernel.log" 2>&1 </dev/null
        kernel_fetch "$meta" "$scratch" >>"$log_dir/kernel.log" 2>&1 </dev/null
    } || {
        rm -rf "$scratch"
        die_with_log "apt-get could not download a kernel ($meta)" "$log_dir/kernel.log"
    }
    package=$(cd "$scratch" && echo linux-image-*.deb)
    kept=$cache_dir/$name-${package%%_*}
    kernel_unpack "$scratch" "$package" "$@" || die "cannot unpack $package"
    for module in "$@"; do
        [[ -f $scratch/kernel/$module.ko ]] || die "the kernel in $package has no module $module"
    done
    mv "$scratch/kernel" "$kept" || die "cannot write to $cache_dir"
    rm -rf "$scratch"
    say "kernel: ${package%%_*}"
}

# kernel_fetch META DIR: the .deb that the meta-package depends on, whatever its version is today.
kernel_fetch() {
    local package
    package=$(apt-cache depends "$1" |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    [[ -n $package ]] || { echo "apt knows no $1"; return 1; }
    package_fetch "$package" "$2"
}

# package_fetch PACKAGE DIR
package_fetch() {
    local options=()
    ((EUID == 0)) && options=(-o APT::Sandbox::User=root)
    (cd "$2" && apt-get -q "${options[@]}" download "$1")
}

# $cache_dir/numad: unpacked, not installed, since the package starts it at every boot.
setup_numad() {
    local scratch=$cache_dir/fetch.$$
    [[ -x $cache_dir/numad ]] && return 0
    mkdir -p "$scratch"
    package_fetch numad "$scratch" >"$log_dir/numad.log" 2>&1 </dev/null &&
        dpkg -x "$scratch"/numad_*.deb "$scratch" && mv "$scratch/usr/bin/numad" "$cache_dir" ||
        die_with_log "apt-get could not download numad" "$log_dir/numad.log"
    rm -rf "$scratch"
}

# kernel_unpack DIR PACKAGE MODULE...: to DIR/kernel; no more than is needed of 400 MiB.
kernel_unpack() {
    local dir=$1 package=$2
    shift 2
    set -- "${@/#/*/}"
    dpkg --fsys-tarfile "$dir/$package" |
        tar -x -C "$dir/kernel" --transform='s|.*/||' --transform='s|^vmlinuz-.*|vmlinuz|' --wildcards \
            './boot/vmlinuz-*' "${@/%/.ko}"
}

# guest_programs DIR: what the guests need that busybox has not; made once.
guest_programs() {
    local source program
    for source in "$top"/tests/lab/guest/*.c; do
        program=$lab_dir/guest-${source##*/}
        program=${program%.c}
        [[ $program -nt $source ]] ||
            gcc -O1 -Wall -static -s -o "$program" "$source" 2>>"$log_dir/guest.log" || return 1
        cp "$program" "$1/$(basename "$source" .c)" || return 1
    done
}

# Writes $lab_dir/initrd with the agent just built.
setup_image() {
    local root=$lab_dir/initramfs module
    mkdir -p "$cache_dir"
    setup_kernel
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/lib/modules"
    cp /bin/busybox "$root/bin/busybox" && cp "$top"/tests/lab/guest/init "$root/init" &&
        cp "$top"/tests/lab/guest/lab-* "$root/bin/" && rm "$root"/bin/lab-*.c &&
        guest_programs "$root/bin" && chmod 0755 "$root/init" "$root"/bin/* ||
        die "cannot make the guests' image in $root"
    for module in "${guest_modules[@]}"; do
        cp "$kernel_dir/$module.ko" "$root/lib/modules/"
        echo "$module"
    done >"$root/lib/modules/order"
    [[ -x $build_dir/lpar-agent ]] && install -m 0755 -s "$build_dir/lpar-agent" "$root/bin/"
    [[ -x $build_dir/lpar-agent-classes ]] &&
        install -m 0755 -s "$build_dir/lpar-agent-classes" "$root/bin/"
    mkdir -p "$root/etc/lpard"
    # The agent looks for its helper where `make install` would put it.
    echo 'classes-helper = /bin/lpar-agent-classes' >"$root/etc/lpard/agent.conf"
    initrd=$lab_dir/initrd
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$initrd.new" &&
        mv "$initrd.new" "$initrd" || die "cannot write $initrd"
    setup_image_qga
}

# setup_image_qga: $lab_dir/initrd-qga, the same with qemu-guest-agent and its libraries on top.
# Apart, since most guests have no use for these 6 MiB; the kernel unpacks one archive after the
# other.
setup_image_qga() {
    local root=$lab_dir/initramfs-qga program library
    program=$(command -v qemu-ga) || die "qemu-ga is not installed"
    rm -rf "$root"
    mkdir -p "$root/bin"
    cp "$program" "$root/bin/" || die "cannot make the guests' image in $root"
    while read -r library; do
        mkdir -p "$root${library%/*}" && cp -L "$library" "$root$library" ||
            die "cannot copy $library"
    done < <(ldd "$program" | sed -n 's,^[^/]*\(/[^ ]*\) (0x.*,\1,p')
    { cat "$initrd" && (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1); } \
        >"$initrd-qga.new" && mv "$initrd-qga.new" "$initrd-qga" || die "cannot write $initrd-qga"
}
