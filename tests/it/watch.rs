//! The page that plays a recording: its files, and what people do with it in a browser. What each sentence means is in
//! `tests/watch/scenarios.mjs`.

use std::collections::BTreeSet;
use std::fs;

use pipeline_tests::listing;
use pipeline_tests::watch::{assert_holds, built_hls_js, files, scenarios};
use ring::digest::{SHA256, digest};

/// The SHA-256 of some bytes, in hex.
fn sha256(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
    digest(&SHA256, bytes).as_ref().iter().flat_map(digits).collect()
}

/// The names and contents of the page's files that browsers keep for a year.
fn kept() -> Vec<(String, Vec<u8>)> {
    let names = listing(&files()).into_iter().map(|name| name.into_string().unwrap());
    let names = names.filter(|name| !["html", "txt"].iter().any(|end| name.ends_with(end)));
    names.map(|name| (name.clone(), fs::read(files().join(name)).unwrap())).collect()
}

#[test]
fn a_file_that_browsers_keep_has_its_content_in_its_name() {
    for (name, content) in kept() {
        let stamp = &sha256(&content)[..8];
        let stem = name.rsplit_once('.').unwrap().0;
        assert!(stem.ends_with(&format!("-{stamp}")), "{name}: run node tests/watch/stamp.mjs");
    }
}

#[test]
fn the_page_names_all_of_its_files_and_no_other() {
    let there: BTreeSet<String> = kept().into_iter().map(|(name, _)| name).collect();
    let texts = kept().into_iter().map(|(_, content)| content).chain([fs::read(files().join("index.html")).unwrap()]);
    let texts: String = texts.map(|text| String::from_utf8(text).unwrap()).collect();
    let is_stamp = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = texts.split(|c: char| !(c.is_ascii_alphanumeric() || "-._".contains(c)));
    let named = words
        .filter(|word| word.rsplit_once('.').is_some_and(|(stem, _)| is_stamp(&stem[stem.len().saturating_sub(8)..])));
    assert_eq!(named.map(|name| name.trim_start_matches('.').to_owned()).collect::<BTreeSet<_>>(), there);
}

#[test]
fn there_is_no_script_and_no_style_in_the_page_itself() {
    let page = fs::read_to_string(files().join("index.html")).unwrap();
    for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:", "http://", "https://"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"../../-/").count());
}

#[test]
fn our_copy_of_hls_js_is_what_its_sources_make_and_its_licence_is_beside_it() {
    let copies: Vec<_> = kept().into_iter().filter(|(name, _)| name.starts_with("hls-")).collect();
    let [(name, copy)] = &copies[..] else { panic!("{copies:?}") };
    assert!(*copy == built_hls_js(), "{name}: run node tests/watch/hls.mjs, then node tests/watch/stamp.mjs");
    let version = name.split('-').nth(1).unwrap();
    let licence = fs::read_to_string(files().join(format!("hls-{version}.txt"))).unwrap();
    assert!(licence.contains(&sha256(copy)), "its digest is another");
    for part in
        ["Dailymotion", "Brightcove", "Arnout Kazemier", "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"]
    {
        assert!(licence.contains(part), "{part}");
    }
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/watch/package-lock.json")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let package = &lock["packages"]["node_modules/hls.js"];
    assert_eq!(package["version"], version);
    assert!(licence.contains(package["integrity"].as_str().unwrap()));
}

#[test]
fn every_scenario_is_a_test_here() {
    let tests = include_str!("watch.rs");
    for name in scenarios() {
        assert!(tests.contains(&format!("\nfn {name}() {{\n")), "{name}");
    }
}

#[test]
#[ignore = "make test-long"]
fn a_recording_of_the_default_profile_plays() {
    assert_holds("a_recording_of_the_default_profile_plays");
}

#[test]
#[ignore = "make test-long"]
fn a_ladder_plays_in_each_quality_with_its_sound() {
    assert_holds("a_ladder_plays_in_each_quality_with_its_sound");
}

#[test]
#[ignore = "make test-long"]
fn a_copy_of_the_source_plays() {
    assert_holds("a_copy_of_the_source_plays");
}

#[test]
#[ignore = "make test-long"]
fn a_hybrid_plays_in_each_quality_with_its_sound() {
    assert_holds("a_hybrid_plays_in_each_quality_with_its_sound");
}

#[test]
#[ignore = "make test-long"]
fn segments_of_mp4_play_in_each_quality_with_their_sound() {
    assert_holds("segments_of_mp4_play_in_each_quality_with_their_sound");
}

#[test]
#[ignore = "make test-long"]
fn sound_alone_plays_and_looks_meant() {
    assert_holds("sound_alone_plays_and_looks_meant");
}

#[test]
#[ignore = "make test-long"]
fn hls_of_the_scripts_plays_and_is_named_by_its_directory() {
    assert_holds("hls_of_the_scripts_plays_and_is_named_by_its_directory");
}

#[test]
#[ignore = "make test-long"]
fn it_says_what_it_is_and_when_it_was_in_the_viewers_language_and_zone() {
    assert_holds("it_says_what_it_is_and_when_it_was_in_the_viewers_language_and_zone");
}

#[test]
#[ignore = "make test-long"]
fn one_goes_anywhere_by_the_time_line_and_sees_what_is_there() {
    assert_holds("one_goes_anywhere_by_the_time_line_and_sees_what_is_there");
}

#[test]
#[ignore = "make test-long"]
fn chapters_are_listed_and_lead_to_their_places() {
    assert_holds("chapters_are_listed_and_lead_to_their_places");
}

#[test]
#[ignore = "make test-long"]
fn keys_do_what_their_list_says() {
    assert_holds("keys_do_what_their_list_says");
}

#[test]
#[ignore = "make test-long"]
fn speed_is_chosen_and_kept() {
    assert_holds("speed_is_chosen_and_kept");
}

#[test]
#[ignore = "make test-long"]
fn a_link_leads_to_a_moment() {
    assert_holds("a_link_leads_to_a_moment");
}

#[test]
#[ignore = "make test-long"]
fn the_link_to_a_moment_is_copied_without_a_password() {
    assert_holds("the_link_to_a_moment_is_copied_without_a_password");
}

#[test]
#[ignore = "make test-long"]
fn a_page_that_was_opened_with_a_password_in_its_address_plays() {
    assert_holds("a_page_that_was_opened_with_a_password_in_its_address_plays");
}

#[test]
#[ignore = "make test-long"]
fn it_goes_on_where_it_was_left() {
    assert_holds("it_goes_on_where_it_was_left");
}

#[test]
#[ignore = "make test-long"]
fn without_storage_it_plays_all_the_same() {
    assert_holds("without_storage_it_plays_all_the_same");
}

#[test]
#[ignore = "make test-long"]
fn on_a_phone_all_of_it_fits_and_fingers_do() {
    assert_holds("on_a_phone_all_of_it_fits_and_fingers_do");
}

#[test]
#[ignore = "make test-long"]
fn the_mp4_can_be_fetched_while_it_is_there() {
    assert_holds("the_mp4_can_be_fetched_while_it_is_there");
}

#[test]
#[ignore = "make test-long"]
fn what_is_not_there_is_said() {
    assert_holds("what_is_not_there_is_said");
}

#[test]
#[ignore = "make test-long"]
fn what_is_broken_is_said_with_the_mp4_as_a_way_out() {
    assert_holds("what_is_broken_is_said_with_the_mp4_as_a_way_out");
}

#[test]
#[ignore = "make test-long"]
fn what_cannot_be_decoded_is_said() {
    assert_holds("what_cannot_be_decoded_is_said");
}

#[test]
#[ignore = "make test-long"]
fn without_a_network_it_waits_and_goes_on() {
    assert_holds("without_a_network_it_waits_and_goes_on");
}

#[test]
#[ignore = "make test-long"]
fn after_trouble_one_may_try_again() {
    assert_holds("after_trouble_one_may_try_again");
}

#[test]
#[ignore = "make test-long"]
fn where_there_are_no_media_source_extensions_the_browser_plays_it_itself() {
    assert_holds("where_there_are_no_media_source_extensions_the_browser_plays_it_itself");
}

#[test]
#[ignore = "make test-long"]
fn what_is_loaded_may_be_watched_before_trouble_is_told() {
    assert_holds("what_is_loaded_may_be_watched_before_trouble_is_told");
}

#[test]
#[ignore = "make test-long"]
fn after_an_error_of_the_decoder_it_plays_on_where_it_was() {
    assert_holds("after_an_error_of_the_decoder_it_plays_on_where_it_was");
}

#[test]
#[ignore = "make test-long"]
fn before_anything_is_loaded_a_phone_shows_how_to_play() {
    assert_holds("before_anything_is_loaded_a_phone_shows_how_to_play");
}

#[test]
#[ignore = "make test-long"]
fn while_it_plays_its_controls_stay_within_reach_of_keys_and_screen_readers() {
    assert_holds("while_it_plays_its_controls_stay_within_reach_of_keys_and_screen_readers");
}

#[test]
#[ignore = "make test-long"]
fn a_click_on_a_quality_counts_although_another_one_comes_to_play() {
    assert_holds("a_click_on_a_quality_counts_although_another_one_comes_to_play");
}

#[test]
#[ignore = "make test-long"]
fn a_page_that_has_not_come_whole_says_so() {
    assert_holds("a_page_that_has_not_come_whole_says_so");
}

#[test]
#[ignore = "make test-long"]
fn without_javascript_there_is_a_link_to_the_stream() {
    assert_holds("without_javascript_there_is_a_link_to_the_stream");
}

#[test]
#[ignore = "make test-long"]
fn axe_finds_nothing_wrong_by_day_by_night_or_on_a_phone() {
    assert_holds("axe_finds_nothing_wrong_by_day_by_night_or_on_a_phone");
}

#[test]
#[ignore = "make test-long"]
fn whoever_uses_a_keyboard_sees_where_they_are() {
    assert_holds("whoever_uses_a_keyboard_sees_where_they_are");
}

#[test]
#[ignore = "make test-long"]
fn it_weighs_no_more_than_150_kilobytes() {
    assert_holds("it_weighs_no_more_than_150_kilobytes");
}

#[test]
#[ignore = "make test-long"]
fn firefox_plays_it_too() {
    assert_holds("firefox_plays_it_too");
}
