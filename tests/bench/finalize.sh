#!/usr/bin/env bash
# What a bash finalize costs: one find, one jq, one curl and what glues them together, as the common recipe for it goes.
# For the benchmark only. Arguments: the recording's directory. Environment: the env file's keys.
set -euo pipefail

dir=$1
# shellcheck disable=SC1090
source "$RECORDING_PIPELINE_ENV"
mkdir -p "$LOG_DIR"
log() { printf '%s %s\n' "$(date -Is)" "$*" | tee -a "$LOG_DIR/finalize.log" >&2; }

room=$(basename "$dir")
mp4=$(find "$dir" -maxdepth 1 -type f -name '*.mp4' -printf '%s\t%p\n' | sort -nr | head -n1 | cut -f2-)
url=$PUBLIC_BASE_URL/$room/$(basename "$mp4")
when=$(date -u -r "$mp4" +%Y-%m-%dT%H:%M:%SZ)
log "Finalize room=$room file=$(basename "$mp4") url=$url date=$when"

body=$(jq -n --arg db "$NOTION_DATABASE_ID" --arg title "$NOTION_NAME_PREFIX $room" --arg when "$when" --arg url "$url" --arg room "$room" '{
    parent: {database_id: $db},
    properties: {
        Name: {title: [{text: {content: $title}}]},
        Date: {date: {start: $when}},
        "Recording URL": {url: $url},
        Room: {rich_text: [{text: {content: $room}}]},
        Status: {select: {name: "recorded"}},
        Provider: {select: {name: "mp4"}}
    }
}')
reply=$(curl -sS -X POST "$NOTION_API_URL/v1/pages" -H "Authorization: Bearer $NOTION_TOKEN" \
    -H 'Content-Type: application/json' -H 'Notion-Version: 2022-06-28' --data "$body")
page=$(jq -r '.id // empty' <<<"$reply")
[[ -n $page ]] || { log "ERROR: Notion create page failed: $(jq -c . <<<"$reply")"; exit 1; }
echo "$page" >"$dir/.notion_id"
log "OK: notion page created id=$page stored at $dir/.notion_id"
