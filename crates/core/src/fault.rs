//! Places at which a test may end us: between two steps, where the disk or Notion has changed and the next step has not begun.
//!
//! Without the feature `fault-points`, which no build for use has, nothing of this is in a program.

#[cfg(all(feature = "fault-points", not(debug_assertions)))]
compile_error!("fault points are for tests: a program that is installed must not have them");

#[cfg(feature = "fault-points")]
pub use armed::{file, point};
#[cfg(not(feature = "fault-points"))]
pub use unarmed::{file, point};

#[cfg(not(feature = "fault-points"))]
mod unarmed {
    use std::path::Path;

    /// A place between two steps.
    #[inline]
    pub fn point(_name: &str) {}

    /// A place between two steps of writing a file.
    #[inline]
    pub fn file(_step: &str, _path: &Path) {}
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::collections::HashMap;
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    use rustix::process::{Pid, Signal, getpid, kill_process};

    /// A file that gets a line for each place: how many programs of ours run then, a blank, the place's name.
    const TRACE: &str = "REC_FAULT_TRACE";

    /// Where to die: `NAME`, `NAME:3` for the third passage, or `#3` for the third place of all.
    const WHERE: &str = "REC_FAULT";

    /// Who dies: `self` (which is so where it is not set), `ffmpeg` for the programs that we have started, or `both`.
    const WHO: &str = "REC_FAULT_KILL";

    /// How often each place was passed, all places together under no name.
    static PASSED: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

    /// A place between two steps.
    pub fn point(name: &str) {
        let _ = trace(name);
        let Ok(fault) = std::env::var(WHERE) else { return };
        let (nth, of_all) = passed(name);
        let here = match fault.strip_prefix('#') {
            Some(number) => number == of_all.to_string(),
            None => fault == format!("{name}:{nth}") || nth == 1 && fault == name,
        };
        if here {
            die();
        }
    }

    /// A place between two steps of writing a file: its name, or only the end of that where each run has another.
    pub fn file(step: &str, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.starts_with(|first: char| first.is_ascii_digit());
        let shown = if number { name.rsplit('.').next().unwrap_or_default() } else { &name };
        point(&format!("{shown} {step}"));
    }

    fn trace(name: &str) -> std::io::Result<()> {
        let Some(path) = std::env::var_os(TRACE) else { return Ok(()) };
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(format!("{} {name}\n", children().len()).as_bytes())
    }

    fn passed(name: &str) -> (u64, u64) {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = passed.get_or_insert_default();
        let mut count = |name: &str| {
            let count = passed.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        (count(name), count(""))
    }

    fn die() {
        let who = std::env::var(WHO).unwrap_or_default();
        if who == "ffmpeg" || who == "both" {
            for child in children() {
                let _ = kill_process(child, Signal::KILL);
            }
        }
        if who != "ffmpeg" {
            let _ = kill_process(getpid(), Signal::KILL);
            // Another thread may be the one that the signal reaches first.
            loop {
                std::thread::park();
            }
        }
    }

    /// The programs that we have started and that run still.
    fn children() -> Vec<Pid> {
        let ours = getpid().as_raw_nonzero().to_string();
        let parent = |stat: &str| {
            // The program's name, in brackets, may hold anything.
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let (state, parent) = (fields.next()?, fields.next()?);
            (state != "Z").then(|| parent.to_owned())
        };
        let is_ours = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            parent(&stat).is_some_and(|parent| parent == ours)
        };
        let all = fs::read_dir("/proc").into_iter().flatten();
        let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.filter(is_ours).filter_map(Pid::from_raw).collect()
    }
}
