//! The stand-in as a program, for the demo: `notion-standin --url-file FILE` runs one, `notion-standin --show URL`
//! prints what is in it.

// It talks to the person who runs the demo.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use notion_standin::{Standin, TOKEN};

/// A stand-in for Notion: one database `Recordings`, kept in memory.
#[derive(Parser)]
#[command(version, name = "notion-standin")]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// Write the URL to this file once it listens.
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// The token that it accepts.
    #[arg(long, value_name = "TOKEN", default_value = TOKEN)]
    token: String,
    /// Print the rows of the stand-in that runs at this URL, and end.
    #[arg(long, value_name = "URL", conflicts_with_all = ["listen", "url_file"])]
    show: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.show {
        Some(url) => show(url, &arguments.token),
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notion-standin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(url: &str, token: &str) -> io::Result<()> {
    let table = notion_standin::table(url, token).map_err(|error| about(url, &error))?;
    print!("{table}");
    Ok(())
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let listen = &arguments.listen;
    let standin = Standin::start_on(listen).map_err(|error| about(&format!("listen on {listen}"), &error))?;
    standin.set_token(&arguments.token);
    println!("{} {} {}", standin.url(), standin.token(), standin.database_id());
    if let Some(file) = &arguments.url_file {
        write_beside(file, &format!("{}\n", standin.url()))
            .map_err(|error| about(&format!("write {}", file.display()), &error))?;
    }
    // Until a signal ends it.
    loop {
        std::thread::park();
    }
}

/// Whoever waits for the file finds it whole.
fn write_beside(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, file)
}

fn about(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
