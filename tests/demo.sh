#!/bin/sh
# demo.sh - the whole pipeline on a real MP4, against a stand-in for Notion, in target/demo. MP4=path: on a copy of your own.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

if [ -n "${MP4:-}" ]; then
    [ -f "$MP4" ] || { echo "MP4=$MP4: there is no such file" >&2; exit 1; }
    case $(realpath -- "$MP4") in "$PWD"/target/demo/*)
        echo "MP4=$MP4: it lies in target/demo, which the demo empties; move it elsewhere" >&2
        exit 1 ;;
    esac
fi

echo 'Building the tools; a minute or two the first time.'
cargo build --quiet --locked --workspace --bins
bin=$PWD/target/debug
demo=$PWD/target/demo
rm -rf "$demo"
room=$demo/recordings/daily-standup
mkdir -p "$room"

if [ -n "${MP4:-}" ]; then
    name=$(basename -- "$MP4")
    case $name in *.[mM][pP]4) ;; *) name=$name.mp4 ;; esac
    cp -- "$MP4" "$room/$name"
    say "A recording: a copy of $MP4"
else
    say "A recording: 20 seconds of test picture and tone, encoded as Jibri encodes"
    name=daily-standup_$(date +%Y-%m-%d-%H-%M-%S).mp4
    ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1280x720:rate=30:duration=20 -f lavfi -i sine=frequency=440:duration=20 \
        -acodec aac -strict -2 -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264 -pix_fmt yuv420p -r 30 -crf 25 \
        -preset ultrafast -profile:v main -level 3.1 -timestamp now -f mp4 "$room/$name"
    printf '{"meeting_url":"https://meet.example.com/daily-standup","participants":[]}' >"$room/metadata.json"
fi
ls -l "$room"

say 'A stand-in for Notion, on this machine only'
"$bin/notion-standin" --listen 127.0.0.1:0 --url-file "$demo/notion.url" >"$demo/notion.txt" &
standin=$!
trap 'kill "$standin" 2>/dev/null || true' EXIT
tries=0
until [ -s "$demo/notion.url" ] && [ -s "$demo/notion.txt" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo 'The stand-in does not start.' >&2; exit 1; }
    sleep 0.1
done
read -r url token database <"$demo/notion.txt"
echo "It listens on $url."

RECORDING_PIPELINE_ENV=$demo/recording-pipeline.env
export RECORDING_PIPELINE_ENV
cat >"$RECORDING_PIPELINE_ENV" <<EOF
NOTION_TOKEN='$token'
NOTION_DATABASE_ID='$database'
NOTION_API_URL='$url'
PUBLIC_BASE_URL='https://rec.example.com'
RECORDINGS_ROOT='$demo/recordings'
NOTION_NAME_PREFIX='[Jitsi]'
LOG_DIR='$demo/log'
LOCK_DIR='$demo/lock'
EOF
chmod 640 "$RECORDING_PIPELINE_ENV"

say 'Jibri has closed the file and runs: jitsi-finalize DIR'
"$bin/jitsi-finalize" "$room" || echo '(It ends so for a recording that cannot be played: its row says error, and the file is kept.)'
say 'The row in Notion'
"$bin/notion-standin" --show "$url"

say 'Cron runs: jitsi-hls-worker'
"$bin/jitsi-hls-worker" || true
say 'The row in Notion'
"$bin/notion-standin" --show "$url"

say 'What lies on the disk now'
(cd "$demo" && find recordings -type f -exec ls -s --block-size=K {} + | sort -k 2)
say "The master playlist, and its public URL by: rec-url PATH"
if [ -f "$room/v0/master.m3u8" ]; then
    cat "$room/v0/master.m3u8"
    "$bin/rec-url" "$room/v0/master.m3u8"
else
    echo 'None was made.'
fi
say 'The log'
cat "$demo/log/finalize.log" "$demo/log/hls-worker.log"

say 'Where everything is'
cat <<EOF
$demo
  recordings/               the tree that Caddy would serve; play recordings/daily-standup/v0/master.m3u8 with ffplay or mpv
  recording-pipeline.env    the configuration of this demo
  log/                      finalize.log and hls-worker.log

Your own MP4:    make demo MP4=/path/to/meeting.mp4     (a copy of it is used)
A real Notion:   copy etc/recording-pipeline.env.example to /etc/jitsi/recording-pipeline.env and fill it in;
                 README.md, "Notion", says where token and database id come from. Then:
                 make all && sudo make install NOBUILD=1, and jitsi-finalize DIR, and jitsi-hls-worker
EOF
