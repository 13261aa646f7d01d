//! The fault matrix of `tests/README.md` names tests that there are.

use std::fs;
use std::path::Path;

/// The chapter's rows: the whole line, and what its last cell names as `module::name`.
fn rows() -> Vec<(String, Vec<String>)> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let chapter = readme.split_once("\n## The fault matrix\n").unwrap().1.split("\n## ").next().unwrap();
    let cells = chapter.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Fault "));
    let named = |line: &str| {
        let last = line.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        last.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    cells.map(|line| (line.to_owned(), named(line))).collect()
}

/// Whether a module of these tests, or a crate's file, has a test of this name.
fn is_there(name: &str) -> bool {
    let Some((module, test)) = name.rsplit_once("::") else { return false };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("it").join(module.replace("::", "/")).with_extension("rs");
    let source = fs::read_to_string(file).unwrap_or_default();
    source.contains(&format!("#[test]\nfn {test}() {{"))
}

#[test]
fn every_row_of_the_fault_matrix_names_tests_that_are_there() {
    let rows = rows();
    assert!(rows.len() > 15, "{}", rows.len());
    let named = |(_, tests): &&(String, Vec<String>)| !tests.is_empty() && tests.iter().all(|test| is_there(test));
    let wrong: Vec<_> = rows.iter().filter(|row| !named(row)).collect();
    assert!(wrong.is_empty(), "rows that name no test, or one that is not there: {wrong:#?}");
}
