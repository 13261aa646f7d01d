//! The stand-in, asked over its socket like a tool would ask it.

mod client;
mod faults;
mod oracle;
mod pages;
mod program;
mod queries;
mod validation;
mod versions;
