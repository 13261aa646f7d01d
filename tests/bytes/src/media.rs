//! Readers of what is in an MP4 or in HLS, and of what ffprobe says of them.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use rec_core::config::{Config, Hls, Profile};
use rec_core::{envfile, mp4};

use super::probed::{Facts, Keyframes, Measure, parse};
use super::{recipe, samples, ts};

/// A file in memory that counts what is asked of it.
#[derive(Debug)]
pub struct Counted<R> {
    inner: R,
    /// Reads and seeks so far.
    pub calls: usize,
}

impl<R> Counted<R> {
    /// Nothing has been asked yet.
    pub fn new(inner: R) -> Self {
        Self { inner, calls: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        self.inner.read(buffer)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.calls += 1;
        self.inner.seek(to)
    }
}

/// An MP4: its boxes, its length, its index, and the sample tables in that.
pub(crate) fn mp4(bytes: &[u8]) {
    let length = bytes.len() as u64;
    let mut file = Counted::new(Cursor::new(bytes));
    // A box has eight bytes at least, and each is asked for with a seek and two reads at most.
    let most = bytes.len() / 8 * 3 + 50;
    let bounded = |file: &mut Counted<_>, what: &str| {
        assert!(file.calls <= most, "{what}: {} calls for {length} bytes", file.calls);
        file.calls = 0;
    };
    // It may fail, where a box is cut, and must not panic.
    let _ = mp4::inspect(&mut file);
    bounded(&mut file, "the boxes");
    if let Ok(Some(seconds)) = mp4::seconds(&mut file) {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let most = length as f64;
        assert!(seconds > 0.0 && seconds <= most, "{seconds} s of {length} bytes");
    }
    bounded(&mut file, "the length");
    if let Ok(Some(index)) = mp4::index(&mut file, length / 2) {
        assert!(index.len() as u64 <= length / 2);
    }
    bounded(&mut file, "the index");
    if let Ok(Some(pictures)) = samples::pictures(&mut file) {
        assert!(pictures.len() <= bytes.len(), "{} pictures in {length} bytes", pictures.len());
        assert!(pictures.iter().all(|picture| picture.at.is_finite()));
    }
    bounded(&mut file, "the pictures");
}

/// A transport stream: its packets in one segment, and once more in the next.
pub(crate) fn ts(bytes: &[u8]) {
    let mut reader = ts::Reader::default();
    for _ in 0..2 {
        let read = reader.segment(Cursor::new(bytes));
        if let Err(error) = read {
            assert!(!format!("{error:#}").is_empty());
        }
    }
    let Some(spans) = reader.spans() else { return };
    for span in [spans.video, spans.audio].into_iter().flatten() {
        assert!(span.begins.is_finite() && span.ends >= span.begins, "{span:?}");
    }
}

/// What ffprobe prints, as JSON and as lines; and what is made of a recording of which it says so.
pub(crate) fn ffprobe(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (mut keyframes, mut measure) = (Keyframes::default(), Measure::default());
    for line in text.lines() {
        keyframes.line(line);
        measure.line(line);
    }
    assert!(keyframes.from(0.0).iter().all(|at| at.is_finite()));
    assert_sane(&measure.clone().facts());
    // Where the times are known from the packets themselves.
    let span = super::probed::Span { begins: 1.4, ends: 2.0 };
    assert_sane(&measure.facts_of(ts::Spans { video: Some(span), audio: None }));
    let Ok(facts) = parse(&text) else { return };
    assert_sane(&facts);
    // Of a film that nobody believes nothing is made.
    let Ok(facts) = facts.believable(1 << 40) else { return };
    for profile in [Profile::P480, Profile::Abr, Profile::Source, Profile::Hybrid] {
        let settings = Hls { profile, ..settings() };
        let recipe = recipe::recipe(&settings, &facts);
        assert!(recipe.rungs.iter().all(|rung| rung.width >= 2 && rung.height >= 2), "{recipe:?}");
        assert!(recipe.stay.is_finite() && recipe.stay >= 0.0, "{recipe:?}");
        let _ = (recipe.bytes(), recipe.playlists(), recipe.is_quick());
    }
}

fn assert_sane(facts: &Facts) {
    assert!(facts.duration.is_finite() && facts.duration >= 0.0 && facts.begins.is_finite(), "{facts:?}");
    let spans = [facts.video.as_ref().and_then(|video| video.span), facts.audio.as_ref().and_then(|audio| audio.span)];
    assert!(spans.iter().flatten().all(|span| span.begins.is_finite() && span.ends >= span.begins), "{facts:?}");
}

fn settings() -> Hls {
    let text = "NOTION_TOKEN='t'\nNOTION_DATABASE_ID='38c9ce7b60a48158aa2ad4923e46fb5b'\nRECORDINGS_ROOT='/r'\n\
                PUBLIC_BASE_URL='https://h'\n";
    let path = Path::new("F");
    let file = envfile::parse(path, text.as_bytes()).expect("an env file");
    Config::from_entries(path, &file).expect("settings").hls
}
