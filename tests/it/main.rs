//! The real binaries, run as Jibri, cron and an admin run them. Each module reads as a list of sentences.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod adoption;
mod adoption_swap;
mod as_jibri;
mod command_lines;
mod conformance;
mod conformance_notices;
mod damaged;
mod death;
mod defects_loss;
mod defects_loss_ffmpeg;
mod defects_media;
mod defects_names_urls;
mod defects_notion;
mod defects_permissions_secrets;
mod defects_stall;
mod disk;
mod docs;
mod extras;
mod finalize_kept;
mod hostile;
mod install;
mod jobs;
mod media;
mod names;
mod nice;
mod notion_away;
mod notion_columns;
mod notion_config;
mod notion_create;
mod notion_patch;
mod notion_rows;
mod notion_tls;
mod pipeline;
mod progress;
mod rec_url;
mod resume;
mod salvage;
mod space;
mod together;
mod urls;
mod window;
mod worker_kept;
mod worker_kept_run;
