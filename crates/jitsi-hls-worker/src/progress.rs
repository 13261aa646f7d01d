//! How far the recordings at work are: a line for each at the bottom of a terminal; elsewhere a line of the log now and then.

use std::cell::Cell;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rec_core::log::{Aside, Log};

/// When the log gets its first line of an encode; the next ones after twice, four times, eight times as long.
const FIRST_LINE: Duration = Duration::from_secs(16);

/// What a run shows of its progress.
pub(crate) struct Progress {
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
}

impl Progress {
    /// On a terminal that can move its cursor up, unless nothing is `wanted` there.
    pub(crate) fn new(wanted: bool) -> Self {
        let moves = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let bars = (wanted && moves && io::stderr().is_terminal()).then(|| Bars {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            total: ProgressBar::new(0).with_style(style("{pos} of {len} recordings")),
        });
        Self { bars }
    }

    /// What the log's lines have to go through in order to appear above what is shown here.
    pub(crate) fn aside(&self) -> Option<Aside> {
        let all = self.bars.as_ref()?.all.clone();
        Some(Box::new(move |write: &dyn Fn()| all.suspend(write)))
    }

    /// So many recordings have work to be done.
    pub(crate) fn begin(&self, recordings: usize) {
        if let Some(Bars { all, total }) = &self.bars
            && recordings > 0
        {
            all.add(total.clone());
            total.set_length(recordings as u64);
            total.tick();
        }
    }

    /// So many of them have had their turn.
    pub(crate) fn done(&self, recordings: usize) {
        if let Some(bars) = &self.bars {
            bars.total.inc(recordings as u64);
        }
    }

    /// Clears it all away.
    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            bars.total.finish_and_clear();
        }
    }

    /// An encode begins, of so many seconds; `shown` names it as the log does.
    pub(crate) fn encode<'a>(&self, log: &'a Log, shown: String, seconds: f64) -> Encode<'a> {
        let bar = self.bars.as_ref().map(|bars| {
            // By the total line's place and not by its number: others come and go.
            let bar = bars.all.insert_before(&bars.total, ProgressBar::new_spinner());
            bar.set_style(style("{wide_msg} {prefix}"));
            bar.set_message(shown.clone());
            bar
        });
        let now = Instant::now();
        Encode { log, shown, seconds, begun: now, next: Cell::new(FIRST_LINE), first: Cell::new(None), bar }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// One encode, until it is dropped.
pub(crate) struct Encode<'a> {
    log: &'a Log,
    shown: String,
    /// The recording's length.
    seconds: f64,
    begun: Instant,
    /// When the log gets a line again.
    next: Cell<Duration>,
    /// How far it was when it was first heard of: one that goes on where another ended has not been fast.
    first: Cell<Option<(Instant, f64)>>,
    bar: Option<ProgressBar>,
}

impl Encode<'_> {
    /// So many seconds are done.
    pub(crate) fn at(&self, done: f64) {
        let now = Instant::now();
        let (first, before) = self.first.get().unwrap_or((now, done));
        self.first.set(Some((first, before)));
        if let Some(bar) = &self.bar {
            bar.set_prefix(figures(done, self.seconds, done - before, (now - first).as_secs_f64()));
            bar.tick();
        } else if now - self.begun > self.next.get() {
            self.next.set(self.next.get() * 2);
            self.log.detail(&format!("Encoding {}: {:.0} %", self.shown, percent(done, self.seconds)));
        }
    }
}

impl Drop for Encode<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn percent(done: f64, of: f64) -> f64 {
    (done / of.max(0.1) * 100.0).clamp(0.0, 100.0)
}

/// Percent, speed and time left, each in its column. `encoded` seconds took `elapsed`.
fn figures(done: f64, of: f64, encoded: f64, elapsed: f64) -> String {
    let percent = percent(done, of);
    if encoded <= 0.0 || elapsed <= 0.0 {
        return format!("{percent:3.0} %");
    }
    let speed = encoded / elapsed;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and whole seconds do")]
    let left = ((of - done).max(0.0) / speed) as u64;
    format!("{percent:3.0} % {speed:6.1}x {:3}:{:02}:{:02} left", left / 3600, left / 60 % 60, left % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_speed_and_time_left() {
        // (done, of, encoded, elapsed) -> figures
        let cases = [
            (0.0, 3600.0, 0.0, 0.0, "  0 %"),
            (30.0, 3600.0, 0.0, 5.0, "  1 %"),
            (900.0, 3600.0, 900.0, 300.0, " 25 %    3.0x   0:15:00 left"),
            (1800.0, 3600.0, 900.0, 300.0, " 50 %    3.0x   0:10:00 left"),
            (3700.0, 3600.0, 3700.0, 370.0, "100 %   10.0x   0:00:00 left"),
            (1.0, 36_000.0, 1.0, 2.0, "  0 %    0.5x  19:59:58 left"),
            (5.0, 0.0, 5.0, 1.0, "100 %    5.0x   0:00:00 left"),
        ];
        for (done, of, encoded, elapsed, wanted) in cases {
            assert_eq!(figures(done, of, encoded, elapsed), wanted);
        }
    }

    #[test]
    fn where_nothing_is_wanted_no_line_steps_aside() {
        let progress = Progress::new(false);
        assert!(progress.aside().is_none());
        progress.begin(2);
        progress.encode(&Log::stderr(rec_core::log::Verbosity::Quiet), "room=a".into(), 4.0).at(2.0);
        progress.done(1);
        progress.end();
    }
}
