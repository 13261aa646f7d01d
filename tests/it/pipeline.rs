//! The way of a recording, from Jibri to the published HLS.

use pipeline_tests::{Bench, assert_published};

#[test]
fn a_recording_gets_its_row_then_its_hls_and_then_the_mp4_goes() {
    let bench = Bench::with_pictures();
    let room = bench.recorded("daily-standup");
    let out = bench.finalize(&room).exits(0);
    assert_eq!(out.stdout, "");
    let row = bench.only_row();
    assert_eq!(row.title(), "[Jitsi] daily-standup");
    assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/meeting.mp4");
    assert_eq!((row.status().unwrap(), row.provider().unwrap()), ("recorded".into(), "mp4".into()));

    let out = bench.worker().exits(0);
    assert_eq!(
        out.messages(),
        [
            "Process room=daily-standup mp4=meeting.mp4",
            "Notion updated to HLS. Deleting mp4 room=daily-standup",
            "Worker run complete."
        ]
    );
    let row = bench.only_row();
    assert_eq!(row.url().unwrap(), "https://rec.example.com/daily-standup/v0/master.m3u8");
    assert_eq!((row.status().unwrap(), row.provider().unwrap()), ("published".into(), "hls".into()));
    assert_published(&room);
}

#[test]
fn a_third_run_makes_no_request() {
    let bench = Bench::with_pictures();
    let room = bench.finalized("daily-standup");
    bench.worker().exits(0);
    bench.notion.clear_requests();
    assert_eq!(bench.worker().exits(0).messages(), ["Worker run complete."]);
    let out = bench.finalize(&room).exits(0);
    assert_eq!(out.messages(), ["Nothing to do room=daily-standup: published, and its MP4 removed"]);
    assert_eq!(bench.requests(), [""; 0]);
}
