//! What an MP4's top-level boxes tell, without decoding anything (ISO/IEC 14496-12 §4.2).

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

/// The shape of a file, as far as its top-level boxes show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Has its index (`moov`) and all bytes that its boxes announce: whoever wrote it has closed it.
    Whole,
    /// Has its index and movie fragments (`moof`): it plays, but nothing in it says whether more will follow.
    Fragmented,
    /// Cannot be played, or not to its end.
    Damaged(Damage),
}

/// Why a file cannot be played to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// No bytes at all.
    Empty,
    /// Something else than MP4.
    NotMp4,
    /// No index: the recorder was killed before it closed the file, or is still writing it.
    NoIndex,
    /// A box announces more bytes than there are.
    Cut {
        /// How many bytes are missing.
        missing: u64,
    },
    /// An index, but no media beside it.
    NoMedia,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::NotMp4 => f.write_str("it is not an MP4"),
            Self::NoIndex => f.write_str("it has no index (moov): the recorder was killed before it could close it"),
            Self::Cut { missing } => write!(f, "it is cut: {missing} bytes are missing at its end"),
            Self::NoMedia => f.write_str("it has an index but no media (mdat)"),
        }
    }
}

/// More top-level boxes than a day of one-second fragments has are no recording.
const MOST_BOXES: u32 = 1_000_000;

/// Walks the top-level boxes of a file: a few small reads for a file as Jibri writes it, two a fragment for a fragmented one.
pub fn inspect(file: &mut (impl Read + Seek)) -> io::Result<Shape> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(Shape::Damaged(Damage::Empty));
    }
    if !header(file, 0, length)?.is_some_and(|(kind, _)| known(kind)) {
        return Ok(Shape::Damaged(Damage::NotMp4));
    }
    let (mut index, mut media, mut fragments) = (false, false, false);
    let mut at = 0;
    for _ in 0..MOST_BOXES {
        // Fewer than eight bytes at the end are no box; players pass over them, and so do we.
        let Some((kind, size)) = header(file, at, length)? else { break };
        match &kind {
            b"moov" => index = true,
            b"mdat" => media = true,
            b"moof" => fragments = true,
            _ => {}
        }
        match at.checked_add(size) {
            Some(end) if end <= length => at = end,
            // What follows the media and the index may be padding that only looks like a box.
            _ if index && media && !known(kind) => break,
            _ if index => return Ok(Shape::Damaged(Damage::Cut { missing: size - (length - at) })),
            _ => break,
        }
    }
    Ok(match (index, media, fragments) {
        (false, _, _) => Shape::Damaged(Damage::NoIndex),
        (true, false, _) => Shape::Damaged(Damage::NoMedia),
        (true, true, true) => Shape::Fragmented,
        (true, true, false) => Shape::Whole,
    })
}

/// Seconds of playing time, as the movie header (`mvhd`, §8.2.2) of a closed file tells it; `None` where it does not, as in a
/// file with fragments. A second takes a byte at least, whatever an index claims.
pub fn seconds(file: &mut (impl Read + Seek)) -> io::Result<Option<f64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some((begin, end)) = movie(file, length)? else { return Ok(None) };
    let found = movie_header(file, begin, length.min(end))?;
    #[expect(clippy::cast_precision_loss, reason = "nobody looks at the last bits")]
    let seconds = found.map(|(units, scale)| (units as f64 / f64::from(scale)).min(length as f64));
    Ok(seconds.filter(|seconds| *seconds > 0.0))
}

/// The content of the index (`moov`, §8.2.1) of a closed file; `None` where there is none, or not all of it, or more than `most`
/// bytes, and in a file with fragments, whose index does not tell of all of it.
pub fn index(file: &mut (impl Read + Seek), most: u64) -> io::Result<Option<Vec<u8>>> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some((begin, end)) = movie(file, length)?.filter(|(begin, end)| *end <= length && end - begin <= most) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(end - begin).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Where the content of the index begins, and where it says that it ends; `None` in a file with fragments.
fn movie(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<(u64, u64)>> {
    let (mut at, mut found) = (0, None);
    for _ in 0..MOST_BOXES {
        let Some((kind, size)) = header(file, at, length)? else { break };
        match &kind {
            b"moov" => found = Some((file.stream_position()?, at.saturating_add(size))),
            b"moof" => return Ok(None),
            _ => {}
        }
        match at.checked_add(size) {
            Some(end) if end < length => at = end,
            _ => break,
        }
    }
    Ok(found)
}

/// Duration and units a second, of the movie header among the boxes from `at` on.
fn movie_header(file: &mut (impl Read + Seek), mut at: u64, end: u64) -> io::Result<Option<(u64, u32)>> {
    // It is the first of a few.
    for _ in 0..100 {
        let Some((kind, size)) = header(file, at, end)? else { break };
        if &kind != b"mvhd" {
            let Some(next) = at.checked_add(size).filter(|next| *next < end) else { break };
            at = next;
            continue;
        }
        // Version and flags, two times, scale, duration: in version 1 all but the scale have eight bytes.
        let mut body = [0; 32];
        if end - at < 8 + 32 {
            break;
        }
        file.read_exact(&mut body)?;
        let four = |from: usize| u32::from_be_bytes([body[from], body[from + 1], body[from + 2], body[from + 3]]);
        let (scale, units) = match body[0] {
            0 => (four(12), u64::from(four(16))),
            _ => (four(20), u64::from(four(24)) << 32 | u64::from(four(28))),
        };
        // All bits set: unknown.
        let known = scale > 0 && ![u64::from(u32::MAX), u64::MAX].contains(&units);
        return Ok(known.then_some((units, scale)));
    }
    Ok(None)
}

/// Type and size of the box at `at`; `None` where no box is there.
fn header(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<([u8; 4], u64)>> {
    if length - at < 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut head = [0; 8];
    file.read_exact(&mut head)?;
    let (size, kind) = head.split_at(4);
    let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]);
    let kind = [kind[0], kind[1], kind[2], kind[3]];
    Ok(match size {
        // "Extends to the end of the file."
        0 => Some((kind, length - at)),
        // The size follows in eight bytes.
        1 if length - at >= 16 => {
            let mut large = [0; 8];
            file.read_exact(&mut large)?;
            Some((kind, u64::from_be_bytes(large).max(16)))
        }
        1..8 => None,
        size => Some((kind, u64::from(size))),
    })
}

fn known(kind: [u8; 4]) -> bool {
    matches!(
        &kind,
        b"ftyp"
            | b"free"
            | b"skip"
            | b"wide"
            | b"mdat"
            | b"moov"
            | b"moof"
            | b"mfra"
            | b"sidx"
            | b"styp"
            | b"udta"
            | b"uuid"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn boxed(kind: [u8; 4], body: usize) -> Vec<u8> {
        let size = u32::try_from(body + 8).unwrap();
        [&size.to_be_bytes()[..], &kind, &vec![0; body]].concat()
    }

    fn shape(parts: &[&[u8]]) -> Shape {
        inspect(&mut Cursor::new(parts.concat())).unwrap()
    }

    #[test]
    fn shapes_by_their_boxes() {
        let (ftyp, free) = (boxed(*b"ftyp", 20), boxed(*b"free", 0));
        let (index, media, fragment) = (boxed(*b"moov", 50), boxed(*b"mdat", 100), boxed(*b"moof", 30));
        let large = [&1u32.to_be_bytes()[..], b"mdat", &116u64.to_be_bytes(), &[0; 100]].concat();
        let open_ended = [&0u32.to_be_bytes()[..], b"mdat", &[0; 100]].concat();
        let too_large = [&1u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes(), &[0; 100]].concat();
        let cases: [(&str, Vec<&[u8]>, Shape); 14] = [
            ("empty", vec![], Shape::Damaged(Damage::Empty)),
            ("as Jibri closes it", vec![&ftyp, &free, &media, &index], Shape::Whole),
            ("faststart", vec![&ftyp, &index, &media], Shape::Whole),
            ("64-bit size", vec![&ftyp, &large, &index], Shape::Whole),
            ("media to the end of the file", vec![&ftyp, &index, &open_ended], Shape::Whole),
            ("being written: size not yet known", vec![&ftyp, &free, &open_ended], Shape::Damaged(Damage::NoIndex)),
            ("recorder killed", vec![&ftyp, &free, &media[..60]], Shape::Damaged(Damage::NoIndex)),
            ("faststart, cut", vec![&ftyp, &index, &media[..60]], Shape::Damaged(Damage::Cut { missing: 48 })),
            ("index, cut", vec![&ftyp, &media, &index[..40]], Shape::Damaged(Damage::Cut { missing: 18 })),
            ("absurd size", vec![&ftyp, &index, &too_large], Shape::Damaged(Damage::Cut { missing: u64::MAX - 116 })),
            ("fragmented", vec![&ftyp, &index, &fragment, &media, &fragment, &media], Shape::Fragmented),
            (
                "fragmented, cut",
                vec![&ftyp, &index, &fragment, &media[..99]],
                Shape::Damaged(Damage::Cut { missing: 9 }),
            ),
            ("index only", vec![&ftyp, &index], Shape::Damaged(Damage::NoMedia)),
            ("zeros after the end", vec![&ftyp, &media, &index, &[0; 512]], Shape::Whole),
        ];
        for (name, parts, wanted) in cases {
            assert_eq!(shape(&parts), wanted, "{name}");
        }
    }

    #[test]
    fn the_playing_time_is_that_of_the_movie_header() {
        let mvhd = |version: u8, scale: u32, units: u64| {
            let units = units.to_be_bytes();
            let body = match version {
                0 => [&[0; 12][..], &scale.to_be_bytes(), &units[4..], &[0; 80]].concat(),
                _ => [&[1, 0, 0, 0][..], &[0; 16], &scale.to_be_bytes(), &units, &[0; 80]].concat(),
            };
            [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], b"mvhd", &body].concat()
        };
        let moov = |inner: &[&[u8]]| {
            let inner = inner.concat();
            [&u32::try_from(inner.len() + 8).unwrap().to_be_bytes()[..], b"moov", &inner].concat()
        };
        let (ftyp, media, fragment, other) =
            (boxed(*b"ftyp", 20), boxed(*b"mdat", 10_000), boxed(*b"moof", 30), boxed(*b"udta", 9));
        let is = |parts: &[&[u8]]| seconds(&mut Cursor::new(parts.concat())).unwrap();
        let closed = moov(&[&mvhd(0, 1000, 7_200_500), &other]);
        assert_eq!(is(&[&ftyp, &media, &closed]), Some(7200.5), "as Jibri closes it");
        assert_eq!(is(&[&ftyp, &closed, &media]), Some(7200.5), "faststart");
        assert_eq!(is(&[&ftyp, &media, &moov(&[&other, &mvhd(1, 90_000, 90_000 * 5000)])]), Some(5000.0), "version 1");
        assert_eq!(is(&[&ftyp, &closed, &fragment, &media]), None, "fragmented");
        let odd = [mvhd(0, 0, 5), mvhd(0, 1000, 0), mvhd(0, 1, u64::from(u32::MAX)), mvhd(1, 1, u64::MAX)];
        for header in odd {
            assert_eq!(is(&[&ftyp, &media, &moov(&[&header])]), None);
        }
        assert_eq!(is(&[&ftyp, &media, &moov(&[&mvhd(0, 1, 9)[..30]])]), None, "cut");
        assert_eq!(is(&[&ftyp, &moov(&[&mvhd(0, 1, 4_000_000_000)])]), Some(144.0), "a second takes a byte");
        assert_eq!(is(&[]), None);
    }

    #[test]
    fn what_does_not_begin_with_a_box_is_no_mp4() {
        for text in
            [&b"#EXTM3U\n#EXT-X-VERSION:3\nhttp://example.org/seg.ts\n"[..], b"\x00", &[0; 4096], b"not a video at all"]
        {
            assert_eq!(shape(&[text]), Shape::Damaged(Damage::NotMp4));
        }
    }

    #[test]
    fn the_index_is_read_where_all_of_it_is_there_and_tells_of_all() {
        let index = |parts: &[&[u8]], most| index(&mut Cursor::new(parts.concat()), most).unwrap();
        let (head, media, moov) = (boxed(*b"ftyp", 8), boxed(*b"mdat", 40), boxed(*b"moov", 5));
        assert_eq!(index(&[&head, &media, &moov], 5), Some(vec![0; 5]));
        let wide = [&[0, 0, 0, 1][..], b"moov", &19_u64.to_be_bytes(), b"abc"].concat();
        assert_eq!(index(&[&head, &wide, &media], 5), Some(b"abc".to_vec()));
        assert_eq!(index(&[&head, &media, &moov], 4), None, "too large");
        assert_eq!(index(&[&head, &media, &moov[..10]], 5), None, "cut");
        assert_eq!(index(&[&head, &moov, &boxed(*b"moof", 4), &media], 5), None, "fragments");
        assert_eq!(index(&[&head, &media], 5), None);
    }
}
