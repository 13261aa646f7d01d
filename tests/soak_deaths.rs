//! Many recordings, tools that die at any moment, and a Notion that fails at random; then all heals, and everything must be in
//! its place.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rec_core::hls::complete;

use crate::media::{self, Clip};
use crate::processes::{Running, alive, ffmpegs, kill, start};
use crate::{Bench, Fault, listing, wait_for_minutes};

/// How many rooms are unpublished at once, and how many tools are at work.
const OPEN: usize = 6;
const AT_WORK: usize = 6;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Figures {
    /// Deaths of a tool alone, of its ffmpegs alone, of both.
    kills: [usize; 3],
    runs: usize,
    faults: usize,
    recordings: usize,
    rows: usize,
    /// Recordings of which there is neither the MP4 nor HLS that is published.
    lost: usize,
    /// Rows beyond one for each recording.
    duplicates: usize,
    /// What lies in a room and should not.
    litter: usize,
    /// Recordings that are neither published nor, where they are damaged, said to be.
    unfinished: usize,
    took: Duration,
}

impl Figures {
    /// Whether all is as it would be had nothing happened.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicates, self.litter, self.unfinished) == (0, 0, 0, 0) && self.rows == self.recordings
    }

    /// How often something was killed.
    pub fn killed(&self) -> usize {
        self.kills.iter().sum()
    }

    /// How many recordings have come.
    pub fn recordings(&self) -> usize {
        self.recordings
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.took
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tools, ffmpegs, both] = self.kills;
        let Self { runs, faults, recordings, rows, lost, duplicates, litter, unfinished, .. } = self;
        write!(
            f,
            "{} kills ({tools} of a tool, {ffmpegs} of its ffmpeg, {both} of both) in {runs} runs with {faults} faults of Notion: \
             {recordings} recordings, {rows} rows, {lost} lost, {duplicates} duplicate rows, {litter} litter, {unfinished} \
             unfinished; {:.0} s",
            self.killed(),
            self.took.as_secs_f64()
        )
    }
}

/// A recording that was made.
struct Recorded {
    room: PathBuf,
    mp4: PathBuf,
    damaged: bool,
}

impl Recorded {
    /// Whether its MP4 is there, or so many HLS of its room as MP4s are gone.
    fn is_there(&self) -> bool {
        self.mp4.exists() || ["v0", "v1"].iter().any(|slot| complete(&self.room.join(slot)).is_ok())
    }
}

struct Soak {
    bench: Bench,
    dice: Rng,
    recorded: Vec<Recorded>,
    at_work: Vec<Running>,
    figures: Figures,
    /// What a run takes that is left alone, on this machine, as it is now.
    usual: Duration,
}

/// Has recordings come and tools work on them, and kills until there were so many kills. Then all heals. Tells every fifty
/// kills how far it is.
pub fn soak(kills: usize, seed: u64, tell: impl Fn(&Figures)) -> Figures {
    let begun = Instant::now();
    let mut bench = Bench::new();
    // Recordings of whose finalize nothing is left are the worker's; what Notion has shows in its queries after a moment.
    bench.set("PUBLISH_UNFINALIZED_AFTER", "1");
    bench.set("NOTION_SETTLE_SECONDS", "4");
    bench.notion.query_lag(Duration::from_millis(300));
    let mut soak = Soak {
        bench,
        dice: Rng::with_seed(seed),
        recorded: Vec::new(),
        at_work: Vec::new(),
        figures: Figures::default(),
        usual: Duration::from_millis(500),
    };
    let mut told = 0;
    while soak.figures.killed() < kills {
        soak.round();
        if soak.figures.killed() >= told + 50 {
            told = soak.figures.killed();
            (soak.figures.recordings, soak.figures.took) = (soak.recorded.len(), begun.elapsed());
            tell(&soak.figures);
        }
    }
    soak.heal();
    soak.count();
    soak.figures.took = begun.elapsed();
    soak.figures
}

impl Soak {
    fn round(&mut self) {
        self.arrive();
        self.begin();
        self.fail();
        // Now and then nobody is killed: else a slow machine would publish nothing, and always the same would die.
        if self.dice.u8(..20) == 0 {
            wait_for_minutes(5, "the tools' end", || self.at_work.iter().all(|running| !alive(running.pid())));
        } else {
            std::thread::sleep(self.usual.mul_f64(self.dice.f64() * 0.7));
            for _ in 0..self.dice.usize(1..=3) {
                self.kill_one();
            }
        }
        self.reap();
    }

    /// Rooms in which something is still to be done.
    fn open(&self) -> Vec<PathBuf> {
        let mut rooms: Vec<_> = self.recorded.iter().filter(|r| r.mp4.exists()).map(|r| r.room.clone()).collect();
        rooms.dedup();
        rooms
    }

    /// Jibri closes recordings; some are the second one of their directory, and a few cannot be played.
    fn arrive(&mut self) {
        let open = self.recorded.iter().filter(|recorded| recorded.mp4.exists() && !recorded.damaged).count();
        for _ in open..OPEN {
            let number = self.recorded.len();
            let last = self.recorded.last().map(|recorded| recorded.room.clone());
            let second = last.filter(|room| self.dice.u8(..10) == 0 && !room.join("second.mp4").exists());
            let room = second.clone().unwrap_or_else(|| self.bench.room(format!("room{number}")));
            let name = if second.is_some() { "second.mp4" } else { "meeting.mp4" };
            let (mp4, beside) = (room.join(name), self.bench.dir().join("recorder.mp4"));
            media::put(if self.dice.bool() { Clip::Moment } else { Clip::Short }, &beside);
            let damaged = self.dice.u8(..20) == 0;
            if damaged {
                media::cut(&beside, 0.5);
            }
            // Seconds that differ tell the recordings of a room apart.
            media::age(&beside, Duration::from_secs(3600 + number as u64));
            fs::rename(&beside, &mp4).unwrap();
            self.recorded.push(Recorded { room: room.clone(), mp4, damaged });
            if self.dice.u8(..10) > 0 {
                self.start("jitsi-finalize", |command| command.arg(&room));
            }
        }
    }

    /// One to three more tools: workers on hosts of their own, some for directories that somebody names; finalize once more.
    fn begin(&mut self) {
        let open = self.open();
        for _ in 0..self.dice.usize(1..=3) {
            if self.at_work.len() >= AT_WORK || open.is_empty() {
                return;
            }
            let one = open[self.dice.usize(..open.len())].clone();
            match self.dice.u8(..6) {
                0 => self.start("jitsi-finalize", |command| command.arg(one)),
                1 | 2 => self.start("jitsi-hls-worker", |command| command),
                _ => self.start("jitsi-hls-worker", |command| command.args(&open)),
            }
        }
    }

    fn start(&mut self, tool: &str, args: impl FnOnce(&mut Command) -> &mut Command) {
        let host = format!("host{}", self.dice.u8(..3));
        let profile = if self.dice.u8(..4) == 0 { "480p" } else { "source" };
        let pictures = if profile == "480p" { "yes" } else { "no" };
        let settings = [("LOCK_DIR", self.bench.dir().join(&host).display().to_string())].into_iter().chain(
            [("HLS_PROFILE", profile), ("HLS_POSTER", pictures), ("HLS_PREVIEWS", pictures)]
                .map(|(key, value)| (key, value.to_owned())),
        );
        let mut command = self.bench.command_with(tool, &format!("{host} {profile}"), settings);
        self.at_work.push(start(args(&mut command)));
        self.figures.runs += 1;
    }

    /// Notion fails: for a few requests.
    fn fail(&mut self) {
        if self.dice.bool() {
            return;
        }
        let fault = match self.dice.u8(..40) {
            0..8 => Fault::answer(429).retry_after("0"),
            8..14 => Fault::answer(500),
            14..18 => Fault::answer(503),
            18..24 => Fault::drop_before(),
            24..30 => Fault::drop_after(),
            30..34 => Fault::truncated(),
            34..39 => Fault::delayed(Duration::from_millis(self.dice.u64(10..200))),
            _ => Fault::silent_after(),
        };
        self.bench.notion.fail(fault.times(self.dice.usize(1..4)));
        self.figures.faults += 1;
    }

    /// kill -9 of a tool, of ffmpegs, or of a tool and of those that it has started.
    fn kill_one(&mut self) {
        self.at_work.sort_by_key(|running| !alive(running.pid()));
        let alive = self.at_work.iter().take_while(|running| alive(running.pid())).count();
        let tree = self.bench.recordings();
        let who = self.dice.usize(..3);
        if who == 1 {
            let there = ffmpegs(&tree);
            if !there.is_empty() {
                self.figures.kills[1] += usize::from(kill(there[self.dice.usize(..there.len())]));
            }
        } else if alive > 0 {
            let tool = self.at_work[self.dice.usize(..alive)].pid();
            let programs = crate::processes::children(tool);
            if !kill(tool) {
                return;
            }
            // Both only where there is something beside it.
            let both = who == 2 && programs.into_iter().filter(|program| kill(*program)).count() > 0;
            self.figures.kills[if both { 2 } else { 0 }] += 1;
        }
    }

    /// Lets those go that have ended; how long they took, where nobody killed them.
    fn reap(&mut self) {
        let (ended, at_work) = std::mem::take(&mut self.at_work).into_iter().partition(|r: &Running| !alive(r.pid()));
        self.at_work = at_work;
        for running in <Vec<Running>>::into_iter(ended) {
            let out = running.end();
            if let Some(code) = out.code {
                assert!([0, 1, 75].contains(&code), "{out:?}");
                self.usual = ((self.usual * 7 + out.took) / 8).min(Duration::from_secs(1));
            }
            assert!(!out.stderr.contains("this is a bug") && !out.stderr.contains("leads nowhere"), "{}", out.stderr);
        }
        let lost: Vec<_> = self.recorded.iter().filter(|r| !r.is_there()).map(|r| &r.mp4).collect();
        assert!(lost.is_empty(), "neither MP4 nor HLS: {lost:?}");
    }

    /// Nothing fails any more: the tools end by themselves, and the worker runs until nothing is left to do.
    fn heal(&mut self) {
        self.bench.notion.clear_faults();
        self.bench.notion.query_lag(Duration::ZERO);
        for running in std::mem::take(&mut self.at_work) {
            running.end();
        }
        self.bench.set("HLS_PROFILE", "source");
        self.bench.set("HLS_POSTER", "no");
        self.bench.set("HLS_PREVIEWS", "no");
        let rooms = listing(&self.bench.recordings());
        let rooms: Vec<_> = rooms.iter().map(|name| self.bench.recordings().join(name)).collect();
        for _ in 0..20 {
            let out = self.bench.worker();
            if self.open().iter().all(|room| self.is_damaged(room)) && out.messages() == ["Worker run complete."] {
                return;
            }
            // By name, so that nothing is held back.
            self.bench.worker_with(rooms.iter().filter(|room| !self.is_damaged(room)));
        }
    }

    fn is_damaged(&self, room: &Path) -> bool {
        self.recorded.iter().any(|recorded| recorded.damaged && recorded.room == room)
    }

    fn count(&mut self) {
        let pages = self.bench.notion.pages();
        let mut rooms: BTreeMap<&Path, Vec<&Recorded>> = BTreeMap::new();
        for recorded in &self.recorded {
            rooms.entry(&recorded.room).or_default().push(recorded);
        }
        let figures = &mut self.figures;
        (figures.recordings, figures.rows) = (self.recorded.len(), pages.len());
        for (room, recordings) in rooms {
            let name = room.file_name().unwrap().to_str().unwrap();
            let rows: Vec<_> = pages.iter().filter(|page| page.room().as_deref() == Some(name)).collect();
            figures.duplicates += rows.len().saturating_sub(recordings.len());
            let (kept, gone): (Vec<_>, Vec<_>) = recordings.into_iter().partition(|recorded| recorded.mp4.exists());
            let plays = |page: &&&crate::Page| {
                let link = page.url().unwrap_or_default();
                let path = link.strip_prefix(&format!("https://rec.example.com/{name}/")).map(|path| room.join(path));
                page.status().as_deref() == Some("published")
                    && path.is_some_and(|path| complete(path.parent().unwrap_or(room)).is_ok())
            };
            let published = rows.iter().filter(plays).count();
            figures.lost += gone.len().saturating_sub(published);
            let errors = rows.iter().filter(|page| page.status().as_deref() == Some("error")).count();
            let finished = kept.iter().all(|recorded| recorded.damaged) && errors == kept.len();
            figures.unfinished += usize::from(!finished);
            let ours = [".notion_id", ".recording.json", ".recording.lock", "meeting.mp4", "second.mp4", "v0", "v1"];
            figures.litter += listing(room).iter().filter(|name| !ours.iter().any(|ours| *name == ours)).count();
            let id = fs::read_to_string(room.join(".notion_id")).unwrap_or_default();
            figures.litter += usize::from(!rows.iter().any(|page| format!("{}\n", page.id) == id));
        }
    }
}
