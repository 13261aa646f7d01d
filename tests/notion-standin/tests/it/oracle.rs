//! Two judges that we did not write: Notion's own JavaScript client, and the types that it publishes.

#[path = "../../../npm.rs"]
#[expect(unreachable_pub, reason = "elsewhere it is part of a library")]
mod npm;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use notion_standin::{Fault, Standin};

#[test]
fn notions_own_client_works_and_its_types_fit() {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    if let Err(reason) = npm::install(&oracle) {
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
