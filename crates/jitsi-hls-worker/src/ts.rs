//! When the picture and the sound of a transport stream begin and end, read from its packets (ISO/IEC 13818-1 §2.4.3).
//!
//! ffprobe says the same, at the price of the copy that it is to verify: it takes every packet apart, and prints it.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::probed::Span;
use rec_core::playlist::{Media, Part};

/// Bytes of a packet.
const PACKET: usize = 188;
/// How many packets are read at once.
const AT_ONCE: usize = 512;
/// Ticks of the clock in a second.
const CLOCK: f64 = 90_000.0;
/// The clock has 33 bits: it begins again after 26.5 hours.
const CLOCK_BITS: u32 = 33;

/// When each stream begins, and ends, in seconds of the stream's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spans {
    pub(crate) video: Option<Span>,
    pub(crate) audio: Option<Span>,
}

/// Reads every packet of a playlist's segments, which lie beside it. A segment that is no transport stream, or one with packets
/// missing, is an error. `Ok(None)` where the streams are not of a kind that this reader knows to the end: AAC beside a picture.
pub(crate) fn spans(base: &Path, media: &Media) -> Result<Option<Spans>> {
    let mut reader = Reader::default();
    for segment in &media.segments {
        reader.part(base, &segment.part).with_context(|| format!("segment {}", segment.part.uri))?;
    }
    Ok(reader.spans())
}

/// What is known of the packets read so far.
#[derive(Default)]
pub(crate) struct Reader {
    tracks: Vec<Track>,
    /// The last time that was read, from which the clock's next one cannot be far.
    last: Option<i64>,
}

/// The packets of one number (PID).
struct Track {
    pid: u16,
    kind: Kind,
    /// The counter of its last packet in this segment.
    counter: Option<u8>,
    /// The first time and the last one, in ticks.
    times: Option<(i64, i64)>,
    /// The last time but one: where a picture begins that is shown before the last one.
    before: Option<i64>,
    /// The frames of sound since the last time was read.
    frames: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    Audio,
    /// Tables, or what nobody has asked for.
    Other,
}

impl Reader {
    fn part(&mut self, base: &Path, part: &Part) -> Result<()> {
        let mut file = File::open(rec_core::hls::below(base, &part.uri)?)?;
        let length = match part.bytes {
            Some(bytes) => {
                file.seek(SeekFrom::Start(bytes.from))?;
                bytes.length
            }
            None => u64::MAX,
        };
        self.segment(BufReader::with_capacity(PACKET * AT_ONCE, file.take(length)))
    }

    /// Reads the packets of one segment.
    pub(crate) fn segment(&mut self, mut packets: impl Read) -> Result<()> {
        for track in &mut self.tracks {
            track.counter = None;
        }
        let mut packet = [0; PACKET];
        for number in 0_u64.. {
            match packets.read_exact(&mut packet) {
                Ok(()) => self.packet(&packet).with_context(|| format!("packet {number}"))?,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn packet(&mut self, packet: &[u8; PACKET]) -> Result<()> {
        ensure!(packet[0] == 0x47, "it is no transport stream");
        let (begins, pid) = (packet[1] & 0x40 != 0, u16::from_be_bytes([packet[1] & 0x1f, packet[2]]));
        let (adapted, filled, counter) = (packet[3] & 0x20 != 0, packet[3] & 0x10 != 0, packet[3] & 0x0f);
        // The tables of the stream, and stuffing.
        if pid < 0x20 || pid == 0x1fff || !filled {
            return Ok(());
        }
        let skip = if adapted { 5 + usize::from(packet[4]) } else { 4 };
        let payload = packet.get(skip..).context("its head is longer than a packet")?;
        let known = self.tracks.iter().position(|track| track.pid == pid);
        let index = known.unwrap_or(self.tracks.len());
        if known.is_none() {
            self.tracks.push(Track::new(pid));
        }
        let track = &mut self.tracks[index];
        let repeated = track.counter == Some(counter);
        let next = track.counter.is_none_or(|before| (before + 1) & 0x0f == counter);
        ensure!(next || repeated, "packets are missing before it");
        track.counter = Some(counter);
        if repeated {
            return Ok(());
        }
        if begins && let Some((kind, ticks, data)) = pes(payload) {
            track.kind = kind;
            if let Some(ticks) = ticks {
                let at = self.last.map_or(ticks, |last| near(last, ticks));
                self.last = Some(at);
                self.tracks[index].begin(at);
            }
            self.tracks[index].take(data);
        } else {
            track.take(payload);
        }
        Ok(())
    }

    /// When the streams begin and end, as far as this reader knows their kinds to the end.
    pub(crate) fn spans(&self) -> Option<Spans> {
        let mut spans = Spans::default();
        for track in &self.tracks {
            let Some((first, last)) = track.times else { continue };
            let (span, more) = match track.kind {
                // As long as the one before it: a lone picture has no length that anybody could know.
                Kind::Video => (&mut spans.video, track.before.map(|before| ticks(last - before))),
                Kind::Audio => (&mut spans.audio, adts(&track.frames)),
                Kind::Other => continue,
            };
            if span.is_some() {
                return None;
            }
            *span = Some(Span { begins: ticks(first), ends: ticks(last) + more? });
        }
        Some(spans)
    }
}

impl Track {
    fn new(pid: u16) -> Self {
        Self { pid, kind: Kind::Other, counter: None, times: None, before: None, frames: Vec::new() }
    }

    /// A packet that is shown, or heard, at a time. Pictures come in the order of their decoding.
    fn begin(&mut self, at: i64) {
        self.frames.clear();
        let Some((first, last)) = self.times else {
            self.times = Some((at, at));
            return;
        };
        if at > last {
            self.before = Some(last);
        } else if at < last && self.before.is_none_or(|before| at > before) {
            self.before = Some(at);
        }
        self.times = Some((first.min(at), last.max(at)));
    }

    fn take(&mut self, data: &[u8]) {
        if self.kind == Kind::Audio {
            self.frames.extend_from_slice(data);
        }
    }
}

/// The head of a packetized elementary stream: its kind, its time in ticks, and what follows (§2.4.3.6).
fn pes(payload: &[u8]) -> Option<(Kind, Option<i64>, &[u8])> {
    let [0, 0, 1, id, _, _, _, flags, length, rest @ ..] = payload else { return None };
    let kind = match id {
        0xe0..=0xef => Kind::Video,
        0xc0..=0xdf => Kind::Audio,
        _ => return None,
    };
    let data = rest.get(usize::from(*length)..)?;
    // Three bits, fifteen and fifteen, each with a one behind it.
    let stamp = rest.first_chunk().filter(|_| flags & 0x80 != 0).map(|stamp: &[u8; 5]| {
        let word = stamp.iter().fold(0_i64, |word, byte| word << 8 | i64::from(*byte));
        word >> 33 << 30 & 7 << 30 | word >> 17 << 15 & 0x7fff << 15 | word >> 1 & 0x7fff
    });
    Some((kind, stamp, data))
}

/// The time nearest to `last` that the clock shows as `ticks`.
fn near(last: i64, ticks: i64) -> i64 {
    let turn = 1_i64 << CLOCK_BITS;
    let ahead = (ticks - last).rem_euclid(turn);
    last + if ahead > turn / 2 { ahead - turn } else { ahead }
}

#[expect(clippy::cast_precision_loss, reason = "ticks of days have fewer bits than an f64")]
fn ticks(ticks: i64) -> f64 {
    ticks as f64 / CLOCK
}

/// Seconds of sound in whole frames of AAC, by their headers (ISO/IEC 14496-3 §1.A.2.2).
fn adts(mut frames: &[u8]) -> Option<f64> {
    const RATES: [f64; 13] = [
        96_000.0, 88_200.0, 64_000.0, 48_000.0, 44_100.0, 32_000.0, 24_000.0, 22_050.0, 16_000.0, 12_000.0, 11_025.0,
        8_000.0, 7_350.0,
    ];
    let mut seconds = 0.0;
    while let [0xff, b, c, d, e, f, g, ..] = frames {
        if b & 0xf6 != 0xf0 {
            break;
        }
        let rate = RATES.get(usize::from(c >> 2 & 0x0f))?;
        let length = usize::from(d & 3) << 11 | usize::from(*e) << 3 | usize::from(f >> 5);
        seconds += f64::from(u32::from(g & 3) + 1) * 1024.0 / rate;
        frames = frames.get(length.max(7)..)?;
    }
    (seconds > 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet that is filled up with an adaptation field.
    fn packet(pid: u16, counter: u8, begins: bool, payload: &[u8]) -> [u8; PACKET] {
        let mut packet = [0xff; PACKET];
        let [high, low] = pid.to_be_bytes();
        packet[..4].copy_from_slice(&[0x47, high | if begins { 0x40 } else { 0 }, low, 0x30 | counter & 0x0f]);
        packet[4] = u8::try_from(PACKET - 5 - payload.len()).unwrap();
        packet[PACKET - payload.len()..].copy_from_slice(payload);
        packet
    }

    fn time(id: u8, at: i64, data: &[u8]) -> Vec<u8> {
        let byte = |shift: u32, mask: i64| u8::try_from(at >> shift & mask).unwrap();
        let pts = [byte(30, 7) << 1 | 0x21, byte(22, 255), byte(15, 127) << 1 | 1, byte(7, 255), byte(0, 127) << 1 | 1];
        [&[0, 0, 1, id, 0, 0, 0x80, 0x80, 5][..], &pts, data].concat()
    }

    /// Two frames of 44.1 kHz.
    const SOUND: [u8; 16] = [0xff, 0xf1, 0x50, 0x80, 1, 0x1f, 0xfc, 0, 0xff, 0xf1, 0x50, 0x80, 1, 0x1f, 0xfc, 0];

    fn read(packets: &[[u8; PACKET]]) -> Result<Option<Spans>> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.ts"), packets.concat()).unwrap();
        let media = Media::parse("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n").unwrap();
        spans(dir.path(), &media)
    }

    fn near_to(span: Option<Span>, begins: f64, ends: f64) -> bool {
        span.is_some_and(|span| (span.begins - begins).abs() < 1e-6 && (span.ends - ends).abs() < 1e-6)
    }

    #[test]
    fn a_stream_ends_with_its_last_picture_and_its_last_frame_of_sound() {
        let spans = read(&[
            packet(0, 0, true, &[0, 0, 0xb0]),
            packet(256, 0, true, &time(0xe0, 90_000, b"key")),
            packet(257, 0, true, &time(0xc0, 81_000, &SOUND)),
            packet(256, 1, true, &time(0xe0, 99_000, b"shown third")),
            packet(256, 2, false, b"and more of it"),
            packet(256, 3, true, &time(0xe0, 94_500, b"shown second")),
            packet(257, 1, true, &time(0xc0, 90_000, &SOUND[..8])),
            packet(257, 2, false, &SOUND[8..]),
        ]);
        let spans = spans.unwrap().unwrap();
        assert!(near_to(spans.video, 1.0, 1.15), "{spans:?}");
        assert!(near_to(spans.audio, 0.9, 1.0 + 2048.0 / 44_100.0), "{spans:?}");
    }

    #[test]
    fn the_clock_may_begin_again() {
        let last = (1 << CLOCK_BITS) - 4_500;
        let pictures: Vec<_> = [last, 0, 4_500].into_iter().zip(0..).collect();
        let packets = pictures.iter().map(|(at, n)| packet(256, *n, true, &time(0xe0, *at, b"picture")));
        let spans = read(&packets.collect::<Vec<_>>()).unwrap().unwrap();
        let begins = ticks(last);
        assert!(near_to(spans.video, begins, begins + 0.15), "{spans:?}");
    }

    #[test]
    fn a_missing_packet_is_noticed_and_a_repeated_one_is_none() {
        let picture = |n: u8| packet(256, n, true, &time(0xe0, 4_500 * i64::from(n), b"picture"));
        assert!(read(&[picture(1), picture(2), picture(2), picture(3)]).is_ok());
        let error = read(&[picture(1), picture(3)]).unwrap_err();
        assert_eq!(format!("{error:#}"), "segment a.ts: packet 1: packets are missing before it");
    }

    #[test]
    fn what_is_no_transport_stream_is_said() {
        let mut strange = packet(256, 0, true, &time(0xe0, 0, b"picture"));
        strange[0] = 0;
        let error = read(&[strange]).unwrap_err();
        assert_eq!(format!("{error:#}"), "segment a.ts: packet 0: it is no transport stream");
    }

    #[test]
    fn what_this_reader_does_not_know_it_leaves_to_others() {
        let picture = |pid: u16, n: u8| packet(pid, n, true, &time(0xe0, 4_500 * i64::from(n), b"picture"));
        assert_eq!(read(&[picture(256, 0)]).unwrap(), None, "one picture");
        assert_eq!(read(&[packet(257, 0, true, &time(0xc0, 0, b"mp3"))]).unwrap(), None, "sound that is no AAC");
        let two = [picture(256, 0), picture(256, 1), picture(258, 0), picture(258, 1)];
        assert_eq!(read(&two).unwrap(), None, "two pictures");
    }
}
