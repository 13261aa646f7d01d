//! When the keyframes of an MP4's picture are shown, read from its sample tables (ISO/IEC 14496-12 §8.6).
//!
//! ffprobe says the same, but reads and prints every packet of the file for it.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use rec_core::mp4;

/// The largest index that is read, in bytes: that of days of pictures.
const LARGEST: u64 = 256 << 20;

/// The most pictures: those of a day and a half at 60 a second. An index of a few bytes may claim any number.
const MOST: usize = 8 << 20;

/// A picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// When it is shown, in seconds on the file's own clock.
    pub(crate) at: f64,
    /// Whether it is a keyframe, as the index says.
    pub(crate) key: bool,
}

/// The pictures of the file's first picture track, in the order of their decoding. `Ok(None)` where the index does not tell
/// when each of them is shown, or more of it than that: fragments, an edit list that leaves something out, damage.
pub(crate) fn pictures(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<Sample>>> {
    let length = file.seek(SeekFrom::End(0))?;
    // A picture takes a byte at least.
    let most = usize::try_from(length).unwrap_or(MOST).min(MOST);
    Ok(mp4::index(file, LARGEST)?.and_then(|moov| read(&moov, most)))
}

/// The type of a box, the bytes of its head, and those of all of it (§4.2).
fn head_of(bytes: &[u8], left: u64) -> Option<([u8; 4], u64, u64)> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (kind, rest) = rest.split_first_chunk()?;
    match u32::from_be_bytes(*size) {
        0 => Some((*kind, 8, left)),
        1 => Some((*kind, 16, u64::from_be_bytes(*rest.first_chunk()?))).filter(|(.., size)| *size >= 16),
        size => Some((*kind, 8, size.into())).filter(|(.., size)| *size >= 8),
    }
}

/// The boxes in a box.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, head, size) = head_of(bytes, bytes.len() as u64)?;
        let (head, size) = (usize::try_from(head).ok()?, usize::try_from(size).ok()?);
        let body = bytes.get(head..size)?;
        bytes = &bytes[size..];
        Some((kind, body))
    })
}

/// The first box of a kind, down a path of kinds.
fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    let (first, rest) = path.split_first()?;
    let body = boxes(bytes).find(|(kind, _)| kind == *first)?.1;
    if rest.is_empty() { Some(body) } else { find(body, rest) }
}

fn read(moov: &[u8], most: usize) -> Option<Vec<Sample>> {
    let movie_scale = scale(find(moov, &[b"mvhd"])?)?;
    let is_picture =
        |trak: &&[u8]| find(trak, &[b"mdia", b"hdlr"]).is_some_and(|hdlr| hdlr.get(8..12) == Some(b"vide"));
    let trak = boxes(moov).filter(|(kind, _)| kind == b"trak").map(|(_, trak)| trak).find(is_picture)?;
    let scale = scale(find(trak, &[b"mdia", b"mdhd"])?)?;
    let tables = find(trak, &[b"mdia", b"minf", b"stbl"])?;
    let table = |kind| find(tables, &[kind]);

    let mut shown = Vec::new();
    let mut decoded = 0_i64;
    for [count, delta] in rows(table(b"stts")?)? {
        for _ in 0..count {
            if shown.len() == most {
                return None;
            }
            shown.push(decoded);
            decoded += i64::from(delta);
        }
    }
    if let Some(offsets) = table(b"ctts") {
        // Of version 0, too, some writers mean signed ones.
        let offsets =
            rows(offsets)?.flat_map(|[count, offset]| std::iter::repeat_n(offset.cast_signed(), count as usize));
        for (at, offset) in shown.iter_mut().zip(offsets) {
            *at += i64::from(offset);
        }
    }
    let mut key = vec![table(b"stss").is_none(); shown.len()];
    if let Some(keyframes) = table(b"stss") {
        for number in words(keyframes.get(8..)?) {
            *key.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)? = true;
        }
    }
    let edit = Edit::of(trak)?;
    #[expect(clippy::cast_precision_loss, reason = "a time in days has fewer bits")]
    let seconds = |units: i64| units as f64 / f64::from(scale);
    let in_movie = |units: u64| Duration::from_secs(units).as_secs_f64() / f64::from(movie_scale);
    // An edit list may leave out what lies before its beginning or behind its end, to a frame's half.
    let whole = edit.begins <= *shown.iter().min()? && seconds(decoded - edit.begins) <= in_movie(edit.lasts) + 0.01;
    let sample = |(at, key)| Sample { at: seconds(at - edit.begins) + in_movie(edit.waits), key };
    (whole || edit.lasts == 0).then(|| shown.into_iter().zip(key).map(sample).collect())
}

/// What the edit list of a track makes of its times (§8.6.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Edit {
    /// For how long nothing is shown, in the movie's units.
    waits: u64,
    /// What is shown first, in the track's units.
    begins: i64,
    /// For how long it is shown, in the movie's units; nought: to its end.
    lasts: u64,
}

impl Edit {
    /// None where more than one piece of the track is shown, or one of them at another speed.
    fn of(trak: &[u8]) -> Option<Self> {
        let Some(list) = find(trak, &[b"edts", b"elst"]) else { return Some(Self::default()) };
        let (long, entries) = (*list.first()? != 0, list.get(8..)?);
        let wide = |eight: &[u8]| eight.try_into().ok().map(u64::from_be_bytes);
        let narrow = |four: &[u8]| four.try_into().ok().map(u32::from_be_bytes);
        let pieces = entries.chunks_exact(if long { 20 } else { 12 }).map(|entry| {
            if long {
                Some((wide(&entry[..8])?, wide(&entry[8..16])?.cast_signed()))
            } else {
                Some((narrow(&entry[..4])?.into(), narrow(&entry[4..8])?.cast_signed().into()))
            }
        });
        match *pieces.collect::<Option<Vec<_>>>()? {
            [(lasts, begins)] if begins >= 0 => Some(Self { waits: 0, begins, lasts }),
            [(waits, -1), (lasts, begins)] if begins >= 0 => Some(Self { waits, begins, lasts }),
            _ => None,
        }
    }
}

/// Units a second, out of a movie's or a track's header: behind two times, of four bytes each or in version 1 of eight.
fn scale(header: &[u8]) -> Option<u32> {
    let from = if *header.first()? == 0 { 12 } else { 20 };
    Some(u32::from_be_bytes(*header.get(from..)?.first_chunk()?)).filter(|scale| *scale > 0)
}

/// The rows of a table of two columns.
fn rows(table: &[u8]) -> Option<impl Iterator<Item = [u32; 2]>> {
    let rows = table.get(8..)?.as_chunks::<8>().0.iter();
    let word = |row: &[u8; 8], from| u32::from_be_bytes([row[from], row[from + 1], row[from + 2], row[from + 3]]);
    Some(rows.map(move |row| [word(row, 0), word(row, 4)]))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::process::Command;

    /// A film that ffmpeg makes, its pictures as ffprobe lists them, and as they are read here.
    fn both(args: &str) -> (Vec<Sample>, Option<Vec<Sample>>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.mp4");
        let made =
            Command::new("ffmpeg").args(["-v", "error"]).args(args.split_whitespace()).arg(&path).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut ffprobe = Command::new("ffprobe");
        ffprobe.args([
            "-v",
            "error",
            "-select_streams",
            "V:0",
            "-show_entries",
            "packet=pts_time,flags",
            "-of",
            "csv=p=0",
        ]);
        let listed = String::from_utf8(ffprobe.arg(&path).output().unwrap().stdout).unwrap();
        let listed = listed.lines().filter_map(|line| {
            let (at, flags) = line.split_once(',')?;
            Some(Sample { at: at.parse().ok()?, key: flags.starts_with('K') })
        });
        (listed.collect(), pictures(&mut File::open(&path).unwrap()).unwrap())
    }

    const FILM: &str = "-f lavfi -i testsrc2=s=64x48:r=30:d=3 -c:v libx264 -preset veryfast";

    #[test]
    fn pictures_are_shown_when_ffprobe_says() {
        for args in [
            "-g 20",
            "-g 20 -bf 0",
            "-g 1",
            "-g 20 -video_track_timescale 1000",
            "-g 20 -movflags +faststart -vf setpts=N*N/(30*TB)/20",
            "-g 20 -use_editlist 0",
            "-g 20 -movflags +negative_cts_offsets",
            "-g 20 -output_ts_offset 1.3",
        ] {
            let (listed, read) = both(&format!("{FILM} {args}"));
            let read = read.unwrap_or_else(|| panic!("{args}: not read"));
            assert_eq!(listed.len(), read.len(), "{args}");
            for (listed, read) in listed.iter().zip(&read) {
                assert!(listed.key == read.key && (listed.at - read.at).abs() < 2e-6, "{args}: {listed:?} {read:?}");
            }
        }
    }

    #[test]
    fn what_the_index_does_not_tell_whole_is_left_to_ffprobe() {
        assert_eq!(both(&format!("{FILM} -g 20 -movflags +frag_keyframe+empty_moov")).1, None, "fragments");
        assert_eq!(both("-f lavfi -i sine=d=1 -c:a aac").1, None, "no picture");
        // A copy from between two keyframes begins with pictures that are not shown.
        let dir = tempfile::tempdir().unwrap();
        let whole = dir.path().join("whole.mp4");
        let made = Command::new("ffmpeg").args(["-v", "error"]).args(FILM.split(' ')).arg(&whole).status().unwrap();
        assert!(made.success());
        assert_eq!(both(&format!("-ss 1.1 -i {} -c copy", whole.display())).1, None, "an edit list that leaves out");
    }

    #[test]
    fn an_index_that_lies_is_not_believed() {
        let boxed = |kind: &[u8; 4], body: &[u8]| {
            [&u32::try_from(body.len() + 8).unwrap().to_be_bytes(), &kind[..], body].concat()
        };
        let track = |stts: &[u8], stss: &[u8]| {
            let tables = boxed(b"stbl", &[boxed(b"stts", stts), boxed(b"stss", stss)].concat());
            let header = boxed(b"mdhd", &[[0; 12], [0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0]].concat());
            let media = [header, boxed(b"hdlr", &[&[0; 8][..], b"vide"].concat()), boxed(b"minf", &tables)].concat();
            let movie = boxed(b"mvhd", &[[0; 12], [0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0]].concat());
            [movie, boxed(b"trak", &boxed(b"mdia", &media))].concat()
        };
        let (three, all) = ([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        let first = Sample { at: 0.0, key: true };
        let read = |moov: &[u8]| read(moov, MOST);
        assert_eq!(read(&track(&three, &all)).map(|samples| (samples[0], samples.len())), Some((first, 3)));
        let mut many = three;
        many[8..12].copy_from_slice(&[0xff; 4]);
        assert_eq!(read(&track(&many, &all)), None, "more pictures than an index can list");
        for number in [0, 4] {
            let mut strange = all;
            strange[11] = number;
            assert_eq!(read(&track(&three, &strange)), None, "keyframe {number} of 3");
        }
        for cut in 0..track(&three, &all).len() {
            assert_eq!(read(&track(&three, &all)[..cut]), None, "{cut} bytes");
        }
    }
}
