//! The documentation says what the programs do, and nothing else.

mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_tests::{Bench, binary, run, skipped};
use rec_core::config::{DEFAULT_ENV_FILE, ENV_FILE_VARIABLE, KEYS};
use sources::{Sources, sources};

/// The tools and their pages.
const TOOLS: [(&str, &str); 7] = [
    ("jitsi-finalize", "jitsi-finalize.8"),
    ("jitsi-hls-worker", "jitsi-hls-worker.8"),
    ("notion-patch", "notion-patch.1"),
    ("rec-check", "rec-check.8"),
    ("rec-hook", "rec-hook.1"),
    ("rec-ls", "rec-ls.1"),
    ("rec-url", "rec-url.1"),
];

#[test]
fn every_option_of_help_is_in_the_manual_page_and_the_reverse() {
    for (tool, page) in TOOLS {
        let mut options = options_of_help(&help(tool));
        for command in commands_of_help(&help(tool)) {
            options
                .extend(options_of_help(&run(Command::new(binary(tool)).args([&command, "--help"])).exits(0).stdout));
        }
        assert_eq!(options, options_of_page(&man(page)), "{tool}: left --help, right {page}");
    }
}

#[test]
fn every_page_lists_the_exit_codes_of_help() {
    for (tool, page) in TOOLS {
        let help = help(tool).replace('\n', " ");
        let said = help.split_once("Exit status:").unwrap().1.split("Usage:").next().unwrap();
        let said: BTreeSet<u8> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(said, exit_codes(&section(&man(page), "EXIT STATUS")), "{tool}: left --help, right {page}");
    }
    let all = exit_codes(&man("recording-pipeline.7"));
    assert_eq!(all, BTreeSet::from([0, 1, 2, 75]), "recording-pipeline.7");
}

#[test]
fn every_page_names_the_env_file_and_its_variable() {
    for (_, page) in TOOLS {
        let text = man(page);
        assert!(text.contains(DEFAULT_ENV_FILE) && text.contains(ENV_FILE_VARIABLE), "{page}");
    }
}

#[test]
fn every_setting_is_in_its_manual_page_with_its_default_and_the_reverse() {
    let page = man("recording-pipeline.env.5");
    let entries = page.split("\n.It Ev ").skip(1).map(|entry| entry.split_once('\n').unwrap());
    let described: Vec<(&str, &str)> = entries.collect();
    let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(described.iter().map(|(name, _)| *name).collect::<Vec<_>>(), known);
    let (required, _) = page.split_once(".Ss Optional").unwrap();
    for (key, (name, text)) in KEYS.iter().zip(described) {
        let default = text.split_once("Default: ").or_else(|| text.split_once("Default:\n")).map(|(_, text)| text);
        assert_eq!(key.required, required.contains(&format!(".It Ev {name}\n")), "{name}");
        assert_eq!(key.required, default.is_none(), "{name}: a default");
        let wanted = key.default.unwrap_or("nothing");
        assert!(default.is_none_or(|text| text.lines().next().unwrap().contains(wanted)), "{name}: {wanted}");
    }
}

#[test]
fn every_message_of_the_manual_pages_and_of_the_readme_is_one_that_the_tools_print() {
    let sources = Sources::read(&repository().join("crates"));
    let pages = man_pages();
    let diagnostics = pages.iter().flat_map(|page| {
        let text = section(&man(page), "DIAGNOSTICS");
        let quoted: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(".It ")).map(unroffed).collect();
        quoted.into_iter().map(move |line| (page.clone(), line))
    });
    let readme = read("README.md");
    let table = readme.split_once("## Troubleshooting").unwrap().1.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once("` |")?.0));
    let quoted: Vec<_> = diagnostics.chain(rows.map(|row| ("README.md".to_owned(), row.to_owned()))).collect();
    assert!(quoted.len() > 40, "{}", quoted.len());
    for (place, line) in quoted {
        for part in line.split("...").flat_map(|part| part.split('…')) {
            let part = part.trim_matches([' ', ':', ';', ',']);
            assert!(sources.say(part), "{place}: {line}: nobody says {part:?}");
        }
    }
}

#[test]
fn the_readme_shows_what_the_tools_print() {
    let bench = Bench::new();
    let room = bench.recorded("daily-standup");
    let printed = [
        bench.finalize(&room).exits(0).stderr,
        bench.worker().exits(0).stderr,
        run(bench.command("rec-url").arg(room.join("v0/master.m3u8"))).exits(0).stdout,
    ];
    let readme = read("README.md");
    let shown = readme.split("```\n").nth(1).unwrap();
    let shown: Vec<_> = shown.lines().filter(|line| !line.is_empty() && !line.starts_with("$ ")).collect();
    let printed = printed.concat().replace(bench.dir().to_str().unwrap(), "");
    assert_eq!(shapes(shown.into_iter()), shapes(printed.lines()));
}

#[test]
fn the_cron_line_is_the_same_everywhere_and_its_options_exist() {
    let cron = read("cron.d/jitsi-hls-worker");
    let line = cron.lines().find(|line| line.starts_with("*/20 * * * * ")).unwrap();
    let command = line.split_once(" jitsi-recordings ").unwrap().1.split(" 2>&1").next().unwrap();
    let (tool, options) = command.split_once(' ').unwrap();
    assert!(options.split(' ').all(|option| options_of_help(&help(tool)).contains(option)), "{command}");
    for place in ["README.md", "man/jitsi-hls-worker.8"] {
        assert!(read(place).contains(line), "{place}");
    }
}

#[test]
fn the_manual_pages_are_right_mdoc() {
    let lint = Command::new("mandoc").args(["-Tlint", "-Wwarning"]).args(pages()).output();
    match lint {
        Ok(out) => assert!(out.status.success() && out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stdout)),
        Err(_) => skipped("mandoc is not here: install Debian's package mandoc"),
    }
}

#[test]
fn every_page_refers_to_the_others_by_their_right_sections() {
    let names = man_pages();
    for page in &names {
        for line in man(page)
            .lines()
            .filter_map(|line| line.trim_start_matches(".It ").trim_start_matches('.').strip_prefix("Xr "))
        {
            let mut words = line.split(' ');
            let (name, number) = (words.next().unwrap(), words.next().unwrap());
            let ours = names.iter().find(|page| page.rsplit_once('.').unwrap().0 == name);
            assert!(ours.is_none_or(|page| page.ends_with(&format!(".{number}"))), "{page}: {name}({number})");
        }
    }
    for (_, page) in TOOLS {
        assert!(names.iter().any(|name| name == page), "{page}");
    }
}

#[test]
fn every_link_and_every_source_file_that_the_guides_name_exists() {
    let files = sources(&repository());
    for guide in guides() {
        let text = read(&guide);
        let dir = repository().join(&guide);
        let dir = dir.parent().unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            assert!(link.starts_with("http") || file.is_empty() || dir.join(file).exists(), "{guide}: {link}");
        }
        for name in code_spans(&text)
            .filter(|span| Path::new(span).extension().is_some_and(|end| end == "rs") && !span.contains('*'))
        {
            let name = name.strip_prefix("core/").map_or(name.to_owned(), |name| format!("crates/core/src/{name}"));
            assert!(files.iter().any(|file| file.ends_with(&format!("/{name}"))), "{guide}: {name}");
        }
        let ours = ["crates/", "tests/", "etc/", "man/", "cron.d/", "docs/"];
        let paths = code_spans(&text).filter(|span| ours.iter().any(|top| span.starts_with(top)));
        for path in paths.filter(|path| !path.contains(['*', ' '])) {
            assert!(repository().join(path).exists(), "{guide}: {path}");
        }
    }
}

#[test]
fn every_make_target_that_the_guides_name_exists() {
    let makefile = read("Makefile");
    let mut named = 0;
    for guide in guides() {
        let text = read(&guide);
        for command in code_spans(&text).chain(text.lines()) {
            let command = command.trim_start_matches("$ ").trim_start_matches("sudo ");
            let Some(target) = command.strip_prefix("make ").and_then(|rest| rest.split(' ').next()) else { continue };
            assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{guide}: make {target}");
            named += 1;
        }
    }
    assert!(named > 5, "{named}");
}

// ---- reading ----

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[track_caller]
fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn guides() -> Vec<String> {
    let pages = pipeline_tests::listing(&repository().join("docs"));
    let pages = pages
        .iter()
        .filter_map(|page| page.to_str())
        .filter(|page| page.rsplit_once('.').is_some_and(|(_, end)| end == "md"));
    let pages = pages.map(|page| format!("docs/{page}"));
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "tests/README.md"].map(ToOwned::to_owned);
    others.into_iter().chain(pages).collect()
}

fn pages() -> Vec<PathBuf> {
    man_pages().iter().map(|page| repository().join("man").join(page)).collect()
}

fn man_pages() -> Vec<String> {
    let names = pipeline_tests::listing(&repository().join("man"));
    names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

fn man(page: &str) -> String {
    read(&format!("man/{page}"))
}

/// A section of a page, from its heading to the next one.
fn section(page: &str, name: &str) -> String {
    let text = page.split(".Sh ").find(|text| text.starts_with(&format!("{name}\n")));
    text.unwrap_or_default().to_owned()
}

fn help(tool: &str) -> String {
    run(Command::new(binary(tool)).arg("--help")).exits(0).stdout
}

/// `-n` and `--dry-run` of the lines that begin so.
fn options_of_help(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    let leading = lines.flat_map(|line| line.split(' ').take_while(|word| word.starts_with('-')));
    leading.map(|word| word.trim_end_matches(',').to_owned()).collect()
}

/// What stands first in the lines below `Commands:`.
fn commands_of_help(help: &str) -> Vec<String> {
    let lines = help.split_once("Commands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap());
    lines.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// The arguments of the macro Fl: `n , -dry-run` are two options, and `nqv` is three.
fn options_of_page(page: &str) -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('.')) {
        let mut flags = false;
        for word in line.split(' ') {
            let is_macro = word.len() == 2 && word.starts_with(|c: char| c.is_ascii_uppercase());
            match word {
                "Fl" => flags = true,
                _ if is_macro => flags = false,
                "," | "|" => {}
                _ if !flags => {}
                long if long.starts_with('-') => drop(options.insert(format!("-{long}"))),
                short => options.extend(short.chars().map(|c| format!("-{c}"))),
            }
        }
    }
    options
}

fn exit_codes(page: &str) -> BTreeSet<u8> {
    page.lines().filter_map(|line| line.strip_prefix(".It ")?.parse().ok()).collect()
}

/// The text that mdoc prints for an argument.
fn unroffed(text: &str) -> String {
    text.replace("\\e", "\\").replace("\\(dq", "\"").replace("\\&", "")
}

/// What stands between backticks on one line.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Log lines without what differs from run to run.
fn shapes<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let varies = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        pipeline_tests::is_date_is(word) || word.starts_with("date=") || (word.starts_with("id=") && digits > 8)
    };
    let shape = |word: &str| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        if varies(word) { format!("{name}=…") } else { word.to_owned() }
    };
    lines.map(|line| line.split(' ').map(shape).collect::<Vec<_>>().join(" ")).collect()
}
