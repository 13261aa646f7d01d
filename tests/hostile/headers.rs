//! MP4s whose boxes lie.

use std::path::Path;

use super::boxes::{begin, body, boxed, filled, replaced, set, words};
use super::{AWAY, Fate, Hostile};
use crate::media;

type Kind = &'static [u8; 4];
const MVHD: &[Kind] = &[b"moov", b"mvhd"];
const TRAK: &[Kind] = &[b"moov", b"trak"];
const ELST: &[Kind] = &[b"moov", b"trak", b"edts", b"elst"];
const MDHD: &[Kind] = &[b"moov", b"trak", b"mdia", b"mdhd"];
const DREF: &[Kind] = &[b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"];
const STBL: [Kind; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// A table of the first track, the picture's.
fn table(kind: Kind) -> Vec<&'static [u8; 4]> {
    [&STBL[..], &[kind]].concat()
}

/// Sizes of boxes that cannot be.
pub(super) fn broken(whole: &[u8]) -> Vec<Hostile> {
    let sized = |path: &[Kind], size: u32| {
        let mut bytes = whole.to_vec();
        let at = begin(whole, path);
        bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
        bytes
    };
    let long = |path: &[Kind], size: u64| {
        let inner = [&[0, 0, 0, 1][..], path[path.len() - 1], &size.to_be_bytes(), body(whole, path)].concat();
        replaced(whole, path, &inner)
    };
    let media = body(whole, &[b"mdat"]).len() as u64;
    let deep = (0..4000).fold(Vec::new(), |inner, _| boxed(*b"trak", &inner));
    let nested = |kind: Kind| [&boxed(*b"free", b"")[..], &boxed(*b"moov", &deep.clone()), &boxed(*kind, b"")].concat();
    let with_many = |count: usize, each: &[u8]| {
        replaced(whole, MVHD, &[&boxed(*b"mvhd", body(whole, MVHD))[..], &each.repeat(count)].concat())
    };
    let track = boxed(*b"trak", body(whole, &[b"moov", b"trak"]));
    let small_track =
        boxed(*b"trak", &[boxed(*b"tkhd", &[0; 84]), boxed(*b"mdia", &boxed(*b"mdhd", &[0; 24]))].concat());
    let tiny_boxes = [&boxed(*b"ftyp", b"isom\0\0\0\0")[..], &boxed(*b"free", b"").repeat(300_000)].concat();
    vec![
        Hostile::new("index-to-the-end", Fate::Whole, sized(&[b"moov"], 0)),
        Hostile::new("index-larger-than-the-file", Fate::Error, sized(&[b"moov"], u32::MAX)),
        Hostile::new("media-of-long-size", Fate::Either, {
            // Its offsets are eight bytes off then.
            long(&[b"mdat"], media + 16)
        }),
        Hostile::new("index-of-the-longest-size", Fate::Error, long(&[b"moov"], u64::MAX)),
        Hostile::new("index-of-size-7", Fate::Error, sized(&[b"moov"], 7)),
        Hostile::new("track-of-size-0", Fate::Either, sized(TRAK, 0)),
        Hostile::new("track-of-the-largest-size", Fate::Either, sized(TRAK, u32::MAX)),
        Hostile::new("track-of-the-longest-size", Fate::Either, long(TRAK, u64::MAX)),
        Hostile::new("track-of-a-negative-size", Fate::Either, long(TRAK, 1 << 63)),
        Hostile::new(
            "nothing-but-nested-boxes",
            Fate::Error,
            [boxed(*b"ftyp", b"isom\0\0\0\0"), nested(b"mdat")].concat(),
        ),
        Hostile::new("nested-boxes-in-the-index", Fate::Either, with_many(1, &deep)),
        Hostile::new("ten-thousand-tracks", Fate::Error, with_many(10_000, &small_track)),
        Hostile::new("a-hundred-pictures", Fate::Error, with_many(100, &track)),
        Hostile::new("boxes-of-eight-bytes", Fate::Error, tiny_boxes),
        Hostile::new("compressed-index", Fate::Error, {
            let claimed = [words(&[u32::MAX]), vec![0x78, 0x9c, 3, 0, 0, 0, 0, 1]].concat();
            let inner = [boxed(*b"dcom", b"zlib"), boxed(*b"cmvd", &claimed)].concat();
            replaced(whole, &[b"moov"], &boxed(*b"moov", &boxed(*b"cmov", &inner)))
        }),
    ]
}

/// Numbers in tables and headers that cannot be, or that nobody should believe.
pub(super) fn absurd(whole: &[u8]) -> Vec<Hostile> {
    const MANY: u32 = u32::MAX;
    let one = |name: &str, path: &[Kind], at: usize, number: u32| {
        Hostile::new(name, Fate::Either, set(whole, path, at, number))
    };
    let with = |name: &str, kind: Kind, numbers: &[u32]| {
        Hostile::new(name, Fate::Either, filled(whole, &table(kind), &words(numbers)))
    };
    let years = |bytes: &[u8]| set(&set(bytes, MVHD, 16, MANY - 1), MDHD, 16, MANY - 1);
    let edits = |name: &str, entries: &[u32]| Hostile::new(name, Fate::Either, filled(whole, ELST, &words(entries)));
    let many_edits = [words(&[0, 5000]), words(&[10, 0, 0x1_0000]).repeat(5000)].concat();
    vec![
        with("chunks-without-number", b"stsc", &[0, MANY, 1, MANY, 1]),
        with("chunks-that-go-back", b"stsc", &[0, 3, 9, 1, 1, 3, 1, 1, 1, MANY, 1]),
        with("pictures-without-number", b"stsz", &[0, 1, 0x7fff_ffff]),
        with("pictures-without-sizes", b"stsz", &[0, 0, MANY]),
        with("pictures-larger-than-the-file", b"stsz", &[0, 0x7fff_ffff, 60]),
        with("offsets-without-number", b"stco", &[0, MANY, 48]),
        with("offsets-behind-the-end", b"stco", &[0, 1, MANY]),
        with("durations-without-number", b"stts", &[0, 1, MANY, 1]),
        with("pictures-years-apart", b"stts", &[0, 1, 60, 0x7000_0000]),
        with("pictures-at-one-time", b"stts", &[0, 1, 60, 0]),
        with("no-tables", b"stsd", &[0, 0]),
        with("descriptions-without-number", b"stsd", &[0, MANY]),
        one("film-of-no-scale", MVHD, 12, 0),
        one("track-of-no-scale", MDHD, 12, 0),
        one("track-of-the-finest-scale", MDHD, 12, MANY),
        Hostile::new("film-of-years", Fate::Either, years(whole)),
        Hostile::new(
            "film-of-years-by-pictures",
            Fate::Either,
            filled(&years(whole), &table(b"stts"), &words(&[0, 2, 59, 1024, 1, MANY / 2])),
        ),
        edits("edits-of-no-speed", &[0, 1, 2000, 0, 0]),
        edits("edit-that-waits-for-years", &[0, 2, MANY - 1, MANY, 0x1_0000, 2000, 0, 0x1_0000]),
        edits("edit-from-behind-the-end", &[0, 1, 2000, 0x7fff_ffff, 0x1_0000]),
        edits("edits-without-number", &[0, MANY, 2000, 0, 0x1_0000]),
        Hostile::new("thousands-of-edits", Fate::Either, filled(whole, ELST, &many_edits)),
        Hostile::new("picture-of-65535", Fate::Either, {
            let mut bytes = whole.to_vec();
            // Width and height of the first sample description.
            let at = begin(whole, &table(b"stsd")) + 8 + 8 + 8 + 24;
            bytes[at..at + 4].fill(0xff);
            bytes
        }),
    ]
}

/// Media that are said to be in another file, or at another host; its own are zeros.
pub(super) fn elsewhere(whole: &[u8], outside: &Path) -> Vec<Hostile> {
    let outside = outside.to_str().unwrap();
    let mut empty = whole.to_vec();
    let media = begin(whole, &[b"mdat"]) + 8;
    empty[media..media + body(whole, &[b"mdat"]).len()].fill(0);
    let entry = |kind: Kind, text: &str| boxed(*kind, &[&[0; 4][..], text.as_bytes(), &[0]].concat());
    let with = |name: &str, entry: &[u8]| {
        Hostile::new(name, Fate::Error, filled(&empty, DREF, &[&words(&[0, 1])[..], entry].concat()))
    };
    let alias = media::with_alias(empty.clone(), b"whole.mp4");
    vec![
        with("media-at-a-host", &entry(b"url ", &format!("http://{AWAY}/whole.mp4"))),
        with("media-in-a-file", &entry(b"url ", &format!("file://{outside}/whole.mp4"))),
        with("media-of-a-name", &entry(b"urn ", &format!("urn:x\0http://{AWAY}/whole.mp4"))),
        with("media-of-no-kind", &entry(b"rsrc", outside)),
        Hostile::new("media-by-an-alias", Fate::Error, alias),
    ]
}

/// A recording with some of the numbers in its index changed, the same ones for the same seed.
pub(super) fn mutated(whole: &[u8], seed: u64) -> Hostile {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = whole.to_vec();
    let index = begin(whole, &[b"moov"])..whole.len();
    let odd = [0, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 7, 0x0100_0000];
    for _ in 0..random.usize(1..6) {
        let at = random.usize(index.start..index.end - 4);
        match random.u8(0..3) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at..at + 4].copy_from_slice(&random.choice(odd).unwrap().to_be_bytes()),
            _ => {
                let from = random.usize(index.start..index.end - 4);
                bytes.copy_within(from..from + 4, at);
            }
        }
    }
    Hostile::new(&format!("seed-{seed}"), Fate::Either, bytes)
}
