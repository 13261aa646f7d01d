//! Every fault of Notion at every moment at which a tool needs it: nothing is lost, no row is doubled, the log says what happened,
//! and a later run goes on by itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pipeline_tests::faults::{Meets, Moment, Row, Wrong, quick, silent};
use pipeline_tests::{Bench, Out, each_of_many, files_below};

/// One fault at one moment.
struct Cell {
    wrong: Wrong,
    moment: Moment,
    meets: Meets,
    /// How long Notion may take to show a row.
    settle: &'static str,
}

/// The table: each of these faults at each moment.
fn cells(rows: Vec<Row>, settle: &'static str) -> impl Iterator<Item = (String, Cell)> {
    rows.into_iter().flat_map(move |row| {
        Moment::ALL.into_iter().filter_map(move |moment| {
            let cell = Cell { wrong: row.wrong.clone(), moment, meets: row.meets(moment)?, settle };
            Some((format!("{}: {moment:?}", row.name), cell))
        })
    })
}

impl Cell {
    fn try_out(self) {
        let mut bench = Bench::new();
        bench.set("NOTION_SETTLE_SECONDS", self.settle);
        let room = self.moment.room(&mut bench);
        self.wrong.make(&mut bench, self.moment);
        let out = self.moment.run(&bench, &room).exits(self.exit());
        if self.moment == Moment::FinalizesCreate {
            assert!(out.took < Duration::from_secs(30), "{:?}", out.took);
        }
        self.assert_told(&bench, &out);
        self.assert_kept(&bench, &room);

        self.wrong.mend(&mut bench);
        self.assert_a_later_run_goes_on(&bench, &room);
        self.moment.assert_ended(&bench, &room);
    }

    /// How the run ends. Its first word to the row, that it is at work on it, may fail; a recording that cannot be played is for a
    /// person to look at whatever Notion says.
    fn exit(&self) -> i32 {
        let goes_on = !self.wrong.is_in_the_way() && (self.meets.exit == 75 || self.meets.remedy.contains("mend what"));
        match self.moment {
            Moment::Processing if goes_on => 0,
            Moment::ErrorRow => 1,
            _ => self.meets.exit,
        }
    }

    /// One line, in the log too, with the recording, the reason and what helps.
    fn assert_told(&self, bench: &Bench, out: &Out) {
        let mut said = out.messages();
        let (begins, names) = if self.moment.is_create() {
            ("ERROR: Notion create page failed: ", "; room=daily file=meeting.mp4 is remembered in ")
        } else {
            ("ERROR: Notion update failed: ", " room=daily")
        };
        said.retain(|line| line.starts_with(begins));
        let Meets { exit, why, remedy } = self.meets;
        if exit == 0 {
            return assert!(said.is_empty() && out.stderr.contains(" id="), "{}", out.stderr);
        }
        let line = said.first().unwrap_or_else(|| panic!("{}", out.stderr));
        assert!([names, why, remedy].iter().all(|part| line.contains(part)), "{line}");
        assert!(bench.log(self.moment.log()).contains(line), "{:?}", bench.log(self.moment.log()));
    }

    /// What holds while it is not mended.
    fn assert_kept(&self, bench: &Bench, room: &Path) {
        let done = self.moment != Moment::FinalizesCreate && self.exit() == 0;
        assert_eq!(room.join("meeting.mp4").exists(), !done, "{:?}", files_below(room));
        assert!(
            files_below(room).iter().all(|path| !path.to_str().unwrap().contains(".tmp")),
            "{:?}",
            files_below(room)
        );
        assert!(bench.notion.pages().len() <= 1, "{:?}", bench.notion.pages());
        let state = fs::read_to_string(room.join(".recording.json")).unwrap();
        assert!(!state.contains("failures"), "{state}");
        assert_eq!(state.contains("given_up"), self.moment == Moment::ErrorRow, "{state}");
    }

    /// One run goes on where the faulty one ended, and the next has nothing left to do.
    fn assert_a_later_run_goes_on(&self, bench: &Bench, room: &Path) {
        // A person took the page away, as far as anybody can tell, and only a person brings it back.
        let gone = !self.moment.is_create() && self.meets.remedy.starts_with("restore it");
        if gone {
            let out = bench.worker_with([room]);
            assert_eq!(out.code, Some(i32::from(self.moment == Moment::ErrorRow)), "{}", out.stderr);
        } else {
            bench.worker().exits(0);
        }
        bench.notion.clear_requests();
        bench.worker().exits(0);
        assert_eq!(bench.requests(), [""; 0]);
    }
}

#[test]
fn every_fault_at_every_moment_leads_to_the_same_end() {
    // What takes longest begins first. It is the only fault for which a row may show up so late that the default is needed.
    let all = cells(silent(), "120").chain(cells(quick(), "1"));
    each_of_many(32, all, Cell::try_out);
}
