//! The bar of the webhooks, at a size for every day; `make soak-hooks` has it whole.

use pipeline_tests::soak::soak;

#[test]
fn every_event_arrives_through_failures_and_sudden_deaths() {
    soak(60, 15, 20_261_121);
}
