//! Two judges that we did not write: Notion's own JavaScript client, and the types that it publishes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use notion_standin::{Fault, Standin};

/// Installs the packages once; why it could not, where it could not.
fn install(oracle: &Path) -> Result<(), String> {
    let version = |program: &str| {
        let run = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
        run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
    };
    let (Some(node), Some(_)) = (version("node"), version("npm")) else { return Err("npm is not here".to_owned()) };
    // What the schema generator needs; Debian 12 has 18.
    let major = node.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < 20) {
        return Err(format!("node is {node}, and the packages need 20"));
    }
    // npm notes here what it installed; it is older than the lock file once that has changed.
    let changed = |path: &str| oracle.join(path).metadata().and_then(|file| file.modified()).ok();
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    let npm = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--silent", "--fetch-retries=1"])
        .current_dir(oracle)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm: {error}"))?;
    if npm.status.success() {
        return Ok(());
    }
    Err(format!("npm ci failed: {}", String::from_utf8_lossy(&npm.stderr).trim()))
}

#[test]
fn notions_own_client_works_and_its_types_fit() {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    if let Err(reason) = install(&oracle) {
        // Past the test harness, which keeps what a passing test prints to itself.
        let said = writeln!(std::io::stderr(), "skipped: notions_own_client_works_and_its_types_fit: {reason}");
        return said.unwrap();
    }
    let standin = Standin::start();
    // The client obeys Retry-After: the first answer of all costs it a second try.
    standin.fail(Fault::answer(429).retry_after("1").on("GET", "/v1/users/me"));
    let check = Command::new("node")
        .arg(oracle.join("check.mjs"))
        .args([standin.url(), standin.token(), standin.database_id(), standin.data_source_id()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{said}{}", String::from_utf8_lossy(&check.stderr));
    assert!(said.lines().count() > 30 && said.lines().all(|line| line.starts_with("ok: ")), "{said}");
    let asked: Vec<_> =
        standin.requests().iter().take(2).map(|request| (request.path.clone(), request.answered)).collect();
    let path = "/v1/users/me".to_owned();
    assert_eq!(asked, [(path.clone(), Some(429)), (path, Some(200))]);
}
