//! Which webhooks are to be told what of a recording, and that their outbox gets it.
//!
//! What is owed is written into the recording's state before that moment is over, and taken out of it once the event lies in the
//! outbox. Whatever dies in between, a later run of the worker finds it there.

use anyhow::Result;
use rec_core::config::{Config, Destination};
use rec_core::log::Log;
use rec_core::state::{Entry, Moment, Owed, Recording};
use time::OffsetDateTime;

use crate::event::Event;
use crate::outbox::Outbox;
use crate::profile::wants;

/// Notes who is to be told of this moment, and puts that, and what was noted before, into their outboxes.
pub fn tell(config: &Config, log: &Log, entry: &mut Entry<'_>, moment: Moment) -> Result<()> {
    let due = due(entry.recording(), &config.webhooks, moment);
    if !due.is_empty() {
        let owed = Owed { event: moment, at: OffsetDateTime::now_utc() };
        entry.change(|recording| recording.owed.extend(due.into_iter().map(|name| (name, owed))))?;
    }
    try_to_settle(config, log, entry);
    Ok(())
}

/// Puts what is owed into the outboxes. What they do not take stays noted: it is an error in the log, and none for the recording.
pub fn try_to_settle(config: &Config, log: &Log, entry: &mut Entry<'_>) {
    if let Err(error) = settle(config, log, entry) {
        let what = entry.shown();
        log.error(&format!("ERROR: {what}: its webhooks wait for the next run of jitsi-hls-worker: {error:#}"));
    }
}

/// Puts what is owed into the outboxes. One that cannot take its event keeps no other from getting theirs.
pub fn settle(config: &Config, log: &Log, entry: &mut Entry<'_>) -> Result<()> {
    let (outbox, mut settled) = (Outbox::new(config), Ok(()));
    for (name, Owed { event: moment, at }) in entry.recording().owed.clone() {
        if let Some(to) = config.webhooks.iter().find(|to| to.name == name) {
            let event = Event::of(config, entry.room, entry.recording(), moment, at);
            match outbox.enqueue(to, &event) {
                Ok(id) => {
                    log.detail(&format!("Queued webhook to={name} id={} event={moment} {}", id.id(), entry.shown()));
                }
                Err(error) => {
                    settled = settled.and(Err(error));
                    continue;
                }
            }
            entry.change(|recording| {
                recording.told.insert(name.clone(), moment);
                recording.owed.remove(&name);
            })?;
        } else {
            let what = entry.shown();
            log.error(&format!("WARNING: {what}: {name} is not told that it is {moment}: WEBHOOKS names it no more"));
            entry.change(|recording| recording.owed.retain(|owed, _| *owed != name))?;
        }
    }
    settled
}

/// Who is to be told. Nobody is told the same twice, or of a failure after a success; of a success after a failure, everybody
/// who was told of that.
fn due(recording: &Recording, webhooks: &[Destination], moment: Moment) -> Vec<String> {
    let news = |to: &&Destination| {
        let owed = recording.owed.get(&to.name).map(|owed| &owed.event);
        let known = owed.or_else(|| recording.told.get(&to.name));
        wants(to, moment) && (known.is_none() || moment != Moment::Failed && known == Some(&Moment::Failed))
    };
    webhooks.iter().filter(news).map(|to| to.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Moment::{Failed, Published, Recorded};
    use rec_core::config::{HookProfile, SecretSource};

    #[test]
    fn each_is_told_its_moment_once_and_a_failure_only_before_it() {
        let to = |name: &str, profile, on| Destination {
            name: name.into(),
            profile,
            url: "https://receiver.example".into(),
            secret: SecretSource::None,
            on,
        };
        let webhooks = [
            to("early", HookProfile::Standard, Recorded),
            to("late", HookProfile::Optilearn, Published),
            to("reflector", HookProfile::Reflector, Recorded),
        ];
        let told = |what: &[(&str, Moment)], moment| {
            let mut recording = Recording::new(0, None);
            recording.told = what.iter().map(|(name, moment)| ((*name).to_owned(), *moment)).collect();
            due(&recording, &webhooks, moment)
        };
        assert_eq!(told(&[], Recorded), ["early", "reflector"]);
        assert_eq!(told(&[("early", Recorded)], Recorded), ["reflector"]);
        assert_eq!(told(&[("early", Recorded), ("reflector", Recorded)], Published), ["late"]);
        assert_eq!(told(&[("early", Recorded)], Failed), ["late"], "Reflector knows no failures");
        assert_eq!(told(&[("late", Failed)], Failed), ["early"]);
        assert_eq!(told(&[("late", Failed)], Published), ["late"], "it was mended");
        assert_eq!(told(&[("late", Published)], Published), [""; 0]);

        let mut recording = Recording::new(0, None);
        recording.owed.insert("late".into(), Owed { event: Published, at: OffsetDateTime::UNIX_EPOCH });
        assert_eq!(due(&recording, &webhooks, Failed), ["early"], "a success that the outbox has not got yet");
    }
}
