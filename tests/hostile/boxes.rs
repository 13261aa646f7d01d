//! MP4 taken apart and put together again (ISO/IEC 14496-12 §4.2), with whatever sizes one wants.

/// A box.
pub(super) fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), &kind[..], body].concat()
}

/// Words of four bytes, as tables have them.
pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The boxes from the outermost to the one at the end of a path of kinds, each as its first byte and its size.
fn way(bytes: &[u8], path: &[&[u8; 4]]) -> Vec<(usize, usize)> {
    let (mut found, mut at, mut end) = (Vec::new(), 0, bytes.len());
    for kind in path {
        loop {
            assert!(at + 8 <= end, "there is no {}", String::from_utf8_lossy(&kind[..]));
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            if bytes[at + 4..at + 8] == kind[..] {
                found.push((at, size));
                (at, end) = (at + 8, at + size);
                break;
            }
            at += size;
        }
    }
    found
}

/// What is in a box.
pub(super) fn body<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> &'a [u8] {
    let (at, size) = *way(bytes, path).last().unwrap();
    &bytes[at + 8..at + size]
}

/// Where a box begins.
pub(super) fn begin(bytes: &[u8], path: &[&[u8; 4]]) -> usize {
    way(bytes, path).last().unwrap().0
}

/// The same file with other bytes in the place of a box; those around it grow and shrink with it.
pub(super) fn replaced(bytes: &[u8], path: &[&[u8; 4]], with: &[u8]) -> Vec<u8> {
    let way = way(bytes, path);
    let (at, size) = *way.last().unwrap();
    let mut new = [&bytes[..at], with, &bytes[at + size..]].concat();
    for (outer, size_before) in &way[..way.len() - 1] {
        let now = u32::try_from(size_before + with.len() - size).unwrap();
        new[*outer..outer + 4].copy_from_slice(&now.to_be_bytes());
    }
    new
}

/// The same file with another body in a box.
pub(super) fn filled(bytes: &[u8], path: &[&[u8; 4]], body: &[u8]) -> Vec<u8> {
    replaced(bytes, path, &boxed(*path[path.len() - 1], body))
}

/// The same file with four bytes in the body of a box set to a number.
pub(super) fn set(bytes: &[u8], path: &[&[u8; 4]], at: usize, number: u32) -> Vec<u8> {
    let mut new = bytes.to_vec();
    let from = begin(bytes, path) + 8 + at;
    new[from..from + 4].copy_from_slice(&number.to_be_bytes());
    new
}
