//! What the bash scripts did to files and to Notion, at every stage, without what they were.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::media::{self, Clip};
use crate::{Bench, listing, run};

/// The master playlist that the scripts write beside every stream.
pub const MASTER: &str =
    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=1200000,RESOLUTION=854x480\nstream.m3u8\n";

/// A request to the bench's Notion, which must succeed.
#[track_caller]
pub fn request(bench: &Bench, method: &str, path: &str, body: &Value) -> Value {
    let (body, token) = (body.to_string(), bench.notion.token());
    let mut stream = TcpStream::connect(bench.notion.address()).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Notion-Version: 2022-06-28\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn largest_mp4(room: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(room).unwrap().map(|entry| entry.unwrap().path());
    let mp4s = files.filter(|path| path.extension().is_some_and(|kind| kind == "mp4"));
    mp4s.max_by_key(|path| fs::metadata(path).unwrap().len())
}

/// A row for the largest MP4, whose page id goes to `.notion_id`.
pub fn finalize(bench: &Bench, room: &Path) -> String {
    let name = room.file_name().unwrap().to_str().unwrap();
    let file = largest_mp4(room).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let select = |name: &str| json!({"select": {"name": name}});
    let body = json!({"parent": {"database_id": bench.notion.database_id()}, "properties": {
        "Name": {"title": [{"text": {"content": format!("[Jitsi] {name}")}}]},
        "Date": {"date": {"start": "2026-01-02T10:00:00Z"}},
        "Recording URL": {"url": format!("https://rec.example.com/{name}/{file}")},
        "Room": {"rich_text": [{"text": {"content": name}}]},
        "Status": select("recorded"),
        "Provider": select("mp4"),
    }});
    let page = request(bench, "POST", "/v1/pages", &body)["id"].as_str().unwrap().to_owned();
    fs::write(room.join(".notion_id"), format!("{page}\n")).unwrap();
    bench.notion.clear_requests();
    page
}

/// `v0` of a room as the scripts make it of this recording.
pub fn make_hls(clip: Clip, room: &Path) {
    let mp4 = media::clip(clip);
    let made = mp4.with_extension("v0");
    if !made.exists() {
        let tmp = tempfile::tempdir_in(made.parent().unwrap()).unwrap();
        encode(&mp4, tmp.path(), &[]);
        // Another test may have been as quick.
        let _ = fs::rename(tmp.path(), &made);
    }
    let v0 = room.join("v0");
    fs::create_dir_all(&v0).unwrap();
    for name in listing(&made) {
        fs::copy(made.join(&name), v0.join(&name)).unwrap();
    }
}

/// The same of its first seconds only.
pub fn make_part_of_hls(clip: Clip, room: &Path, seconds: &str) {
    let v0 = room.join("v0");
    fs::create_dir_all(&v0).unwrap();
    encode(&media::clip(clip), &v0, &["-t", seconds]);
}

/// HLS with the scripts' own options.
fn encode(mp4: &Path, to: &Path, part: &[&str]) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(mp4).args(part).args(["-vf", "scale=-2:480"]);
    ffmpeg.args("-c:v h264 -profile:v main -preset veryfast -crf 23 -c:a aac -b:a 128k -ac 2".split(' '));
    ffmpeg.args("-f hls -hls_time 6 -hls_list_size 0 -hls_segment_filename".split(' '));
    run(ffmpeg.arg(to.join("seg_%06d.ts")).arg(to.join("stream.m3u8"))).exits(0);
    fs::write(to.join("master.m3u8"), MASTER).unwrap();
}

/// The last word to the row that `.notion_id` names, and the end of the largest MP4, if there is one.
pub fn publish(bench: &Bench, room: &Path) {
    let page = fs::read_to_string(room.join(".notion_id")).unwrap();
    let name = room.file_name().unwrap().to_str().unwrap();
    let body = json!({"properties": {
        "Recording URL": {"url": format!("https://rec.example.com/{name}/v0/master.m3u8")},
        "Provider": {"select": {"name": "hls"}},
        "Status": {"select": {"name": "published"}},
    }});
    request(bench, "PATCH", &format!("/v1/pages/{}", page.trim()), &body);
    if let Some(mp4) = largest_mp4(room) {
        fs::remove_file(mp4).unwrap();
    }
    bench.notion.clear_requests();
}

impl Bench {
    /// A room as jitsi-finalize.sh leaves it: a row, `.notion_id` and the MP4.
    pub fn finalized_by_the_script(&self, name: &str) -> PathBuf {
        let room = self.recorded(name);
        finalize(self, &room);
        room
    }

    /// A room with HLS that the script made, and still with the MP4: the script was killed before it told Notion.
    pub fn rendered_by_the_script(&self, name: &str) -> PathBuf {
        let room = self.finalized_by_the_script(name);
        make_hls(Clip::Jibri, &room);
        room
    }
}
