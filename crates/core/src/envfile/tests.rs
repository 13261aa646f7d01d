use std::time::{Duration, Instant};

use super::*;

fn parse(text: &str) -> Result<EnvFile, Problems> {
    super::parse(Path::new("F"), text.as_bytes())
}

fn problems(bytes: &[u8]) -> String {
    super::parse(Path::new("F"), bytes).expect_err("refused").to_string()
}

#[test]
fn lines_that_mean_the_same_to_all_are_read() {
    let table = [
        ("A=", ""),
        ("A=  # nothing", ""),
        ("A=b", "b"),
        ("  export\tA=b \t", "b"),
        ("A=https://u:p@h:1/a_b.c%20,+-", "https://u:p@h:1/a_b.c%20,+-"),
        ("A=exported", "exported"),
        ("A=''", ""),
        ("A=\"\"", ""),
        ("A='a # \"b\" $c `d` \\e é' # it's", "a # \"b\" $c `d` \\e é"),
        ("A='ends in \\'", "ends in \\"),
        ("A=\"it's # \\\"so\\\" é\" # \"c\"", "it's # \"so\" é"),
        ("# A=c\n\n \t\nA='b'\n", "b"),
    ];
    for (text, value) in table {
        assert_eq!(parse(text).expect(text).get("A"), Some(value), "{text}");
    }
}

#[test]
fn every_other_line_is_refused_with_a_way_to_write_it() {
    let table = [
        (
            "A=b c",
            "F:1: A: a blank in the value, or text behind it: put the whole value in single quotes; one KEY='value' a line; # before a comment",
        ),
        ("A='b' c", "F:1: A: a blank in the value, or text behind it: put the whole value in double quotes"),
        ("A =b", "F:1: A: a blank before =: write KEY='value' without blanks around ="),
        ("A= b", "F:1: A: a blank after =: write KEY='value' without blanks around ="),
        ("A+=b", "F:1: A: appended to with +=: write the whole value after a plain ="),
        ("A[0]=b", "F:1: A: an array: write plain KEY='value'"),
        (
            "A=$B",
            "F:1: A: something unquoted that bash would expand: write out what it stands for, and put the whole value in single quotes",
        ),
        ("A=~/b", "F:1: A: something unquoted that bash would expand"),
        (
            "A=\"$B\"",
            "F:1: A: $ or a backtick in double quotes, which bash would expand: put the whole value in single quotes",
        ),
        (
            "A=\"it's $5\"",
            "F:1: A: $ or a backtick in double quotes, which bash would expand: choose a value in which no ' stands beside $",
        ),
        (
            "A=\"a\\\\b\"",
            "F:1: A: a backslash in double quotes (only \\\" is allowed): put the whole value in single quotes",
        ),
        (
            "A=\"a\\nb\"",
            "F:1: A: a backslash in double quotes (only \\\" is allowed): write the value without a backslash before n",
        ),
        ("A='a\\nb'", "F:1: A: a backslash and an n, which some readers take for a new line: write the value without"),
        ("A='a'\"b\"", "F:1: A: text right behind the closing quote"),
        ("A=a'b'", "F:1: A: a quote within a word"),
        ("A='a'# c", "F:1: A: text right behind the closing quote"),
        ("A=a#b", "F:1: A: # outside of quotes: put the whole value in single quotes"),
        ("A=a;B=c", "F:1: A: ; outside of quotes"),
        ("A=a&", "F:1: A: & outside of quotes"),
        ("A=a=b", "F:1: A: = outside of quotes"),
        ("A=é", "F:1: A: a character outside of ASCII and of quotes"),
        (
            "A=export",
            "F:1: A: a value that not every reader of this file understands: put the whole value in single quotes",
        ),
        ("A='b", "F:1: A: no closing quote on the line"),
        ("A=\"b\\\"", "F:1: A: no closing quote on the line"),
        ("PATH=/bin", "F:1: PATH: a name that bash keeps for itself"),
        ("export=b", "F:1: export: a name that bash keeps for itself"),
        ("export A", "F:1: not of the form KEY=VALUE"),
        ("set -a", "F:1: not of the form KEY=VALUE"),
        ("source /etc/x", "F:1: not of the form KEY=VALUE"),
        ("if [ x = y ]; then", "F:1: not of the form KEY=VALUE"),
        ("1A=b", "F:1: not of the form KEY=VALUE"),
        ("A=\x01", "F:1: A: a control character"),
        ("A='a\rb'", "F:1: A: a control character"),
        ("# \x1b", "F:1: a control character"),
    ];
    for (text, message) in table {
        let found = problems(text.as_bytes());
        assert!(found.starts_with(message) && found.lines().count() == 1, "{text}: {found}");
    }
}

#[test]
fn all_bad_lines_are_reported_at_once_and_none_of_their_values() {
    let text = "A=hunter-2 x\nGOOD='hunter-2'\nB=\"$hunter-2\"\nhunter-2\nC='hunter-2";
    let found = problems(text.as_bytes());
    let starts: Vec<&str> = found.lines().map(|line| &line[..6]).collect();
    assert_eq!(starts, ["F:1: A", "F:3: B", "F:4: n", "F:5: C"]);
    assert!(!found.contains("hunter"), "{found}");
}

#[test]
fn the_lines_of_an_open_value_are_not_taken_for_keys() {
    let found = problems(b"KEY=\"-----BEGIN\nc2VjcmV0==\n-----END\"\nB=c d\n");
    assert_eq!(found.lines().map(|line| &line[..7]).collect::<Vec<_>>(), ["F:1: KE", "F:4: B:"]);
    let forgotten = problems(b"A='b\nB=c d\nC='e'\nD=f g");
    assert_eq!(forgotten.lines().map(|line| &line[..6]).collect::<Vec<_>>(), ["F:1: A", "F:2: B", "F:4: D"]);
}

#[test]
fn faults_of_the_whole_file_are_one_problem_each() {
    assert!(problems(b"\xEF\xBB\xBFA=b").starts_with("F:1: a byte order mark: remove it with: sed"));
    assert_eq!(
        problems(b"A=b\nB=c\r\nC=d\r\n"),
        "F:2: a Windows line end (CR), on 2 line(s) in all: remove them with: sed -i 's/\\r$//' F"
    );
    assert_eq!(problems(b"A=b\nB='\xff'\n"), "F:2: not UTF-8: save the file as UTF-8");
    assert!(problems(b"A=b\nB=\0\nC=\0").starts_with("F:2: a NUL byte"));
}

#[test]
fn the_last_of_several_lines_counts_and_is_warned_of() {
    let file = parse("A=1\nB=2\nA=3").expect("accepted");
    assert_eq!((file.get("A"), file.line_of("A"), file.get("C")), (Some("3"), Some(3), None));
    assert_eq!(file.warnings, ["F:3: A: also set on line 1: the last one counts, remove the others"]);
    assert_eq!(format!("{:?}", file.entries[0]), "1:A=***");
}

#[test]
fn a_megabyte_is_read_in_linear_time() {
    let files = [
        "# a comment\nKEY='a value'\n".repeat(40_000),
        format!("A='{}'", "x\"é".repeat(250_000)),
        format!("A=\"{}\"", "\\\"".repeat(500_000)),
        "A=\"\nA='\n".repeat(100_000),
        "x\n".repeat(500_000),
    ];
    for text in files {
        let begin = Instant::now();
        let _ = parse(&text);
        // A debug build on a busy machine takes about a second; quadratic time would take minutes.
        assert!(begin.elapsed() < Duration::from_secs(20), "{}… took {:?}", &text[..9], begin.elapsed());
    }
    assert!(
        problems(format!("A='{}'", "x".repeat(4095)).as_bytes()).contains("F:1: A: a value of more than 4096 bytes")
    );
    assert!(parse(&format!("A='{}'", "x".repeat(4094))).is_ok());
    assert!(problems(&vec![b'#'; LIMIT + 1]).contains("is larger than 4 MiB"));
    assert!(super::parse(Path::new("F"), &vec![b'#'; LIMIT]).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let missing = directory.path().join("no.env");
    let error = |path: &Path| read(path).expect_err("not readable").to_string();
    assert_eq!(error(&missing), format!("Env file not found: {}", missing.display()));
    let shown = directory.path().display();
    assert_eq!(
        error(directory.path()),
        format!("{shown}: cannot be read: not a regular file: name a regular file that the user of this tool can read")
    );
}
