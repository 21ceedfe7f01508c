#!/bin/sh
# Programs that some tests start: installs what is missing where it may, else names those tests.

missing() {
    for needed in promtool:prometheus chromium:chromium; do  # a program, and Debian's package of it
        command -v "${needed%:*}" >/dev/null || printf ' %s' "${needed#*:}"
    done
}

install() {
    # Where systemd runs is somebody's own machine, and a package may bring a server along.
    [ ! -d /run/systemd/system ] && command -v apt-get >/dev/null || return
    [ "$(id -u)" = 0 ] && root="" || root="sudo -n"
    $root true 2>/dev/null || return
    packages=$(missing)
    echo "installing$packages"
    policy=/usr/sbin/policy-rc.d  # is asked whether a package may start its server
    if [ ! -e $policy ]; then
        trap '$root rm -f $policy' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
        $root chmod +x $policy
    fi
    # shellcheck disable=SC2086 # some words
    said=$({
        $root apt-get update -qq
        $root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qq --no-install-recommends $packages
    } 2>&1) || echo "$said"
}

[ -z "$(missing)" ] || install
[ -z "$(missing)" ] || echo "tests of boards, alerts or the page will be skipped, for want of:$(missing)"
exit 0
