//! What `make soak` does a thousand times.

use pipeline_tests::soak_deaths::soak;

#[test]
fn recordings_that_come_while_tools_die_and_notion_fails_are_published_once_each() {
    let figures = soak(20, 20, |_| ());
    assert!(figures.is_clean(), "{figures}");
}
