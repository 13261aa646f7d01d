//! Files that others write or may put into the place of ours: only regular ones, never waited for, and small ones read to a bound.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens a regular file. `None` where something else is in its place: a link, a named pipe (whose opening would wait for the other
/// side), a device. Whoever may write to a directory could lead another user, root even, elsewhere by them.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<Option<File>> {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) => {
            return match Errno::from_io_error(&error) {
                // What open(2) says of a socket, and of a pipe that nobody reads; and of a link, for one above is another matter.
                Some(Errno::NXIO) => Ok(None),
                Some(Errno::LOOP) if path.is_symlink() => Ok(None),
                _ => Err(error),
            };
        }
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Reads a regular file of at most `most` bytes. A link, a named pipe (whose opening would wait for a writer), a device or a
/// longer file is an error.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let Some(file) = open(path, File::options().read(true))? else {
        return Err(io::Error::other("not a regular file: move away what is in its place"));
    };
    // Most of them fit: a read of all, and one that says that this was all.
    let mut bytes = Vec::with_capacity(4096);
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("larger than {most} bytes, and none of ours: move it away")));
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
