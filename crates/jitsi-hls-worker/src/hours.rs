//! The hours that a run keeps: the window of the env file, and what becomes of an encode when it closes.

use std::time::Duration;

use jiff::Timestamp;
use rec_core::config::{Hls, WindowCloses};
use rec_core::window::Window;

/// A window, and what happens at its end.
#[derive(Debug)]
pub(crate) struct Hours {
    window: Window,
    pub(crate) closes: WindowCloses,
    /// How long an encode stays frozen at most.
    pub(crate) freeze_max: Duration,
}

impl Hours {
    /// Those of the env file, if it sets any; the error is what is wrong with them.
    pub(crate) fn of(hls: &Hls) -> Result<Option<Self>, String> {
        let window = hls.window.as_deref().map(Window::parse).transpose()?;
        Ok(window.map(|window| Self { window, closes: hls.window_closes, freeze_max: hls.freeze_max }))
    }

    /// That it is closed, and until when; nothing while it is open.
    pub(crate) fn closed(&self) -> Option<String> {
        self.window.closed(Timestamp::now())
    }
}

#[cfg(test)]
impl Hours {
    /// Hours that begin so many seconds from now, or up to one sooner.
    pub(crate) fn opening_in(seconds: i64, closes: WindowCloses) -> Self {
        use jiff::ToSpan as _;
        let shown = |after: i64| (Timestamp::now() + after.seconds()).strftime("%H:%M:%S").to_string();
        let text = format!("{}-{} UTC", shown(seconds), shown(seconds + 3600));
        let window = Window::parse(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        Self { window, closes, freeze_max: Duration::from_secs(3600) }
    }
}

#[cfg(test)]
impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.window.fmt(f)
    }
}
