#!/bin/sh
# Boots systemd in a throw-away container over this machine's own file system (nothing on it is changed), installs the
# station's units there with install.sh, starts them on stub_station.py and leaves what was seen in OUTPUT.
# boot_container.sh WORK OUTPUT        run as root inside `unshare --mount --propagation private`
# boot_container.sh WORK --probe       only: can this machine do that at all?
set -eu
work=$1
output=$2
here=$(cd "$(dirname "$0")" && pwd)
units=$here/../../systemd

mount -t tmpfs -o size=512m tmpfs "$work"
mkdir "$work/upper" "$work/scratch" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" "$work/root"
root=$work/root
mount -t tmpfs tmpfs /run # nspawn keeps its own things here; the machine's /run stays out of its reach

container() { systemd-nspawn --quiet -D "$root" --register=no --keep-unit --private-network "$@" </dev/null; }

if [ "$output" = --probe ]; then
    container --pipe test -x /lib/systemd/systemd
    exit
fi

tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
mkdir -p "$root/opt/boardgate/bin"
cp "$here/stub_station.py" "$root/opt/boardgate/bin/boardgate"
chmod 755 "$root/opt/boardgate/bin/boardgate"
cp -r "$units" "$root/opt/systemd" # the checkout may lie on a file system the container does not see
cp "$here/checks_in_container.sh" "$root/opt/checks.sh"
cat >"$root/etc/systemd/system/checks.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/sh /opt/checks.sh
StandardOutput=file:/opt/seen.txt
StandardError=file:/opt/seen.txt
ExecStopPost=/bin/systemctl --no-block exit
UNIT
# basic.target alone: none of this machine's own services is started.
cat >"$root/etc/systemd/system/checks.target" <<'UNIT'
[Unit]
Requires=basic.target
After=basic.target
Wants=checks.service
UNIT
timeout --kill-after=5 90 systemd-nspawn --quiet -D "$root" --register=no --keep-unit --private-network --boot \
    --console=pipe -- --unit=checks.target </dev/null >"$work/console.txt" 2>&1 || true
cp "$root/opt/seen.txt" "$output"
