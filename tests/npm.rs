//! Packages of npm that tests hold our work against.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Installs what a directory's lock file names, once; why it could not, where it could not.
pub fn install(dir: &Path) -> Result<(), String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let version = |program: &str| {
        let run = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
        run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
    };
    let (Some(node), Some(_)) = (version("node"), version("npm")) else { return Err("npm is not here".to_owned()) };
    // What some of the packages need; Debian 12 has 18.
    let major = node.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < 20) {
        return Err(format!("node is {node}, and the packages need 20"));
    }
    let _alone = ONE_AT_A_TIME.lock();
    // npm notes here what it installed; it is older than the lock file once that has changed.
    let changed = |path: &str| dir.join(path).metadata().and_then(|file| file.modified()).ok();
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    let npm = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--silent", "--fetch-retries=1"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm: {error}"))?;
    if npm.status.success() {
        return Ok(());
    }
    Err(format!("npm ci failed: {}", String::from_utf8_lossy(&npm.stderr).trim()))
}
