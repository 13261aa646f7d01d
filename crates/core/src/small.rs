//! Small files that others write: read to a bound, and never waited for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a regular file of at most `most` bytes. A link, a named pipe (whose opening would wait for a writer), a device or a
/// longer file is an error.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("larger than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_the_size_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "12345").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        assert_eq!(read(&path("file"), 5).unwrap(), b"12345");
        assert!(read(&path("file"), 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        for odd in [path("link"), dir.path().to_owned(), "/dev/zero".into()] {
            assert!(read(&odd, 5).unwrap_err().to_string().contains("not a regular file"), "{odd:?}");
        }
        assert_eq!(read(&path("none"), 5).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
