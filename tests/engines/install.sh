#!/usr/bin/env bash
# Installs the real container engines that the tests under tests/engines talk to, and the browser in
# which tests/browser looks at pages.
#
#   * this machine (Debian 12): Docker 20.10, Podman, skopeo, umoci, a registry, and what they need;
#     Chromium and its driver;
#   * a cached chroot with a newer Debian: Docker >= 25, containerd, Podman 5, skopeo, umoci, crane.
#
# Safe to run again: with everything in place it only looks, and needs no network. No service is
# started; the tests start the engines themselves. A chroot is shown under its name only when it is
# complete, so an interrupted run leaves nothing that looks finished.
#
#   LAMELLA_TEST_CACHE     where the chroot lives (default: $XDG_CACHE_HOME/lamella-test)
#   LAMELLA_TEST_RELEASES  releases to try, in this order (default: "sid trixie"): sid has the newest
#                          Docker, trixie does not move and steps in on the days when sid is broken
#   LAMELLA_TEST_MIRROR    Debian mirror (default: the one that this machine's apt uses)

set -euo pipefail

readonly CACHE=${LAMELLA_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lamella-test}
readonly CHROOT=$CACHE/modern
readonly RELEASES=${LAMELLA_TEST_RELEASES:-sid trixie}

# Raise this when the recipe of the chroot changes: older chroots are then made anew.
readonly RECIPE=2

readonly HOST_PACKAGES=(
    docker.io containerd runc tini iptables
    podman crun conmon uidmap golang-github-containers-common buildah
    skopeo umoci docker-registry golang-go golang-github-moby-patternmatcher-dev
    debootstrap debian-archive-keyring ca-certificates
    busybox-static zstd xz-utils bzip2 util-linux libcap2-bin strace xfsprogs openssh-client openssh-server
    chromium chromium-driver fonts-noto-core
    tmux man-db mandoc
)
readonly CHROOT_PACKAGES=(docker.io containerd runc iptables podman crun skopeo umoci)
# Not every release has these, and the tests can do without them. docker-cli is what sid split from
# docker.io; docker-buildx makes images with attestations; oras and cosign know what is attached to one.
readonly CHROOT_EXTRAS=(docker-cli docker-buildx crane oras cosign)
readonly CHROOT_COMMANDS=(dockerd docker-init containerd ctr runc podman crun skopeo umoci)

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

say() { printf 'engines: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- this machine ---------------------------------------------------------------------------------

missing_packages() {
    local name status
    for name in "${HOST_PACKAGES[@]}"; do
        status=$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null || true)
        [[ $status == installed ]] || printf '%s\n' "$name"
    done
}

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_KEPT=$POLICY.before-lamella-test

# Debian starts a service when its package is installed, unless this file says no.
forbid_services() {
    if [[ -e $POLICY && ! -e $POLICY_KEPT ]]; then
        mv "$POLICY" "$POLICY_KEPT"
    fi
    printf '#!/bin/sh\n# lamella-test: for the time of one install\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

restore_services() {
    if [[ -e $POLICY_KEPT ]]; then
        mv "$POLICY_KEPT" "$POLICY"
    elif grep -qs '^# lamella-test' "$POLICY"; then
        rm -f "$POLICY"
    fi
}

install_on_host() {
    local missing
    mapfile -t missing < <(missing_packages)
    if ((${#missing[@]} == 0)); then
        return
    fi
    say "installing ${missing[*]}"
    forbid_services
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
    restore_services
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} == 0)) || die "still missing after the install: ${missing[*]}"
}

# --- the chroot -----------------------------------------------------------------------------------

# The chroot's recipe and its commands tell whether it can be used as it is.
is_complete() {
    local root=$1 command
    [[ $(cat "$root/etc/lamella-test-recipe" 2>/dev/null) == "$RECIPE" ]] || return 1
    for command in "${CHROOT_COMMANDS[@]}"; do
        [[ -x $root/usr/bin/$command || -x $root/usr/sbin/$command ]] || return 1
    done
}

find_mirror() {
    local found
    if [[ -n ${LAMELLA_TEST_MIRROR:-} ]]; then
        printf '%s\n' "$LAMELLA_TEST_MIRROR"
        return
    fi
    list_mirrors() {
        # shellcheck disable=SC2016 # apt expands these
        apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
            awk -F'|' '$1 == "Debian" && $2 == "Debian" && !seen[$3]++ { print $3 }'
    }
    found=$(list_mirrors | head -n 1)
    if [[ -z $found ]]; then # apt has no lists yet
        apt-get update -qq
        found=$(list_mirrors | head -n 1)
    fi
    [[ -n $found ]] || die "apt knows no Debian mirror; set LAMELLA_TEST_MIRROR"
    printf '%s\n' "$found"
}

# What apt needs here to reach its mirror (proxy, certificates, dates of a snapshot) it needs there.
copy_apt_settings() {
    local root=$1
    apt-config dump |
        grep -E '^Acquire::((http|https)::(Proxy|CaInfo|CaPath|Verify-Peer)|Retries|Check-)' \
        >"$root/etc/apt/apt.conf.d/90lamella-test" || true
    mkdir -p "$root/usr/local/share/ca-certificates" "$root/etc/ssl/certs"
    find /usr/local/share/ca-certificates -name '*.crt' \
        -exec cp {} "$root/usr/local/share/ca-certificates/" \; 2>/dev/null || true
    if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
        cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
    rm -f "$root/etc/resolv.conf"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
}

# Runs in a mount namespace of its own (see make_chroot): its mounts end with it, whatever happens.
fill_chroot() {
    local root=$1 extras=() name
    mount -t proc proc "$root/proc"
    printf '#!/bin/sh\nexit 101\n' >"$root$POLICY"
    chmod 755 "$root$POLICY"
    chroot "$root" apt-get update -qq
    for name in "${CHROOT_EXTRAS[@]}"; do
        if chroot "$root" apt-cache show "$name" >/dev/null 2>&1; then
            extras+=("$name")
        fi
    done
    chroot "$root" apt-get install -qq -y --no-install-recommends \
        ca-certificates "${CHROOT_PACKAGES[@]}" "${extras[@]}" >&2
    chroot "$root" apt-get clean
    # A release in the middle of a transition can install and still not run.
    chroot "$root" dockerd --version >&2
    chroot "$root" containerd --version >&2
    chroot "$root" skopeo --version >&2
}

make_chroot() {
    local release=$1 mirror=$2 root=$3 proxy=
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    if [[ -n $proxy ]]; then
        export http_proxy=$proxy
    fi
    debootstrap --variant=minbase "$release" "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; return 1; }
    copy_apt_settings "$root"
    unshare --mount --propagation private bash -euo pipefail -c \
        "$(declare -p CHROOT_PACKAGES CHROOT_EXTRAS POLICY); $(declare -f fill_chroot); fill_chroot \"\$1\"" \
        fill_chroot "$root" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; return 1; }
    rm -f "$root.log"
    printf '%s\n' "$RECIPE" >"$root/etc/lamella-test-recipe"
    is_complete "$root"
}

# Only the run that holds the lock may do this: what looks left over may be another run's work.
remove_leftovers() {
    rm -rf --one-file-system "$CACHE"/modern.tmp.* "$CACHE"/modern.old.*
}

install_chroot() {
    local release mirror root
    if is_complete "$CHROOT"; then
        return
    fi
    mkdir -p "$CACHE"
    exec 9>"$CACHE/.lock"
    flock 9 # another run may be at it; then the work is done when the lock is ours
    locked=yes
    if is_complete "$CHROOT"; then
        return
    fi
    remove_leftovers
    mirror=$(find_mirror)
    for release in $RELEASES; do
        say "making a chroot of Debian $release in $CHROOT"
        root=$(mktemp -d "$CACHE/modern.tmp.XXXXXX")
        chmod 755 "$root"
        if make_chroot "$release" "$mirror" "$root"; then
            if [[ -e $CHROOT ]]; then
                mv "$CHROOT" "$CACHE/modern.old.$$"
            fi
            mv "$root" "$CHROOT"
            remove_leftovers
            return
        fi
        say "Debian $release can't be used today"
    done
    die "no chroot with a newer Docker could be made (tried: $RELEASES)"
}

locked=

clean_up() {
    restore_services
    [[ -z $locked ]] || remove_leftovers
}

main() {
    ((EUID == 0)) || die "has to run as root"
    command -v apt-get >/dev/null || die "needs a Debian machine (no apt-get here)"
    install_on_host
    install_chroot
    say "ready: $(dockerd --version); in the chroot: $(chroot "$CHROOT" dockerd --version)"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
main "$@"
