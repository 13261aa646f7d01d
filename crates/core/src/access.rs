//! Why this user may not do something with a file, and the command that lets it: for whoever reads a log at night.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::text;

/// The group of all who may change recordings, where the host has it.
pub(crate) const GROUP: &str = "jitsi-recordings";

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To pass through a directory.
    Enter,
    /// To read a file, or to list a directory.
    Read,
    /// To write to a file, or to make, rename or remove something in a directory.
    Write,
}

/// An error of reading: what was tried, on which path, what lets this user, and why.
pub fn reading(tried: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let why = explain(path, Want::Read, &error);
    failed(tried, path, why, error)
}

/// The same of a file in a room, where who may read must be able to write, too: one command for both.
pub fn reading_in_room(tried: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let closed = |dir: &&Path| fs::metadata(dir).is_ok_and(|dir| Me::now().is_some_and(|me| !me.may_write(&dir)));
    let why = match path.parent().filter(closed) {
        Some(dir) => explain(dir, Want::Write, &error),
        None => explain(path, Want::Read, &error),
    };
    failed(tried, path, why, error)
}

fn failed(tried: &str, path: &Path, why: Option<String>, error: io::Error) -> anyhow::Error {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let tried = format!("{tried} {}{why}", text::shown(path));
    anyhow::Error::new(error).context(tried)
}

/// Who we are, whose it is, and the command that mends it. Nothing where the error is not about permissions, or where this
/// cannot be found out.
pub fn explain(path: &Path, want: Want, error: &io::Error) -> Option<String> {
    if error.kind() != ErrorKind::PermissionDenied {
        return None;
    }
    let me = Me::now()?;
    let (path, want) = obstacle(&std::path::absolute(path).ok()?, want);
    let metadata = fs::metadata(&path).ok()?;
    if path.is_symlink() && !metadata.is_dir() {
        // A command would be about the file that it leads to, whoever had it lead there.
        return Some(format!("{} is a symlink: see where it leads, and who has put it there", text::shown(&path)));
    }
    Some(said(&path, want, &File::of(&metadata), &me, &Names::of_host()))
}

/// The command that gives a directory to a group, with all that is in it.
pub(crate) fn give(dir: &Path, gid: u32) -> String {
    let (quoted, group) = (quoted(dir), Names::of_host().group(gid));
    format!("sudo chgrp -R {group} {quoted} && sudo chmod -R g+rwX {quoted}")
}

/// What stands in the way: the first directory above that cannot be entered, else the path, or the directory in which it would be
/// made.
fn obstacle(path: &Path, want: Want) -> (PathBuf, Want) {
    let mut above: Vec<&Path> = path.ancestors().collect();
    above.reverse();
    for pair in above.windows(2) {
        match fs::metadata(pair[1]) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return (pair[0].to_owned(), Want::Enter),
            Err(_) => return (pair[0].to_owned(), want),
            Ok(_) => {}
        }
    }
    (path.to_owned(), want)
}

/// This process.
struct Me {
    uid: u32,
    /// The main one first.
    gids: Vec<u32>,
}

impl Me {
    /// By proc(5).
    fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let numbers = |key: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        };
        // Real, effective, saved, filesystem.
        let main = *numbers("Gid:")?.get(1)?;
        let mut gids = vec![main];
        gids.extend(numbers("Groups:")?.into_iter().filter(|gid| *gid != main));
        Some(Self { uid: *numbers("Uid:")?.get(1)?, gids })
    }

    /// As far as the mode of a directory tells.
    fn may_write(&self, dir: &Metadata) -> bool {
        let bits = match () {
            () if self.uid == 0 => return true,
            () if self.uid == dir.uid() => dir.mode() >> 6,
            () if self.gids.contains(&dir.gid()) => dir.mode() >> 3,
            () => dir.mode(),
        };
        bits & 3 == 3
    }
}

/// Whose a file is.
struct File {
    uid: u32,
    gid: u32,
    mode: u32,
    dir: bool,
}

impl File {
    fn of(metadata: &Metadata) -> Self {
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o7777, dir: metadata.is_dir() }
    }
}

/// The host's own users and groups; others, of a directory service say, stay numbers.
#[derive(Default)]
struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
    /// The members of each group, by its name, but for those whose main group it is.
    members: HashMap<String, Vec<String>>,
}

impl Names {
    fn of_host() -> Self {
        let read = |path: &str| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self::of(&read("/etc/passwd").unwrap_or_default(), &read("/etc/group").unwrap_or_default())
    }

    fn of(passwd: &str, group: &str) -> Self {
        let mut names = Self::default();
        for line in passwd.lines() {
            if let [name, _, uid, ..] = line.split(':').collect::<Vec<_>>()[..]
                && let Ok(uid) = uid.parse()
            {
                names.users.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        for line in group.lines() {
            if let [name, _, gid, members] = line.split(':').collect::<Vec<_>>()[..]
                && let Ok(gid) = gid.parse()
            {
                names.groups.entry(gid).or_insert_with(|| name.to_owned());
                names.members.insert(name.to_owned(), members.split(',').map(str::to_owned).collect());
            }
        }
        names
    }

    fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

fn said(path: &Path, want: Want, file: &File, me: &Me, names: &Names) -> String {
    let (owner, group) = (names.user(file.uid), names.group(file.gid));
    let groups: Vec<_> = me.gids.iter().map(|gid| names.group(*gid)).collect();
    format!(
        "{} is {owner}:{group} {:04o}, and this is {} with the groups {}: {}",
        text::shown(path),
        file.mode,
        names.user(me.uid),
        groups.join(" "),
        mend(path, want, file, me, names)
    )
}

/// What to do about it.
fn mend(path: &Path, want: Want, file: &File, me: &Me, names: &Names) -> String {
    let quoted = quoted(path);
    let need = match want {
        Want::Enter => 1,
        Want::Read if file.dir => 5,
        Want::Read => 4,
        Want::Write if file.dir => 3,
        Want::Write => 2,
    };
    let (all, bits) = match want {
        Want::Enter => ("", "x"),
        Want::Read if file.dir => ("", "rx"),
        Want::Read => ("", "r"),
        // What is in it is to be changed and removed, too.
        Want::Write if file.dir => ("-R ", "rwX"),
        Want::Write => ("", "rw"),
    };
    let group_may = file.mode >> 3 & need == need;
    if me.uid == file.uid {
        return format!("sudo chmod {all}u+{bits} {quoted}");
    }
    let (ours, group) = (me.gids.contains(&file.gid), names.group(file.gid));
    if ours && group_may {
        return format!("its mode allows it: look at getfacl {quoted}");
    }
    if ours {
        return format!("sudo chmod {all}g+{bits} {quoted}");
    }
    let Some(name) = names.users.get(&me.uid) else {
        // A container's user, whom the host does not know.
        let uid = me.uid;
        let later = if all.is_empty() { String::new() } else { format!(",default:user:{uid}:{bits}") };
        return format!("on the host: sudo setfacl {all}-m user:{uid}:{bits}{later} {quoted}");
    };
    let works_in = me.gids.iter().map(|gid| names.group(*gid)).find(|group| group == GROUP);
    if group_may && file.gid != 0 && names.groups.contains_key(&file.gid) && (works_in.is_none() || group == GROUP) {
        if names.members.get(&group).is_some_and(|members| members.contains(name)) {
            return format!("{name} has joined {group} since it was started: restart what runs this");
        }
        return format!("sudo usermod -aG {group} {name}, and restart what runs this as {name}");
    }
    if want == Want::Enter {
        // Whose it is, is nothing of ours.
        return format!("sudo setfacl -m user:{name}:x {quoted}");
    }
    let ours = works_in.unwrap_or_else(|| me.gids.first().map(|gid| names.group(*gid)).unwrap_or_default());
    format!("sudo chgrp {all}{ours} {quoted} && sudo chmod {all}g+{bits} {quoted}")
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    text::word(&text::shown(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/:\njibri:x:110:120::/:\njitsi-recordings:x:990:991::/:\nann:x:1000:1000::/:\n";
    const GROUPS: &str =
        "root:x:0:\njibri:x:120:\njitsi-recordings:x:991:jibri\nann:x:1000:\nbroken\nadm:x:4:syslog,bob\n";

    #[test]
    fn the_command_that_mends_it_is_that_of_the_case() {
        let names = Names::of(PASSWD, GROUPS);
        let dir = |uid, gid, mode| File { uid, gid, mode, dir: true };
        let file = |uid, gid, mode| File { dir: false, ..dir(uid, gid, mode) };
        let (jibri, worker) = (|| Me { uid: 110, gids: vec![120] }, || Me { uid: 990, gids: vec![991] });
        let ann = || Me { uid: 1000, gids: vec![1000, 4] };
        let container = || Me { uid: 5000, gids: vec![5000] };
        let (write, read, enter) = (Want::Write, Want::Read, Want::Enter);
        let cases = [
            (worker(), dir(110, 120, 0o755), write, "sudo chgrp -R jitsi-recordings /r/a && sudo chmod -R g+rwX /r/a"),
            (worker(), dir(110, 991, 0o2755), write, "sudo chmod -R g+rwX /r/a"),
            (worker(), dir(990, 991, 0o2555), write, "sudo chmod -R u+rwX /r/a"),
            (worker(), dir(0, 991, 0o2770), write, "its mode allows it: look at getfacl /r/a"),
            (worker(), dir(0, 0, 0o700), enter, "sudo setfacl -m user:jitsi-recordings:x /r/a"),
            (worker(), file(110, 120, 0o640), read, "sudo chgrp jitsi-recordings /r/a && sudo chmod g+r /r/a"),
            (worker(), file(0, 0, 0o640), read, "sudo chgrp jitsi-recordings /r/a && sudo chmod g+r /r/a"),
            (worker(), file(0, 0, 0o644), write, "sudo chgrp jitsi-recordings /r/a && sudo chmod g+rw /r/a"),
            (
                jibri(),
                dir(0, 991, 0o2770),
                enter,
                "jibri has joined jitsi-recordings since it was started: restart what runs this",
            ),
            (
                ann(),
                dir(0, 991, 0o2770),
                write,
                "sudo usermod -aG jitsi-recordings ann, and restart what runs this as ann",
            ),
            (
                container(),
                dir(0, 991, 0o2770),
                write,
                "on the host: sudo setfacl -R -m user:5000:rwX,default:user:5000:rwX /r/a",
            ),
            (container(), file(0, 991, 0o640), read, "on the host: sudo setfacl -m user:5000:r /r/a"),
        ];
        for (me, file, want, wanted) in cases {
            assert_eq!(mend(Path::new("/r/a"), want, &file, &me, &names), wanted);
        }
        assert_eq!(
            said(Path::new("/r/a"), write, &dir(110, 991, 0o2755), &worker(), &names),
            "/r/a is jibri:jitsi-recordings 2755, and this is jitsi-recordings with the groups jitsi-recordings: \
             sudo chmod -R g+rwX /r/a"
        );
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, wanted) in [("/r/a", "/r/a"), ("/r/a b", "'/r/a b'"), ("/r/it's", r"'/r/it'\''s'"), ("/r/é", "/r/é")]
        {
            assert_eq!(quoted(Path::new(path)), wanted);
        }
    }

    #[test]
    fn what_stands_in_the_way_is_the_directory_in_which_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("a/b");
        assert_eq!(obstacle(&missing, Want::Write), (dir.path().to_owned(), Want::Write));
        assert_eq!(obstacle(dir.path(), Want::Read), (dir.path().to_owned(), Want::Read));
    }

    #[test]
    fn other_errors_explain_themselves() {
        assert_eq!(explain(Path::new("/"), Want::Read, &io::Error::from(ErrorKind::NotFound)), None);
        let error = reading("list", Path::new("/x"), io::Error::from(ErrorKind::NotFound));
        assert_eq!(format!("{error:#}"), "list /x: entity not found");
    }
}
