//! One line of the env file: the shapes that mean the same to bash and to `env_file_reader`, and what to say of the others.

/// What separates words in bash; other white space does not.
const BLANKS: [char; 2] = [' ', '\t'];

/// What an unquoted value may hold beside letters and digits, without meaning something to bash or to `env_file_reader`.
const PLAIN: &str = "_./:@%+,-";

/// The longest value, in bytes: a path may have as many, and a URL in Notion half of them. `env_file_reader` calls itself for
/// each character of a value, so that a very long one would use up the stack.
const LONGEST: usize = 4096;

/// Names that bash sets itself, refuses to set, or changes its behaviour by; and `export`, which `env_file_reader` takes for
/// the keyword even in `export=x`.
const RESERVED: &str = "CHILD_MAX COLUMNS COMPREPLY COPROC DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FUNCNAME FUNCNEST \
    GLOBIGNORE GLOBSORT GROUPS IFS IGNOREEOF LANG LINENO LINES MAPFILE OLDPWD OPTARG OPTERR OPTIND PATH PIPESTATUS \
    POSIXLY_CORRECT PPID PS4 PWD RANDOM REPLY SECONDS SHELLOPTS SHLVL SRANDOM UID _ auto_resume export histchars ignoreeof";

/// The same, as beginnings of names.
const RESERVED_PREFIXES: [&str; 5] = ["BASH", "COMP_", "HIST", "LC_", "READLINE_"];

/// What is wrong with one line, and how to write it.
pub(super) struct Fault {
    pub(super) why: String,
    /// The quote that the line leaves open.
    pub(super) open: Option<u8>,
}

impl<T: Into<String>> From<T> for Fault {
    fn from(why: T) -> Self {
        Self { why: why.into(), open: None }
    }
}

/// The key and the value that one line sets, if it sets any.
pub(super) fn assignment(line: &str) -> Result<Option<(&str, String)>, Fault> {
    if line.contains(|c: char| c.is_control() && c != '\t') {
        return Err("a control character: remove it".into());
    }
    let line = line.trim_start_matches(BLANKS);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = without_export(line);
    let (key, rest) = split_name(line);
    let Some(rest) = rest.strip_prefix('=').filter(|_| is_name(key)) else {
        return Err(no_assignment(key, rest).into());
    };
    if RESERVED.split(' ').any(|name| name == key) || RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
        return Err("a name that bash keeps for itself or behaves by: remove the line or choose another name".into());
    }
    let length = value_length(rest)?;
    if length > LONGEST {
        return Err("a value of more than 4096 bytes: nothing that long is meant to be here, remove the line".into());
    }
    let plain = &line[..=key.len() + length];
    let value = env_file_reader::read_str(plain).ok().and_then(|mut read| read.remove(key));
    match value {
        Some(value) => Ok(Some((key, value))),
        None => Err(format!("a value that not every reader of this file understands: {}", how_to_quote(rest)).into()),
    }
}

/// A line whose key is not followed by `=`.
fn no_assignment(key: &str, rest: &str) -> &'static str {
    match rest {
        _ if !is_name(key) => NOT_AN_ASSIGNMENT,
        _ if rest.starts_with('[') => "an array: write plain KEY='value'",
        _ if rest.starts_with("+=") => "appended to with +=: write the whole value after a plain =",
        _ if rest.trim_start_matches(BLANKS).starts_with('=') => {
            "a blank before =: write KEY='value' without blanks around ="
        }
        _ => NOT_AN_ASSIGNMENT,
    }
}

const NOT_AN_ASSIGNMENT: &str = "not of the form KEY=VALUE (this file is read, not run, so it can hold no commands): write KEY='value', or # before a comment";

/// How many bytes after `=` are the value, its quotes included. What follows may only be blanks and a comment.
fn value_length(rest: &str) -> Result<usize, Fault> {
    let length = match rest.as_bytes().first() {
        Some(quote @ (b'\'' | b'"')) => quoted_length(rest, *quote)?,
        _ => word_length(rest)?,
    };
    let tail = &rest[length..];
    let more = tail.trim_start_matches(BLANKS);
    if more.is_empty() || (more.starts_with('#') && more.len() < tail.len()) {
        Ok(length)
    } else if more.len() == tail.len() {
        Err(format!("text right behind the closing quote: {}, and a blank before a comment's #", how_to_quote(rest))
            .into())
    } else if length == 0 {
        Err("a blank after =: write KEY='value' without blanks around =".into())
    } else {
        Err(format!(
            "a blank in the value, or text behind it: {}; one KEY='value' a line; # before a comment",
            how_to_quote(rest)
        )
        .into())
    }
}

fn word_length(rest: &str) -> Result<usize, Fault> {
    let word = rest.split(BLANKS).next().unwrap_or_default();
    let Some(odd) = word.chars().find(|c| !c.is_ascii_alphanumeric() && !PLAIN.contains(*c)) else {
        return Ok(word.len());
    };
    let what = match odd {
        '$' | '`' | '~' => "something unquoted that bash would expand: write out what it stands for, and".to_owned(),
        '\'' | '"' => "a quote within a word:".to_owned(),
        _ if odd.is_ascii() => format!("{odd} outside of quotes:"),
        _ => "a character outside of ASCII and of quotes:".to_owned(),
    };
    Err(format!("{what} {}", how_to_quote(rest)).into())
}

fn quoted_length(rest: &str, quote: u8) -> Result<usize, Fault> {
    let Some(close) = closing_quote(rest, quote) else {
        let why = "no closing quote on the line: close it there; a value cannot go over several lines".to_owned();
        return Err(Fault { why, open: Some(quote) });
    };
    let inner = &rest[1..close];
    let what = if quote == b'"' && inner.contains(['$', '`']) {
        "$ or a backtick in double quotes, which bash would expand"
    } else if quote == b'"' && inner.replace(r#"\""#, "").contains('\\') {
        "a backslash in double quotes (only \\\" is allowed)"
    } else if quote == b'\'' && inner.contains(r"\n") {
        "a backslash and an n, which some readers take for a new line"
    } else {
        return Ok(close + 1);
    };
    Err(format!("{what}: {}", how_to_quote(inner)).into())
}

/// Where bash sees the quote end that `rest` begins with.
fn closing_quote(rest: &str, quote: u8) -> Option<usize> {
    let mut bytes = rest.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quote == b'"' => drop(bytes.next()),
            _ if byte == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// The quoting under which a text like this can be written at all.
fn how_to_quote(text: &str) -> &'static str {
    match text {
        _ if text.contains(r"\n") => "write the value without a backslash before n (in a URL, percent-encode it: %5C)",
        _ if !text.contains('\'') => "put the whole value in single quotes",
        _ if !text.contains(['$', '`', '\\']) => {
            "put the whole value in double quotes, with \\\" for a double quote in it"
        }
        _ => {
            "choose a value in which no ' stands beside $, backtick or backslash, in one pair of quotes (in a URL, \
             percent-encode: %27 for ', %24 for $, %60 for a backtick, %5C for a backslash)"
        }
    }
}

fn without_export(line: &str) -> &str {
    line.strip_prefix("export")
        .filter(|rest| rest.starts_with(BLANKS))
        .map_or(line, |rest| rest.trim_start_matches(BLANKS))
}

fn split_name(line: &str) -> (&str, &str) {
    line.split_at(line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The key of a line that is, or was meant as, an assignment.
pub(super) fn name_in(line: &str) -> Option<&str> {
    let (key, rest) = split_name(without_export(line.trim_start_matches(BLANKS)));
    let meant = rest.starts_with(['[', '+']) || rest.trim_start_matches(BLANKS).starts_with('=');
    (meant && is_name(key)).then_some(key)
}
