//! ffmpeg at a lower priority.

use std::process::Command;

use crate::pass::on_path;

/// The beginning of an ffmpeg command line of this niceness: its scheduling, and from 1 on its reads and writes, come after
/// those of others; at 19 they wait until the disk is idle. Each program becomes the next one, so that the child is ffmpeg.
///
/// It must be so from the start: on Linux a process's threads have a niceness each.
pub(crate) fn niced(nice: u32) -> Command {
    let words = words(nice, on_path("ionice"));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn words(nice: u32, ionice: bool) -> Vec<String> {
    let mut words = Vec::new();
    if nice > 0 {
        words.extend(["nice".to_owned(), "-n".to_owned(), nice.to_string()]);
    }
    if nice > 0 && ionice {
        // -t: where a container does not let it, ffmpeg runs all the same.
        words.extend(["ionice", "-t"].map(str::to_owned));
        let class: &[&str] = if nice == 19 { &["-c3"] } else { &["-c2", "-n7"] };
        words.extend(class.iter().map(|&word| word.to_owned()));
    }
    words.push("ffmpeg".to_owned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_front() {
        let cases = [
            (0, true, "ffmpeg"),
            (0, false, "ffmpeg"),
            (1, true, "nice -n 1 ionice -t -c2 -n7 ffmpeg"),
            (18, true, "nice -n 18 ionice -t -c2 -n7 ffmpeg"),
            (19, true, "nice -n 19 ionice -t -c3 ffmpeg"),
            (19, false, "nice -n 19 ffmpeg"),
        ];
        for (nice, ionice, wanted) in cases {
            assert_eq!(words(nice, ionice).join(" "), wanted, "{nice}");
        }
    }
}
