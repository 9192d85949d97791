#!/bin/sh
# Installs the systemd units of a boardgate station: checks, copies, makes users and folders, says what to do next.
# Run again after an upgrade: it changes only what differs. It never starts, stops or restarts the station by itself,
# because that holds the line; --uninstall does stop it.
set -eu

STATE_DIR=/var/lib/boardgate
DEFAULT_VENV=/opt/boardgate
DEFAULT_CONFIG=/etc/boardgate/station.toml
DEFAULT_INBOX=$STATE_DIR/inbox
MIN_SYSTEMD=248 # PrivateIPC= is from 248, LoadCredential= from 247; an older one would ignore them
UNITS="boardgate.target boardgate-gate.service boardgate-inspector.service boardgate-agent.service"

usage() {
    cat <<'HELP'
usage: install.sh [--venv DIR] [--config FILE] [--inbox DIR] [--root DIR] [--dry-run] [--uninstall]

  --venv DIR      where boardgate is installed         (default /opt/boardgate)
  --config FILE   the station's settings               (default /etc/boardgate/station.toml)
  --inbox DIR     where the machine drops pictures     (default /var/lib/boardgate/inbox)
  --root DIR      install into an image or a folder instead of this machine
  --dry-run       say what would be done and do nothing
  --uninstall     stop the station and remove units; journal, pictures, settings and users stay

example: sudo sh install.sh --venv /opt/boardgate --config /etc/boardgate/station.toml
exit codes: 0 done, 1 refused or failed (nothing half-written), 2 wrong arguments
HELP
}

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
misuse() {
    printf 'install.sh: %s\n\n' "$*" >&2
    usage >&2
    exit 2
}

# Do it, or in a dry run say it.
act() {
    if [ "$dry_run" = yes ]; then
        say "would run: $*"
    else
        "$@"
    fi
}

# A path that goes into a unit file: absolute, plain characters (no %, blanks or sed's own), no way up.
checked_path() { # NAME VALUE
    case $2 in
    /*) ;;
    *) misuse "$1 $2: must be an absolute path" ;;
    esac
    case $2 in
    *[!A-Za-z0-9._/+-]* | */../* | */..) misuse "$1 $2: only letters, digits and . _ / + - are allowed, and no .." ;;
    esac
    case $2/ in
    /home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*)
        misuse "$1 $2: the units see no /home, /root or /tmp (ProtectHome=, PrivateTmp=); put it under /opt, /etc, /srv or /var/lib" ;;
    esac
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --venv | --config | --inbox | --root)
            [ -n "${2:-}" ] || misuse "$1 needs a value"
            case $1 in
            --venv) venv=${2%/} ;;
            --config) config=$2 ;;
            --inbox) inbox=${2%/} ;;
            --root) root=${2%/} ;;
            esac
            shift
            ;;
        --dry-run) dry_run=yes ;;
        --uninstall) uninstall=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) misuse "unknown argument $1" ;;
        esac
        shift
    done
    checked_path --venv "$venv"
    checked_path --config "$config"
    checked_path --inbox "$inbox"
    if [ -n "$root" ]; then
        [ -d "$root" ] || misuse "--root $root: not a folder"
        root=$(cd "$root" && pwd)
    fi
}

running_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

check_rights() {
    if [ -z "$root" ] && [ "$dry_run" = no ] && [ "$(id -u)" -ne 0 ]; then
        die "must be root to install on this machine: sudo sh $0 ..., or --root DIR, or --dry-run"
    fi
}

check_systemd() {
    running_systemd || return 0
    version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge "$MIN_SYSTEMD" ] ||
        die "systemd ${version:-unknown} on this machine, $MIN_SYSTEMD or newer is needed: an older one ignores part of the sandbox"
}

check_sources() {
    for file in $UNITS sysusers.d/boardgate.conf tmpfiles.d/boardgate.conf README.md; do
        [ -f "$here/$file" ] || die "$here/$file is missing: run install.sh from the folder it came in"
    done
}

check_program() {
    [ -x "$root$venv/bin/boardgate" ] ||
        die "$root$venv/bin/boardgate: no such program. First: python3 -m venv $venv && $venv/bin/pip install boardgate"
    [ -z "$root" ] && [ -e "$venv/bin/python3" ] || return 0
    python=$(readlink -f "$venv/bin/python3")
    case $python in
    /home/* | /root/* | /tmp/*)
        die "$venv runs on $python, which the units cannot see (ProtectHome=): make it with /usr/bin/python3 -m venv $venv" ;;
    esac
}

# One value of the settings file, as far as one line of TOML shows it.
setting() { sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*[\"']\\([^\"']*\\)[\"'].*/\\1/p" "$root$config" | head -n 1; }

check_setting() { # KEY EXPECTED WHY
    found=$(setting "$1")
    if [ -n "$found" ] && [ "$found" != "$2" ]; then
        warn "$config: $1 = \"$found\", but the units give the station $2: $3"
    fi
}

check_config() {
    if [ ! -f "$root$config" ]; then
        warn "$config is not there yet: the station cannot start without it"
        return 0
    fi
    check_setting state_dir "$STATE_DIR" "change the setting"
    check_setting inbox "$inbox" "change the setting or run again with --inbox"
}

# The file as it will be installed, on standard output.
filled_in() {
    if [ "$inbox" = "$DEFAULT_INBOX" ]; then
        cat "$1"
    else # a folder of the owner's own: neither made nor changed by tmpfiles.d
        sed "\\|^d $DEFAULT_INBOX |d; s|$DEFAULT_INBOX|$inbox|g" "$1"
    fi | sed "s|$DEFAULT_VENV/bin/|$venv/bin/|g; s|$DEFAULT_CONFIG|$config|g"
}

install_file() { # SOURCE DESTINATION
    destination=$root$2
    filled_in "$1" >"$scratch"
    if [ -f "$destination" ] && cmp -s "$scratch" "$destination"; then
        say "unchanged  $destination"
        return 0
    fi
    word=new
    [ ! -f "$destination" ] || word=changed
    if [ "$dry_run" = yes ]; then
        say "would write ($word)  $destination"
        return 0
    fi
    mkdir -p "$(dirname "$destination")"
    cp "$scratch" "$destination.new"
    chmod 0644 "$destination.new"
    mv -f "$destination.new" "$destination" # whole or not at all
    say "$(printf '%-9s' "$word")  $destination"
}

make_users_and_folders() {
    if [ "$(id -u)" -ne 0 ] && [ "$dry_run" = no ]; then
        say "later      users and folders: not root, so systemd makes them when $root first starts"
        return 0
    fi
    for tool in systemd-sysusers systemd-tmpfiles; do
        command -v "$tool" >/dev/null || die "$tool is missing: it belongs to systemd"
    done
    # By name, not by path: with --root the file is looked for inside.
    act systemd-sysusers ${root:+"--root=$root"} boardgate.conf
    act systemd-tmpfiles ${root:+"--root=$root"} --create boardgate.conf
}

next_steps() {
    say ""
    say "Next:"
    step=1
    if [ ! -f "$root$config" ]; then
        say "  $step. write $config (state_dir = \"$STATE_DIR\", inbox = \"$inbox\")"
        step=$((step + 1))
    fi
    say "  $step. broker password or client key, if any: into /etc/boardgate/credentials/ (see README.md beside install.sh)"
    say "  $((step + 1)). $venv/bin/boardgate check $config"
    say "  $((step + 2)). systemctl enable --now boardgate.target     after an upgrade: systemctl restart boardgate.target"
    say "     (the line holds for some seconds)"
    say "  $((step + 3)). systemctl status 'boardgate-*'; journalctl -f -u 'boardgate-*'"
}

install_station() {
    check_program
    check_config
    scratch=$(mktemp)
    trap 'rm -f "$scratch"' EXIT
    for unit in $UNITS; do
        install_file "$here/$unit" "/etc/systemd/system/$unit"
    done
    install_file "$here/sysusers.d/boardgate.conf" /etc/sysusers.d/boardgate.conf
    install_file "$here/tmpfiles.d/boardgate.conf" /etc/tmpfiles.d/boardgate.conf
    install_file "$here/README.md" /usr/local/share/doc/boardgate/systemd.md
    make_users_and_folders
    if running_systemd; then
        act systemctl daemon-reload
    fi
    next_steps
}

remove_file() {
    if [ -f "$root$1" ]; then
        act rm -f "$root$1"
        [ "$dry_run" = yes ] || say "removed    $root$1"
    fi
}

uninstall_station() {
    if running_systemd && [ -f /etc/systemd/system/boardgate.target ]; then
        act systemctl disable --now boardgate.target
        # PartOf= stops them with the target; named here for a station where the target was never started.
        act systemctl stop boardgate-gate.service boardgate-inspector.service boardgate-agent.service
    fi
    for unit in $UNITS; do
        remove_file "/etc/systemd/system/$unit"
    done
    remove_file /etc/sysusers.d/boardgate.conf
    remove_file /etc/tmpfiles.d/boardgate.conf
    remove_file /usr/local/share/doc/boardgate/systemd.md
    if running_systemd; then
        act systemctl daemon-reload
    fi
    say "kept       $STATE_DIR (journal, pictures), /etc/boardgate, users and groups boardgate*, drop-ins, $venv"
}

here=$(cd "$(dirname "$0")" && pwd)
venv=$DEFAULT_VENV
config=$DEFAULT_CONFIG
inbox=$DEFAULT_INBOX
root=
dry_run=no
uninstall=no
read_arguments "$@"
check_rights
check_systemd
check_sources
if [ "$uninstall" = yes ]; then
    uninstall_station
else
    install_station
fi
