use super::*;
use rec_core::link::Link;
use rec_core::notion::{PageId, Status};
use rec_core::plan::Retry;
use rec_core::recording::{Fingerprint, Mp4};
use rec_core::state::{Hls, Row};
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

fn mp4() -> Mp4 {
    Mp4 { name: "a.mp4".into(), print: Fingerprint { size: 1, mtime: datetime!(2026-01-01 10:00 UTC) } }
}

fn nothing() -> Around {
    Around {
        held: None,
        unknown: false,
        ours: true,
        id: None,
        growing: false,
        unfinalized_after: None,
        closed: None,
        no_window: None,
        free: Some((10, 5)),
        broken: None,
        aside: false,
    }
}

/// The rules that hold a finalized recording after these edits, and what moves it.
fn held(edit: impl FnOnce(&mut Recording), here: bool, there: bool, change: impl FnOnce(&mut Around)) -> Vec<String> {
    let mp4 = mp4();
    let mut recording = Recording::new(0, Some(&mp4));
    recording.page_id = PageId::parse("38c9ce7b-60a4-8158-aa2a-d4923e46fb5b");
    recording.row = Some(Row::mp4(Status::Recorded));
    edit(&mut recording);
    let mut around = nothing();
    change(&mut around);
    let (retry, link) = (Retry::Nothing, Link::Playlist);
    let facts = Facts { mp4: here.then_some(&mp4), hls_dir: there, master: there, retry, link, now: NOW };
    let condition = Condition::of(&recording, &facts, false);
    let rules = rules(&recording, &facts, condition, &around);
    let remedy = rules.first().map(|rule| rule.remedy(Path::new("/r/a b"), here, NOW).to_string());
    rules.iter().map(ToString::to_string).chain(remedy).collect()
}

fn hold() -> Hold {
    Hold { tries: 3, since: NOW, until: NOW + time::Duration::minutes(2), why: "refused\n".into() }
}

const RETRY: &str = "jitsi-hls-worker --retry '/r/a b'";

#[test]
fn nothing_holds_what_the_next_run_takes_up() {
    assert_eq!(held(|_| (), true, false, |_| ()), [""; 0]);
    assert_eq!(held(|r| r.hls = Some(Hls { of: None }), false, true, |_| ()), [""; 0]);
}

#[test]
fn what_was_given_up_waits_for_a_person() {
    let given_up = |r: &mut Recording| r.given_up = true;
    let rules = held(given_up, true, false, |around| around.closed = Some("closed".into()));
    assert!(rules[0].starts_with("it was given up") && rules[1] == RETRY && rules.len() == 2, "{rules:?}");
    let rules = held(given_up, false, true, |_| ());
    assert_eq!(rules[1], format!("bring its MP4 or its HLS back from a backup, then: {RETRY}"));
}

#[test]
fn a_deleted_row_is_restored_before_anything_else() {
    let rules = held(|r| (r.row_gone, r.given_up) = (true, true), true, false, |_| ());
    assert!(rules[0].starts_with("somebody has deleted its row"), "{rules:?}");
    assert_eq!(rules.last().unwrap(), &format!("restore its row in Notion's trash, then: {RETRY}"));
}

#[test]
fn of_what_is_lost_nothing_else_is_told() {
    let rules = held(|r| (r.row_gone, r.given_up) = (true, true), false, false, |around| around.aside = true);
    assert_eq!(rules, ["neither its MP4 nor its HLS is there", "bring its MP4 or its HLS back from a backup"]);
}

#[test]
fn a_pause_says_whose_trouble_it_is_and_since_when() {
    let machine = held(|r| r.host = Some(hold()), true, false, |_| ());
    let wanted = "trouble of this machine: it is not tried again before 2026-01-01T12:02:00Z; \
                  it failed 3 times since 2026-01-01T12:00:00Z: refused\\n";
    assert_eq!(machine, [wanted, RETRY]);
    let notion = held(|r| (r.page_id, r.remote) = (None, Some(hold())), true, false, |_| ());
    assert!(notion[0].starts_with("trouble of Notion: "), "{notion:?}");
    assert_eq!(
        held(|r| r.remote = Some(hold()), true, false, |_| ()),
        [""; 0],
        "Notion's trouble does not hold ffmpeg"
    );
}

#[test]
fn the_window_and_the_disk_hold_what_would_go_on() {
    let rules = held(
        |_| (),
        true,
        false,
        |around| {
            around.closed = Some("the window 1-2 UTC is closed until 1".into());
            around.free = Some((1 << 20, 1 << 30));
        },
    );
    let wanted = [
        "its disk has 1.0M free, and 1.0G of it stay free (HLS_MIN_FREE)",
        "the window 1-2 UTC is closed until 1 (HLS_WINDOW)",
        "make room on its disk, or set HLS_MIN_FREE lower",
    ];
    assert_eq!(rules, wanted);
    let published = |r: &mut Recording| (r.hls, r.row) = (Some(Hls { of: None }), Some(Row::published(Link::Playlist)));
    let full = |around: &mut Around| (around.closed, around.free) = (Some("closed".into()), Some((0, 1)));
    assert_eq!(held(published, false, true, full), [""; 0], "what is done is held by nothing");
}

#[test]
fn what_finalize_was_not_called_for_says_by_which_setting_it_would_go() {
    let fresh = |r: &mut Recording| (r.page_id, r.row) = (None, None);
    let unknown = |after: Option<u64>| {
        held(fresh, true, false, |around| {
            (around.unknown, around.ours) = (true, false);
            around.unfinalized_after = after.map(Duration::from_secs);
        })
    };
    let off = unknown(None);
    assert!(off[0].contains("PUBLISH_UNFINALIZED_AFTER does not say"), "{off:?}");
    assert_eq!(off[1], "jitsi-finalize '/r/a b'");
    let later = unknown(Some(3 * 3600));
    assert!(later[0].contains("if it does not change until 2026-01-01T13:00:00Z"), "{later:?}");
    assert_eq!(later[1], "jitsi-finalize '/r/a b'");
    assert_eq!(unknown(Some(3600))[1], "nothing to do: the next run of jitsi-hls-worker takes it up");
}

#[test]
fn a_second_mp4_that_may_still_be_written_waits_for_its_end() {
    let fresh = |r: &mut Recording| (r.page_id, r.row) = (None, None);
    let rules = held(fresh, true, false, |around| (around.unknown, around.growing) = (true, true));
    assert!(rules[0].starts_with("it may still be being written"), "{rules:?}");
    assert_eq!(held(fresh, true, false, |around| around.unknown = true), [""; 0]);
}

#[test]
fn an_id_that_is_none_holds_what_the_scripts_left() {
    for (id, wanted) in
        [(NotionId::Empty, ".notion_id is empty"), (NotionId::Garbage("x".into()), ".notion_id holds no page id")]
    {
        let rules = held(|r| (r.page_id, r.row) = (None, None), true, false, |around| around.id = Some(id));
        assert_eq!(rules, [wanted, "jitsi-finalize '/r/a b'"]);
    }
}

#[test]
fn hls_that_is_not_whole_matters_where_nothing_can_be_made_anew() {
    let made = |r: &mut Recording| r.hls = Some(Hls { of: Some(mp4().print) });
    let broken = |around: &mut Around| around.broken = Some("segment a.ts is empty".into());
    let rules = held(made, false, true, broken);
    assert_eq!(rules[0], "its HLS is not whole, and its MP4 is gone: segment a.ts is empty");
    assert_eq!(held(made, true, true, broken), [""; 0], "the next run makes it anew");
}

#[test]
fn hls_of_a_damaged_mp4_that_is_not_whole_is_made_anew_by_a_person() {
    let damaged = |r: &mut Recording| {
        (r.hls, r.row) = (Some(Hls { of: Some(mp4().print) }), Some(Row::published(Link::Playlist)));
        r.damage = Some("cut".into());
    };
    let rules = held(damaged, true, true, |around| around.broken = Some("a.ts is empty".into()));
    assert_eq!(rules[0], "its HLS, of a damaged MP4, is not whole: a.ts is empty");
    assert_eq!(rules[1], "bring its HLS back from a backup, or set HLS_ACCEPT_DAMAGED=yes and look again");
    let accepted = Rule::Unsound("a.ts is empty".into(), "v0".into(), true).remedy(Path::new("/r/a b"), true, NOW);
    assert_eq!(accepted.to_string(), "rm -rf '/r/a b/v0' && jitsi-hls-worker '/r/a b'");
}

#[test]
fn a_window_that_is_none_is_mended_before_anything_is_run() {
    let rules =
        held(|_| (), true, false, |around| (around.no_window, around.aside) = (Some("is no window".into()), true));
    assert_eq!(rules[0], "HLS_WINDOW is no window: no run begins");
    assert_eq!(rules.last().unwrap(), "mend HLS_WINDOW in the env file");
}

#[test]
fn a_lock_comes_before_everything_and_its_remedy_is_that_of_its_holder() {
    let lock = |held: Held| move |around: &mut Around| around.held = Some(held);
    let rules = held(|r| r.given_up = true, true, false, lock(Held::Orphan(7, None, Some(8))));
    assert!(
        rules[0].starts_with("its directory is locked by process 7, which has died; its ffmpeg, process 8"),
        "{rules:?}"
    );
    assert_eq!(rules.last().unwrap(), "kill 8");
    let rules = held(|_| (), true, false, lock(Held::Orphan(7, None, None)));
    assert_eq!(rules.last().unwrap(), "sudo fuser -v '/r/a b/.recording.lock'");
    let rules = held(|_| (), true, false, lock(Held::Here(1, None)));
    assert_eq!(rules.last().unwrap(), "nothing to do: it is being worked on by process 1");
}

#[test]
fn hls_without_a_row_and_without_an_mp4_gets_none_by_itself() {
    let rules = held(|r| (r.page_id, r.row, r.hls) = (None, None, Some(Hls { of: None })), false, true, |_| ());
    assert_eq!(rules[0], "it has no row, and nothing makes one without its MP4");
}

#[test]
fn a_directory_that_runs_pass_by_is_named_to_the_worker() {
    let rules = held(|_| (), true, false, |around| around.aside = true);
    assert_eq!(rules[1], "jitsi-hls-worker '/r/a b'");
}
