#!/bin/bash
# cron.sh DIR - runs Debian's cron, with the tables in DIR/cron.d and the programs in DIR/bin, until DIR/stop is there.
#
# In a mount namespace of its own, with copies of what cron reads: neither this host's tables nor its users are touched.
# What is mailed goes to DIR/mail, what is logged to DIR/logged.
set -euo pipefail
[ "${2-}" = inside ] || exec unshare --mount --propagation private bash "$0" "$1" inside
dir=$1

mkdir "$dir/etc" "$dir/sbin"
cp -a /etc/. "$dir/etc/"
rm -rf "$dir/etc/cron.d" "$dir/etc/crontab" "$dir/etc/jitsi"
cp -r "$dir/cron.d" "$dir/etc/cron.d"
chmod 644 "$dir"/etc/cron.d/*
mkdir "$dir/etc/jitsi"
cp "$dir/recording-pipeline.env" "$dir/etc/jitsi/"
echo 'jitsi-recordings:x:64990:64990::/:/usr/sbin/nologin' >>"$dir/etc/passwd"
echo 'jitsi-recordings:x:64990:' >>"$dir/etc/group"
echo 'jitsi-recordings:!:19000::::::' >>"$dir/etc/shadow"
chown root:64990 "$dir/etc/jitsi/recording-pipeline.env"
chmod 640 "$dir/etc/jitsi/recording-pipeline.env"

# Cron mails with this program alone, which need not be on this host.
cat >"$dir/sbin/sendmail" <<END
#!/bin/sh
cat >>'$dir/mail'
END
# The same name as in the tables' PATH, and before the system's.
cat >"$dir/bin/logger" <<END
#!/bin/sh
{ echo "logger \$*"; cat; } >>'$dir/logged'
END
chmod 755 "$dir/sbin/sendmail" "$dir/bin/logger"
touch "$dir/mail" "$dir/logged"
chmod 666 "$dir/mail" "$dir/logged"
for program in /usr/sbin/*; do
    [ "$program" = /usr/sbin/sendmail ] || cp -a "$program" "$dir/sbin/"
done

mount --bind "$dir/etc" /etc
mount --bind "$dir/bin" /usr/local/bin
mount --bind "$dir/sbin" /usr/sbin
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/spool/cron
install -d -g crontab -m 1730 /var/spool/cron/crontabs

# What cron takes for a table: the lines as they are shipped, without the user that /etc/cron.d has.
for table in "$dir"/shipped/*; do
    sed 's/^\([^ #]* [^ ]* [^ ]* [^ ]* [^ ]*\) jitsi-recordings /\1 /' "$table" | crontab -u jitsi-recordings -
done
if printf '*/20x * * * * true\n' | crontab -u jitsi-recordings - 2>/dev/null; then
    echo 'crontab takes any line' >&2
    exit 1
fi
crontab -u jitsi-recordings -r

cron -f &
cron=$!
trap 'kill "$cron"' EXIT
until [ -e "$dir/stop" ]; do
    sleep 0.2
    kill -0 "$cron"
done
