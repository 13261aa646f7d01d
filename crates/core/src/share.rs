//! Modes of what the tools write. They do not depend on the umask of cron, systemd or Jibri: the group of a directory may do in
//! it what its mode says, and nobody else reads what is not for the web server.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown,
};
use std::path::Path;

use walkdir::WalkDir;

use crate::recording::is_mp4;
use crate::{access, small, text};

/// setgid and group write: a directory in which a group works together.
const TOGETHER: u32 = 0o2020;

/// The mode in which a file is made, until [`keep`] has given it its own.
pub(crate) const NEW_FILE: u32 = 0o660;

/// Gives a new file of `dir` to the group of that, which may write to it if it may do so in the directory. Nobody else reads it.
/// Best effort: filesystems without modes are content with theirs.
pub(crate) fn keep(file: &File, dir: &Path) {
    let (Ok(ours), Ok(around)) = (file.metadata(), fs::metadata(dir)) else { return };
    if ours.gid() != around.gid() {
        let _ = fchown(file, None, Some(around.gid()));
    }
    let mode = 0o640 | (around.mode() & 0o020);
    if ours.mode() & 0o7777 != mode {
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
}

/// Opens a file for appending, or for a lock, and makes it if it is not there. Nothing but a regular file, as [`small::open`].
pub(crate) fn open(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    loop {
        match small::open(path, options) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) if path.is_symlink() => {
                return Err(io::Error::other("it is a symlink, and no log or lock of ours: move it away"));
            }
            Ok(None) => return Err(io::Error::other("it is no regular file: move it away")),
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                return Err(io::Error::other("it is a directory, and no log or lock of ours: move it away"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match options.clone().create_new(true).mode(NEW_FILE).open(path) {
            // Somebody else was faster.
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists && path.symlink_metadata().is_ok_and(|is| is.is_file()) => {
            }
            made => return made.inspect(|file| keep(file, around(path))),
        }
    }
}

/// Makes a directory in which the group of the one around it may do what it may do there, and nobody else anything.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    make(dir, 0)
}

/// The same of one that the web server is going to read.
pub fn make_public_dir(dir: &Path) -> io::Result<()> {
    make(dir, 0o005)
}

fn make(dir: &Path, others: u32) -> io::Result<()> {
    let around = fs::metadata(around(dir))?;
    let mode = 0o700 | (around.mode() & 0o070) | others;
    DirBuilder::new().mode(mode).create(dir)?;
    if let Ok(ours) = fs::metadata(dir) {
        if ours.gid() != around.gid() {
            let _ = chown(dir, None, Some(around.gid()));
        }
        set_dir(dir, &ours, mode | (around.mode() & 0o2000));
    }
    Ok(())
}

/// Has the web server read a tree that is going to be published in `room`.
pub fn publish(tree: &Path, room: &Path) -> io::Result<()> {
    let dirs = 0o755 | (fs::metadata(room)?.mode() & TOGETHER);
    for entry in WalkDir::new(tree) {
        let entry = entry?;
        let now = entry.metadata()?;
        if now.is_dir() {
            set_dir(entry.path(), &now, dirs);
        } else if now.is_file() && now.mode() & 0o777 != 0o644 {
            // Where this fails, the web server says so, and nothing is lost.
            let _ = fs::set_permissions(entry.path(), Permissions::from_mode(0o644));
        }
    }
    Ok(())
}

/// Shares what Jibri has made, by Jibri's user who owns it: nobody but the group reads its `metadata.json`, which may hold tokens.
/// And where a group works together in the directory around (`RECORDINGS_ROOT`), it does so in this one, and the web server reads
/// the MP4s. A warning says if the group will not be able to.
pub fn take_in(room: &Path) -> Option<String> {
    let before = fs::metadata(room).ok()?;
    let around = fs::metadata(room.canonicalize().ok()?.parent()?).ok()?;
    let tokens = room.join("metadata.json");
    if around.mode() & TOGETHER != TOGETHER {
        let _ = change(&tokens, 0, 0o007);
        return None;
    }
    if before.gid() != around.gid() {
        let _ = chown(room, None, Some(around.gid()));
    }
    // Others may pass: who they are, the directory around decides.
    let mode = before.mode() & 0o7777 | 0o2775;
    if before.mode() & 0o7777 != mode {
        let _ = fs::set_permissions(room, Permissions::from_mode(mode));
    }
    for entry in fs::read_dir(room).into_iter().flatten().flatten().filter(|entry| is_mp4(&entry.file_name())) {
        let _ = change(&entry.path(), 0o044, 0);
    }
    let _ = regroup(&tokens, around.gid());
    let _ = change(&tokens, 0o040, 0o007);
    let now = fs::metadata(room).ok()?;
    (now.gid() != around.gid() || now.mode() & 0o020 == 0).then(|| {
        let command = access::give(room, around.gid());
        format!("{} is not its group's: jitsi-hls-worker cannot write there: {command}", text::shown(room))
    })
}

/// The directory around a path.
fn around(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A directory's mode, if it is not that already. Where a systemd unit forbids setgid (`RestrictSUIDSGID=`), the rest of it.
fn set_dir(dir: &Path, now: &Metadata, mode: u32) -> bool {
    let set = |mode| fs::set_permissions(dir, Permissions::from_mode(mode)).is_ok();
    now.mode() & 0o7777 == mode || set(mode) || set(mode & 0o777)
}

/// Adds and takes bits of a regular file's mode; a link is not followed.
fn change(path: &Path, add: u32, take: u32) -> io::Result<()> {
    let Some(file) = small::open(path, File::options().read(true))? else { return Ok(()) };
    let now = file.metadata()?.mode() & 0o7777;
    let mode = (now | add) & !take;
    if mode == now { Ok(()) } else { file.set_permissions(Permissions::from_mode(mode)) }
}

/// Gives a regular file to a group.
fn regroup(path: &Path, gid: u32) -> io::Result<()> {
    match small::open(path, File::options().read(true))? {
        Some(file) if file.metadata()?.gid() != gid => fchown(file, None, Some(gid)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn dir(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        dir
    }

    #[test]
    fn a_groups_rights_are_those_that_it_has_around() {
        for (around, file, inside) in [
            (0o755, 0o640, 0o750),
            (0o700, 0o640, 0o700),
            (0o2770, 0o660, 0o2770),
            (0o2755, 0o640, 0o2750),
            (0o777, 0o660, 0o770),
        ] {
            let dir = dir(around);
            let (inner, log) = (dir.path().join("inner"), dir.path().join("log"));
            make_dir(&inner).unwrap();
            open(&log, File::options().append(true)).unwrap();
            assert_eq!((mode(&log), mode(&inner)), (file, inside), "{around:o}");
            // Whoever set another mode, meant it.
            fs::set_permissions(&log, Permissions::from_mode(0o604)).unwrap();
            open(&log, File::options().append(true)).unwrap();
            assert_eq!(mode(&log), 0o604);
        }
    }

    #[test]
    fn what_is_published_is_for_the_web_server_to_read() {
        let room = dir(0o2770);
        let tree = room.path().join("v0.tmp");
        fs::create_dir_all(tree.join("480p")).unwrap();
        for file in ["master.m3u8", "480p/seg_000000.ts"] {
            fs::write(tree.join(file), "").unwrap();
            fs::set_permissions(tree.join(file), Permissions::from_mode(0o600)).unwrap();
        }
        publish(&tree, room.path()).unwrap();
        assert_eq!([mode(&tree), mode(&tree.join("480p"))], [0o2775; 2]);
        assert_eq!([mode(&tree.join("master.m3u8")), mode(&tree.join("480p/seg_000000.ts"))], [0o644; 2]);
        // chmod(2) takes a mode of 0755 as it is, and so the bit away that the directory has from the one around it.
        fs::set_permissions(room.path(), Permissions::from_mode(0o755)).unwrap();
        publish(&tree, room.path()).unwrap();
        assert_eq!(mode(&tree), 0o755);
    }

    #[test]
    fn jibris_room_becomes_the_groups_where_that_works_around_it_and_its_metadata_nobody_elses() {
        for (around, shared, mp4, tokens) in
            [(0o2770, 0o2775, 0o644, 0o640), (0o755, 0o700, 0o600, 0o600), (0o2755, 0o700, 0o600, 0o600)]
        {
            let above = dir(around);
            let room = above.path().join("room");
            fs::create_dir(&room).unwrap();
            fs::set_permissions(&room, Permissions::from_mode(0o700)).unwrap();
            for file in ["a.MP4", "metadata.json", "notes.txt"] {
                fs::write(room.join(file), "").unwrap();
                fs::set_permissions(room.join(file), Permissions::from_mode(0o600)).unwrap();
            }
            assert_eq!(take_in(&room), None);
            let modes = ["a.MP4", "metadata.json", "notes.txt"].map(|file| mode(&room.join(file)));
            assert_eq!((mode(&room), modes), (shared, [mp4, tokens, 0o600]), "{around:o}");
            fs::set_permissions(room.join("metadata.json"), Permissions::from_mode(0o644)).unwrap();
            take_in(&room);
            assert_eq!(mode(&room.join("metadata.json")), 0o640);
        }
    }

    #[test]
    fn a_log_is_a_regular_file_and_nothing_that_was_put_into_its_place() {
        let above = dir(0o2770);
        let (victim, link, pipe) = (above.path().join("victim"), above.path().join("link"), above.path().join("pipe"));
        fs::write(&victim, "").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        std::os::unix::fs::symlink(above.path().join("nothing"), above.path().join("dangling")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let refused = |path: &Path| open(path, File::options().append(true)).unwrap_err().to_string();
        assert_eq!(refused(&link), "it is a symlink, and no log or lock of ours: move it away");
        assert_eq!(
            refused(&above.path().join("dangling")),
            "it is a symlink, and no log or lock of ours: move it away"
        );
        // Nobody reads it: it would be waited for.
        assert!(open(&pipe, File::options().append(true)).is_err());
        assert_eq!(
            open(&pipe, File::options().read(true).write(true)).unwrap_err().to_string(),
            "it is no regular file: move it away"
        );
        assert!(open(&victim, File::options().append(true)).is_ok());
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let above = dir(0o2770);
        let (room, victim) = (above.path().join("room"), above.path().join("victim"));
        fs::create_dir(&room).unwrap();
        fs::write(&victim, "").unwrap();
        fs::set_permissions(&victim, Permissions::from_mode(0o604)).unwrap();
        for link in ["metadata.json", "a.mp4"] {
            std::os::unix::fs::symlink(&victim, room.join(link)).unwrap();
        }
        take_in(&room);
        assert_eq!(mode(&victim), 0o604);
    }
}
