//! What is in the fuzzers' corpus, and random changes of it, given to each reader.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use hostile_bytes::TARGETS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestError, TestRunner};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fuzz")
}

fn samples(target: &str) -> Vec<Vec<u8>> {
    let dir = fuzz().join("corpus").join(target);
    let files = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A change such as bit rot, a full disk, a careless editor or an attacker would make.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Number(Index, u32),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Insert(Index, Vec<u8>),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        let number = select(&[0, 1, 7, 8, 16, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 7][..]);
        prop_oneof![
            4 => (at(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            4 => (at(), number).prop_map(|(at, number)| Self::Number(at, number)),
            1 => at().prop_map(Self::Cut),
            2 => (at(), 0..40_usize).prop_map(|(at, length)| Self::Remove(at, length)),
            1 => (at(), 1..60_usize, 1..30_usize).prop_map(|(at, length, times)| Self::Repeat(at, length, times)),
            2 => (at(), vec(any::<u8>(), 0..20)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
        ]
    }

    fn make(&self, bytes: &mut Vec<u8>) {
        let size = bytes.len();
        let spot = |at: &Index| at.index(size + 1);
        let end = |from: usize, length: usize| (from + length).min(size);
        match self {
            Self::Set(at, byte) => bytes.iter_mut().skip(spot(at)).take(1).for_each(|old| *old = *byte),
            Self::Number(at, number) => {
                for (old, new) in bytes.iter_mut().skip(spot(at)).zip(number.to_be_bytes()) {
                    *old = new;
                }
            }
            Self::Cut(at) => bytes.truncate(spot(at)),
            Self::Remove(at, length) => drop(bytes.drain(spot(at)..end(spot(at), *length))),
            Self::Repeat(at, length, times) => {
                let piece = bytes[spot(at)..end(spot(at), *length)].repeat(*times);
                bytes.splice(spot(at)..spot(at), piece);
            }
            Self::Insert(at, more) => drop(bytes.splice(spot(at)..spot(at), more.iter().copied())),
        }
    }
}

#[test]
fn every_reader_stands_its_corpus_and_random_changes_of_it() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(250);
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let samples = samples(name);
        assert!(samples.len() >= 2, "{name} has no corpus");
        for sample in &samples {
            target(sample);
        }
        let changed = (select(samples), vec(Change::any(), 1..6)).prop_map(|(mut bytes, changes)| {
            for change in &changes {
                change.make(&mut bytes);
            }
            bytes
        });
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let run = TestRunner::new(config).run(&changed, |bytes| {
            target(&bytes);
            Ok(())
        });
        if let Err(TestError::Fail(why, bytes)) = run {
            failed.push(format!("{name}: {why}: b\"{}\"", bytes.escape_ascii()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_reader_has_its_fuzzer_and_a_small_corpus() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let mut bytes = 0;
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in tests/fuzz/Cargo.toml");
        let body = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(body.contains(&format!("feed(\"{name}\", data)")), "{body}");
        bytes += samples(name).iter().map(Vec::len).sum::<usize>();
    }
    assert_eq!(fs::read_dir(fuzz().join("fuzz_targets")).unwrap().count(), TARGETS.len());
    assert_eq!(fs::read_dir(fuzz().join("corpus")).unwrap().count(), TARGETS.len());
    assert!(bytes < 200_000, "{bytes} bytes of corpus");
}
