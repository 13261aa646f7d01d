//! Other things than MP4.

use std::path::Path;

use super::boxes::boxed;
use super::{AWAY, Bait, Fate, Hostile};

/// Playlists of many kinds that lead to another file: `outside` has `secret`, a text, and `whole.mp4`.
pub(super) fn playlists(outside: &Path) -> Vec<Hostile> {
    let outside = outside.to_str().unwrap();
    let hls = |uri: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{uri}\n#EXT-X-ENDLIST\n");
    let mut all = vec![
        ("hls-file", hls(&format!("file://{outside}/whole.mp4"))),
        ("hls-path", hls(&format!("{outside}/whole.mp4"))),
        ("hls-passwd", hls("file:///etc/passwd")),
        (
            "hls-key",
            format!(
                "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"file://{outside}/secret\"\n#EXTINF:6,\nmeeting.mp4\n#EXT-X-ENDLIST\n"
            ),
        ),
        ("concat-file", format!("ffconcat version 1.0\nfile '{outside}/whole.mp4'\n")),
        ("dash-file", dash(&format!("file://{outside}/"))),
        ("subtitles", "1\n00:00:00,000 --> 00:00:02,000\nhello\n".into()),
    ];
    let xspf = format!(
        "<?xml version=\"1.0\"?><playlist><trackList><track><location>file://{outside}/whole.mp4</location></track></trackList></playlist>"
    );
    all.push(("xspf", xspf));
    let sdp = format!("v=0\no=- 0 0 IN IP4 {AWAY}\ns=x\nc=IN IP4 {AWAY}\nt=0 0\nm=video 5004 RTP/AVP 33\n");
    all.push(("sdp", sdp));
    all.extend(baits().into_iter().map(|(name, bait)| (name, bait.text)));
    let plain = all.into_iter().map(|(name, text)| Hostile::new(name, Fate::Error, text.into_bytes()));
    // Behind the head of an MP4, which is all that some look at.
    let disguised = baits().into_iter().map(|(name, bait)| {
        let head = boxed(*b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41");
        Hostile::new(&format!("{name}-behind-a-head"), Fate::Error, [head, bait.text.into_bytes()].concat())
    });
    plain.chain(disguised).collect()
}

fn dash(base: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" mediaPresentationDuration=\"PT6S\" \
         profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period><AdaptationSet mimeType=\"video/mp4\">\
         <Representation id=\"1\" bandwidth=\"1000\"><BaseURL>{base}whole.mp4</BaseURL><SegmentBase/></Representation>\
         </AdaptationSet></Period></MPD>\n"
    )
}

/// Playlists that lead to another host, and the options with which an ffmpeg that may go there does.
pub(super) fn baits() -> Vec<(&'static str, Bait)> {
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nhttp://{AWAY}/seg.ts\n#EXT-X-ENDLIST\n");
    let concat = format!("ffconcat version 1.0\nfile 'http://{AWAY}/whole.mp4'\n");
    vec![
        ("hls-http", Bait { text: hls, options: &[] }),
        ("concat-http", Bait { text: concat, options: &["-safe", "0"] }),
        ("dash-http", Bait { text: dash(&format!("http://{AWAY}/")), options: &[] }),
    ]
}

/// Files of other kinds.
pub(super) fn files() -> Vec<Hostile> {
    let zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    let script = b"#!/bin/sh\ntouch /tmp/executed\n".to_vec();
    let matroska =
        b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x88matroska"
            .to_vec();
    let nut = b"nut/multimedia container\0NM\0\0".to_vec();
    let all = [("zip", zip), ("script", script), ("matroska", matroska), ("nut", nut)];
    all.into_iter().map(|(name, bytes)| Hostile::new(name, Fate::Error, bytes)).collect()
}
