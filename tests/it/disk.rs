//! A disk that is full.

use pipeline_tests::disk::SmallDisk;
use pipeline_tests::media::{Clip, put};
use pipeline_tests::{Bench, assert_published};

#[test]
fn on_a_full_disk_no_row_is_made_that_the_disk_knows_nothing_of() {
    let mut bench = Bench::new();
    bench.set("HLS_MIN_FREE", "0");
    let Some(disk) = SmallDisk::mount(&bench, 8_000) else { return };
    let room = disk.room("standup");
    put(Clip::Short, &room.join("meeting.mp4"));
    disk.fill(0);
    let out = disk.finalize("standup").exits(75);
    assert!(out.stderr.contains("No space left on device"), "{}", out.stderr);
    assert_eq!(bench.writes().len(), 0);
    disk.free();
    disk.finalize("standup").exits(0);
    disk.worker().exits(0);
    assert_published(&room);
    assert_eq!(bench.only_row().status().as_deref(), Some("published"));
}
