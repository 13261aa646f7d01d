//! `WebVTT`, as far as it says what holds from when to when.

use std::fmt::Write as _;

/// A file whose cues follow each other without a gap: the first from 0 on, whenever its own time comes, and the last until
/// `end`. Times are in milliseconds.
pub(super) fn file(cues: impl IntoIterator<Item = (u64, String)>, end: u64) -> String {
    let mut text = "WEBVTT\n".to_owned();
    let mut cues = cues.into_iter().peekable();
    let mut begins = 0;
    while let Some((at, content)) = cues.next() {
        // A cue must end later than it begins.
        let ends = cues.peek().map_or(end, |next| next.0).max(at + 1);
        let _ = write!(text, "\n{} --> {}\n{content}\n", stamp(begins), stamp(ends));
        begins = ends;
    }
    text
}

fn stamp(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_follow_each_other_from_the_beginning_to_the_end() {
        let cues = [(2000, "a"), (8333, "b"), (3_600_000, "c")].map(|(at, text)| (at, text.to_owned()));
        let wanted = "WEBVTT\n\n00:00:00.000 --> 00:00:08.333\na\n\n00:00:08.333 --> 01:00:00.000\nb\n\n\
                      01:00:00.000 --> 100:00:00.050\nc\n";
        assert_eq!(file(cues, 360_000_050), wanted);
        assert_eq!(file([(500, "a".to_owned())], 500), "WEBVTT\n\n00:00:00.000 --> 00:00:00.501\na\n");
    }
}
