#!/bin/bash
# newcomer.sh - installs the tools as the README says, and as a new admin would: every command of its chapter "Install", and no
# other; then a meeting is recorded, and Chromium plays it through the link in its row.
#
# All of it happens in a copy of this machine that is written nowhere (an overlay), in namespaces of its own. What a new admin has
# and this copy lacks is made in prepare(): Jibri, systemd, a certificate, Notion. KEEP=1 leaves the copy in target/newcomer.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
scratch=$repo/target/newcomer
copy=$scratch/copy
started=$SECONDS

say() { printf '\n== %s\n' "$*"; }
fail() { echo "newcomer: $*" >&2; exit 1; }

# The commands of the README's chapter, a line each.
commands() {
    awk '/^## /{chapter = $0} /^ *```/{sh = /```sh$/; next} sh && chapter == "## Install" {sub(/^ +/, ""); print}' "$repo/README.md"
}

# Outside: builds what only a network can give, and goes into the copy.
outside() {
    cd "$repo"
    sh tests/needs.sh cargo gcc make ffmpeg ffprobe caddy chromium node npm setpriv unshare openssl ip curl
    [ "$(id -u)" = 0 ] || fail 'run it as root: it makes a copy of this machine, with users of its own'
    cargo build --quiet --locked --workspace --bins
    [ -d tests/watch/node_modules ] || npm ci --no-audit --no-fund --silent --prefix tests/watch
    rm -rf "$scratch"
    mkdir -p "$scratch/upper" "$scratch/work" "$copy"
    unshare --mount --pid --fork --kill-child --propagation private bash "$0" mounted
    [ -n "${KEEP:-}" ] || rm -rf "$scratch"
    printf '\nFrom the clone to a recording that plays: %s s.\n' "$((SECONDS - started))"
}

# With a file system of its own.
mounted() {
    mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$copy"
    mount --rbind /dev "$copy/dev"
    mount -t proc proc "$copy/proc"
    mount --bind /sys "$copy/sys"
    mount -t tmpfs tmpfs "$copy/run"
    mount -t tmpfs tmpfs "$copy/tmp"
    chmod 1777 "$copy/tmp"
    # What cargo builds is worth keeping.
    mount --bind "$repo/target" "$copy$repo/target"
    chroot "$copy" /bin/bash "$repo/tests/newcomer.sh" prepare
    # The package is built with a network; all else happens without one, on ports of its own.
    chroot "$copy" /bin/bash "$repo/tests/newcomer.sh" read build
    exec unshare --net chroot "$copy" /bin/bash "$repo/tests/newcomer.sh" alone
}

# What a new admin has: a Jibri that records into /srv/recordings; and, where none runs here, systemd.
prepare() {
    dpkg --purge jitsi-recording-pipeline >/dev/null 2>&1 || true
    rm -rf /srv/recordings /etc/jitsi /var/log/jitsi-recording-pipeline /var/spool/jitsi-recording-pipeline /run/lock
    mkdir -p /run/lock /etc/jitsi/jibri /usr/local/sbin /var/newcomer
    openssl rand -hex 10 >/var/newcomer/password
    # What is typed where something asks: the password. The certificate authority of an earlier Caddy is none of a new admin's.
    cp /var/newcomer/password /var/newcomer/typed
    rm -rf /var/lib/caddy/.local
    id -u jibri >/dev/null 2>&1 || useradd --system --create-home --user-group jibri
    cat >/etc/jitsi/jibri/jibri.conf <<'END'
jibri {
  recording {
    recordings-directory = "/tmp/recordings"
    finalize-script = "/path/to/finalize"
  }
}
END
    install -m 755 "$repo/tests/newcomer/"* /usr/local/sbin/
}

# Runs the commands of the README: those before the package is there, or those after.
read_on() {
    cd "$repo"
    local part=build command
    while IFS= read -r command; do
        if [ "$part" = "$1" ]; then
            printf '\n$ %s\n' "$command"
            bash -euo pipefail -c "$command" </var/newcomer/typed 2>&1 | tee -a /var/newcomer/seen
        fi
        case $command in make\ deb*) part=install ;; esac
    done < <(commands)
    [ "$part" = install ] || fail 'the README builds no package'
}

# Without a network.
alone() {
    ip link set lo up
    echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
    say 'Notion, in its stand-in'
    "$repo/target/debug/notion-standin" --listen 127.0.0.1:0 --url-file /var/newcomer/notion.url >/var/newcomer/notion &
    until [ -s /var/newcomer/notion ] && [ -s /var/newcomer/notion.url ]; do sleep 0.1; done
    local url
    url=$(cat /var/newcomer/notion.url)

    say 'The README, word for word'
    read_on install

    say 'A meeting is recorded'
    local conf=/etc/jitsi/jibri/jibri.conf room
    room=$(sed -n 's/.*recordings-directory *= *"\(.*\)"/\1/p' "$conf")/0b3c9a1e-7c0d-4f5e-9a77-3d1f0a2b4c5d
    local finalize
    finalize=$(sed -n 's/.*finalize-script *= *"\(.*\)"/\1/p' "$conf")
    as jibri mkdir "$room"
    # As Jibri does: https://github.com/jitsi/jibri, reference.conf.
    as jibri ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1280x720:rate=30:duration=20 \
        -f lavfi -i sine=frequency=440:duration=20 -acodec aac -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264 \
        -pix_fmt yuv420p -r 30 -crf 25 -preset ultrafast -profile:v main -level 3.1 -timestamp now -f mp4 \
        "$room/standup_2026-11-21-10-00-00.mp4"
    # shellcheck disable=SC2016 # $0 is that shell's
    as jibri sh -c 'echo "{\"meeting_url\":\"https://meet.example.com/standup\",\"participants\":[]}" >"$0/metadata.json"' "$room"
    as jibri "$finalize" "$room"
    "$repo/target/debug/notion-standin" --show "$url"
    # The path unit does so when finalize has ended.
    systemctl start jitsi-hls-worker.service
    "$repo/target/debug/notion-standin" --show "$url" | tee /var/newcomer/row
    [ -z "$(find "$room" -maxdepth 1 -name '*.mp4')" ] || fail 'the MP4 is still there'

    say 'A colleague clicks the link in the row'
    local link
    link=$(grep -o 'https://[^ "]*' /var/newcomer/row | head -1)
    echo "$link"
    node "$repo/tests/watch/newcomer.mjs" "$(command -v chromium)" "$link" team "$(cat /var/newcomer/password)" \
        "$repo/target/newcomer.png"
}

as() {
    local user=$1
    shift
    (cd / && umask 022 && setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all -- "$@")
}

case ${1-} in
'') outside ;;
mounted) mounted ;;
prepare) prepare ;;
read) read_on "$2" ;;
alone) alone ;;
*) fail "unknown: $1" ;;
esac
