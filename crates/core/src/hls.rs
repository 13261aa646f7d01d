//! HLS on the disk: whether all that its playlists name is there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::playlist::{self, Media, Part};
use crate::small;

/// The largest playlist, in bytes: days of segments.
const LARGEST: u64 = 8 << 20;

/// A media playlist that is whole, with the sizes of its segments in bytes.
pub struct Whole {
    /// Relative to the HLS directory.
    pub uri: String,
    /// What it lists.
    pub media: Media,
    /// Bytes of each segment.
    pub sizes: Vec<u64>,
}

/// Whether a directory's HLS is whole: the master playlist names media playlists, each is closed, and each of their segments is
/// there and not empty.
pub fn complete(dir: &Path) -> Result<Vec<Whole>> {
    let master = read(dir, "master.m3u8")?;
    let uris = playlist::media_uris(&master);
    ensure!(!uris.is_empty(), "master.m3u8 names no playlist");
    uris.iter().map(|uri| whole(dir, uri)).collect()
}

/// Whether one media playlist is whole.
pub fn whole(dir: &Path, uri: &str) -> Result<Whole> {
    let media = Media::parse(&read(dir, uri)?).with_context(|| uri.to_owned())?;
    ensure!(media.ended, "{uri} has no EXT-X-ENDLIST: it was not finished");
    ensure!(!media.segments.is_empty(), "{uri} has no segments");
    // A segment's URI is relative to its playlist.
    let base = dir.join(uri);
    let base = base.parent().unwrap_or(dir);
    if let Some(map) = &media.map {
        size(base, map).with_context(|| format!("{uri}: the beginning of its segments"))?;
    }
    let sizes = media.segments.iter().map(|segment| size(base, &segment.part)).collect::<Result<Vec<_>>>()?;
    Ok(Whole { uri: uri.to_owned(), media, sizes })
}

/// Bytes of a part, which is there and not empty.
pub fn size(base: &Path, part: &Part) -> Result<u64> {
    let path = below(base, &part.uri)?;
    let metadata = fs::symlink_metadata(&path).with_context(|| format!("segment {}", part.uri))?;
    let (from, end) = match part.bytes {
        Some(bytes) => (bytes.from, bytes.end().unwrap_or(u64::MAX)),
        None => (0, metadata.len()),
    };
    ensure!(metadata.is_file() && end > from, "segment {} is empty", part.uri);
    ensure!(end <= metadata.len(), "segment {} is cut: {} bytes of {end}", part.uri, metadata.len());
    Ok(end - from)
}

/// Reads a playlist of a directory.
pub fn read(dir: &Path, uri: &str) -> Result<String> {
    let path = below(dir, uri)?;
    let bytes = small::read(&path, LARGEST).with_context(|| format!("read {uri}"))?;
    String::from_utf8(bytes).with_context(|| format!("read {uri}"))
}

/// The path of what a playlist names. It must lie in the playlist's own directory tree: what does not may go when it wants to,
/// and is not ours to count.
pub fn below(dir: &Path, uri: &str) -> Result<PathBuf> {
    let plain = Path::new(uri).components().all(|part| matches!(part, Component::Normal(_))) && !uri.contains(':');
    ensure!(plain, "{uri} lies outside of its directory");
    let path = dir.join(uri);
    if let (Some(parent), Ok(dir)) = (path.parent().and_then(|parent| parent.canonicalize().ok()), dir.canonicalize()) {
        ensure!(parent.starts_with(dir), "{uri} lies outside of its directory");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_complete_only_with_every_segment_and_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let why = || complete(dir.path()).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(why().contains("read master.m3u8"));
        put("master.m3u8", "");
        assert!(why().contains("names no playlist"));
        for elsewhere in ["../a.m3u8", "/etc/a.m3u8", "http:a.m3u8", "sub/../../a.m3u8"] {
            put("master.m3u8", &format!("#EXTM3U\n{elsewhere}\n"));
            assert!(why().contains("lies outside of its directory"), "{elsewhere}");
        }
        put("master.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nstream.m3u8\n");
        assert!(why().contains("read stream.m3u8"));
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\na.ts\n");
        assert!(why().contains("no EXT-X-ENDLIST"));
        put("stream.m3u8", "#EXTM3U\n#EXT-X-ENDLIST\n");
        assert!(why().contains("no segments"));
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("segment a.ts"));
        put("a.ts", "");
        assert!(why().contains("a.ts is empty"));
        put("a.ts", "x");
        assert_eq!(complete(dir.path()).unwrap()[0].sizes, [1]);
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\n#EXT-X-BYTERANGE:1@1\na.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("a.ts is cut: 1 bytes of 2"), "{}", why());
        put("stream.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("segment init.mp4"), "{}", why());
        put("stream.m3u8", "#EXTM3U\n#EXTINF:6,\n../a.ts\n#EXT-X-ENDLIST\n");
        assert!(why().contains("../a.ts lies outside"));
    }
}
