//! Turns published recordings into HLS, points their rows at it, and removes the MP4 when that is safe.

mod about;
mod alike;
mod away;
mod bounds;
mod cli;
mod extras;
mod ffmpeg;
mod ffprobe;
mod hls;
mod hours;
mod inherit;
mod jobs;
mod master;
mod nice;
mod pass;
mod probed;
mod progress;
mod queue;
mod recipe;
mod reserve;
mod resume;
mod room;
mod run;
mod samples;
mod signals;
mod steps;
mod telling;
mod ts;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli: cli::Cli = rec_core::cli::parse();
    pass::run(&cli).into()
}
