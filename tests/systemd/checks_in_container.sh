#!/bin/sh
# shellcheck disable=SC2016  # until_true works its condition out anew each time
# Runs inside the container of boot_container.sh, systemd being up; what it prints is what test_units_live.py reads.
active() { for p in gate inspector agent; do printf '%s %s %s\n' "$1" "$p" "$(systemctl is-active "boardgate-$p")"; done; }
# At most 15 s for something to become true.
until_true() {
    for _ in $(seq 150); do
        if eval "$1"; then return; fi
        sleep 0.1
    done
    echo "never: $1"
}

sh /opt/systemd/install.sh || echo "install failed"
echo secret >/etc/boardgate/credentials/mqtt-password
echo picture >/var/lib/boardgate/inbox/A1.jpg
systemctl start boardgate.target
until_true 'systemctl -q is-active boardgate-gate boardgate-inspector && systemctl -q is-active boardgate-agent'
active started
journalctl --no-pager -o cat -u 'boardgate-*' | grep '^probe '
stat -c 'file %n %a %U %G' /var/lib/boardgate/gate/*

# A loop that stands still is killed within the watchdog's time and is back.
touch /etc/boardgate/freeze-gate
until_true 'journalctl -o cat -u boardgate-gate | grep -q "Watchdog timeout"'
rm /etc/boardgate/freeze-gate
until_true 'test "$(systemctl show -P NRestarts boardgate-gate)" -ge 1 && systemctl -q is-active boardgate-gate'
active thawed
journalctl --no-pager -o cat -u boardgate-gate | grep -m 1 'most recent call first' | sed 's/^/trace /'

# A process that dies at every start reaches its last restart; the others go on.
mkdir -p /etc/systemd/system/boardgate-inspector.service.d
printf '[Unit]\nStartLimitBurst=3\n[Service]\nRestartSec=50ms\n' >/etc/systemd/system/boardgate-inspector.service.d/test.conf
systemctl daemon-reload
touch /etc/boardgate/die-inspector
systemctl kill -s KILL boardgate-inspector
until_true 'systemctl -q is-failed boardgate-inspector'
active gave-up

systemctl stop boardgate.target
until_true '! systemctl -q is-active boardgate-gate && ! systemctl -q is-active boardgate-agent'
active stopped
sh /opt/systemd/install.sh --uninstall >/dev/null || echo "uninstall failed"
ls /etc/systemd/system/boardgate.target /etc/systemd/system/boardgate-*.service 2>/dev/null
echo end
