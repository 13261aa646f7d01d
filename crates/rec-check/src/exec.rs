//! Other programs, and never for longer than they may take.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// What a program may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// What all of them may take together, with the questions to the network.
const ALL: Duration = Duration::from_secs(50);

/// What is left of a program's time, and of that of all.
pub(crate) fn left() -> Duration {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    ALL.saturating_sub(BEGUN.get_or_init(Instant::now).elapsed()).min(LIMIT)
}

/// Runs a command to its end, with a text on its stdin. The error says why there is no end.
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let limit = left();
    if limit.is_zero() {
        return Err(format!("{name}: no time was left for it"));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C.UTF-8");
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    // It may end without having read it.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(stdin));
    let (stdout, stderr) = (drained(child.stdout.take()), drained(child.stderr.take()));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                end(child);
                return Err(format!("{name}: no end within {} s", limit.as_secs()));
            }
            Err(error) => return Err(format!("{name}: {error}")),
        }
    };
    // A grandchild may hold the pipes open.
    let read = |pipe: mpsc::Receiver<Vec<u8>>| pipe.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Ok(Output { status, stdout: read(stdout), stderr: read(stderr) })
}

/// What a command that succeeded printed, without the last line end; else what it said.
pub(crate) fn printed(command: &mut Command) -> Result<String, String> {
    let output = run(command, b"")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stderr);
    let said = said.lines().last().unwrap_or_default();
    let name = command.get_program().to_string_lossy().into_owned();
    Err(if said.is_empty() { format!("{name}: {}", output.status) } else { said.to_owned() })
}

/// Ends a child. Whoever is stuck in the kernel is not waited for.
pub(crate) fn end(mut child: Child) {
    let _ = child.kill();
    thread::spawn(move || child.wait());
}

fn drained(pipe: Option<impl std::io::Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(4 << 20).read_to_end(&mut bytes);
        }
        send.send(bytes)
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_or_says_is_told() {
        assert_eq!(printed(Command::new("echo").arg("x")), Ok("x".to_owned()));
        assert_eq!(
            printed(Command::new("sh").args(["-c", "echo first >&2; echo why >&2; exit 3"])),
            Err("why".to_owned())
        );
        assert!(printed(&mut Command::new("/no/such/program")).unwrap_err().contains("No such file"));
        let cat = run(&mut Command::new("cat"), b"in").unwrap();
        assert_eq!(cat.stdout, b"in");
    }
}
