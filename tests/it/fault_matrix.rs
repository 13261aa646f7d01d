//! The faults of `tests/README.md`, those of the matrix and those of the scripts, name tests that there are.

use std::fs;
use std::path::Path;

/// A chapter's rows: the whole line, and what its last cell names as `module::name`.
fn rows(chapter: &str) -> Vec<(String, Vec<String>)> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let chapter = readme.split_once(&format!("\n## {chapter}\n")).unwrap().1.split("\n## ").next().unwrap();
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
    ["", "#[ignore = \"make test-long\"]\n"]
        .iter()
        .any(|long| source.contains(&format!("#[test]\n{long}fn {test}() {{")))
}

#[track_caller]
fn assert_tried(rows: &[(String, Vec<String>)]) {
    let named = |(_, tests): &&(String, Vec<String>)| !tests.is_empty() && tests.iter().all(|test| is_there(test));
    let wrong: Vec<_> = rows.iter().filter(|row| !named(row)).collect();
    assert!(wrong.is_empty(), "rows that name no test, or one that is not there: {wrong:#?}");
}

#[test]
fn every_row_of_the_fault_matrix_names_tests_that_are_there() {
    let rows = rows("The fault matrix");
    assert!(rows.len() > 15, "{}", rows.len());
    assert_tried(&rows);
}

#[test]
fn every_fault_of_the_scripts_has_a_test_that_says_so() {
    let rows = rows("Faults of the scripts");
    let faults = "A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 B1 B2 B3 B4 C1 C2 C3 C4 C5 C6 D1 D2 D3 D4 D5 D6 E1 E2 E3 E4 F G H1 H2 H3 H4";
    let listed: Vec<&str> = rows.iter().map(|(line, _)| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(listed.join(" "), faults);
    assert_tried(&rows);
}
