//! `rec-check`: what it finds right and wrong, and that its remedies help.

mod create;
mod directories;
mod env;
mod installed;
mod notion;
mod schedule;
mod tools;
mod url;
