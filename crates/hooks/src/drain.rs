//! The delivery of what waits: in its order, one at a time at each destination.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rec_core::config::Destination;
use rec_core::deadline::Deadline;
use rec_core::fault;
use rec_core::http;
use rec_core::lock::Lock;
use rec_core::log::Log;
use rec_core::secret::Secret;
use rec_core::text::shown;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;
use ureq::Agent;

use crate::outbox::{Head, Item, Lane, Letter, Outbox};
use crate::verdict::{Reply, Tries, Verdict, decide, said};
use crate::wire::{Failure, post};
use crate::{profile, secret, sign};

/// With less than this, a try makes no sense.
const LEAST: Duration = Duration::from_millis(200);

/// RFC 3339 in UTC, to the second.
const NEXT_AT: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// What a drain came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Events that have arrived.
    pub delivered: usize,
    /// Events that still wait.
    pub queued: usize,
    /// Events that are not tried any more, since this run.
    pub dead: usize,
    /// Destinations with something to send and no secret to sign it.
    pub no_secret: usize,
    /// Destinations whose part of the outbox cannot be used.
    pub errors: usize,
}

/// What a trial came to.
#[derive(Clone, Debug)]
pub struct Trial {
    /// There was an answer.
    pub answered: bool,
    /// A good one.
    pub delivered: bool,
    /// Which says that nothing is done with the message.
    pub ignored: bool,
    /// The answer, or why there was none, with a hint at what may be wrong.
    pub said: String,
}

impl Drained {
    fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            queued: self.queued + other.queued,
            dead: self.dead + other.dead,
            no_secret: self.no_secret + other.no_secret,
            errors: self.errors + other.errors,
        }
    }
}

impl Outbox<'_> {
    /// Delivers what is due, at the named destinations (none: all of them) side by side. `forced`: also what is not due yet.
    pub fn drain(&self, names: &[&str], log: &Log, deadline: &Deadline, forced: bool) -> Drained {
        let wanted = |to: &&Destination| names.is_empty() || names.contains(&to.name.as_str());
        let routes: Vec<Route<'_>> =
            self.config.webhooks.iter().filter(wanted).map(|to| Route::new(self, to, log, deadline, forced)).collect();
        // Nothing that waits, no thread.
        let mut busy: Vec<Route<'_>> = routes.into_iter().filter(Route::has_work).collect();
        let Some(last) = busy.pop() else { return Drained::default() };
        thread::scope(|scope| {
            let others: Vec<_> = busy.into_iter().map(|route| scope.spawn(move || route.run())).collect();
            let last = last.run();
            let failed = Drained { errors: 1, ..Drained::default() };
            others.into_iter().map(|other| other.join().unwrap_or(failed)).fold(last, Drained::and)
        })
    }
}

/// Sends an event once, without the outbox, and says what follows from the answer. The error says why nothing can be signed.
pub fn trial(to: &Destination, letter: &Letter, secret: &Secret, deadline: &Deadline) -> Result<Trial, String> {
    let reply = attempt(to, &http::agent(&to.url), letter, secret, deadline)?;
    let answered = reply.is_ok();
    let reply = reply.as_ref().map_err(|failure| match failure {
        Failure::NoAnswer(why) => why.as_str(),
        Failure::Stopped => "this was stopped",
    });
    let verdict = decide(reply, &Tries::none(), OffsetDateTime::now_utc(), 0.0, false);
    let said = match reply {
        Ok(reply) => said(reply),
        Err(why) => format!("did not answer: {why}"),
    };
    Ok(Trial {
        answered,
        delivered: matches!(verdict, Verdict::Delivered { .. }),
        ignored: verdict == (Verdict::Delivered { ignored: true }),
        said,
    })
}

/// The error says why nothing can be signed.
fn attempt(
    to: &Destination,
    agent: &Agent,
    letter: &Letter,
    secret: &Secret,
    deadline: &Deadline,
) -> Result<Result<Reply, Failure>, String> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let headers = sign::headers(profile::format(to.profile), secret, &letter.head.id, now, &letter.body)?;
    Ok(post(agent, &to.url, headers, letter.body.clone(), secret, deadline))
}

/// The way to one destination.
struct Route<'a> {
    outbox: &'a Outbox<'a>,
    to: &'a Destination,
    log: &'a Log,
    deadline: &'a Deadline,
    forced: bool,
    /// Both only once there is something to send: TLS has to read the system's trust store.
    agent: OnceCell<Agent>,
    secret: OnceCell<Result<Secret, String>>,
}

/// Whether the next event of a destination is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoesOn,
    Waits,
}

impl<'a> Route<'a> {
    fn new(outbox: &'a Outbox<'a>, to: &'a Destination, log: &'a Log, deadline: &'a Deadline, forced: bool) -> Self {
        Self { outbox, to, log, deadline, forced, agent: OnceCell::new(), secret: OnceCell::new() }
    }

    fn has_work(&self) -> bool {
        self.outbox
            .list(&self.to.name, Lane::Queue)
            .map_or(true, |listing| !listing.is_empty() || !listing.strange.is_empty())
    }

    fn run(&self) -> Drained {
        let mut drained = Drained::default();
        if let Err(error) = self.deliver(&mut drained) {
            drained.errors += 1;
            self.log.error(&format!("ERROR: webhook to={}: {error:#}", self.to.name));
        }
        drained.queued = self.outbox.list(&self.to.name, Lane::Queue).map_or(0, |listing| listing.items.len());
        drained
    }

    fn deliver(&self, drained: &mut Drained) -> Result<()> {
        let name = &self.to.name;
        let mut seen = HashSet::new();
        // Once more after each pass, with the lock given back: whoever put something in meanwhile may have left it to us.
        loop {
            let listing = self.outbox.list(name, Lane::Queue)?;
            if seen.is_empty() {
                self.tell_of_strange(&listing.strange);
            }
            if listing.is_empty() || (!seen.is_empty() && listing.items.iter().all(|item| seen.contains(&item.name))) {
                return Ok(());
            }
            let Some(_lock) = Lock::try_acquire(&self.outbox.lock_path(name))? else {
                self.log.detail(&format!("Busy webhook to={name}: another tool delivers there"));
                return Ok(());
            };
            self.outbox.sweep(name)?;
            self.outbox.forget_other_off(self.to)?;
            let listing = self.outbox.list(name, Lane::Queue)?;
            if listing.items.is_empty() {
                return Ok(());
            }
            for item in listing.items {
                if !seen.insert(item.name.clone()) {
                    continue;
                }
                if self.item(&item, drained)? == Next::Waits {
                    return Ok(());
                }
            }
        }
    }

    fn tell_of_strange(&self, strange: &[PathBuf]) {
        for path in strange {
            self.log.error(&format!("WARNING: {} is not of the outbox: left alone", shown(path)));
        }
    }

    /// One event: tried, if it is due.
    fn item(&self, item: &Item, drained: &mut Drained) -> Result<Next> {
        let now = OffsetDateTime::now_utc();
        let tries = item.tries();
        let due = tries.as_ref().is_none_or(|tries| tries.is_due(now));
        let tries = tries.unwrap_or_else(Tries::none);
        if !due && !self.forced {
            return Ok(if tries.aside { Next::GoesOn } else { Next::Waits });
        }
        if let Some(off) = self.outbox.off(self.to) {
            self.log.detail(&format!("Off webhook to={}: {}", self.to.name, off.reason));
            return Ok(Next::Waits);
        }
        if self.deadline.left() < LEAST {
            return Ok(Next::Waits);
        }
        let letter = match item.read() {
            Ok(Some(letter)) => letter,
            // Somebody has dropped it.
            Ok(None) => return Ok(Next::GoesOn),
            // The system's word, not the file's: another user, or a disk that comes back, can read it.
            Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.raw_os_error().is_some()) => {
                return Err(error);
            }
            Err(error) => {
                self.bury(item, None, &tries, &format!("{error:#}"), now)?;
                drained.dead += 1;
                return Ok(Next::GoesOn);
            }
        };
        let secret = match self.secret.get_or_init(|| secret::of(self.to)) {
            Ok(secret) => secret,
            Err(why) => return Ok(self.no_secret(why, drained)),
        };
        let agent = self.agent.get_or_init(|| http::agent(&self.to.url));
        fault::point("webhook is sent");
        let reply = match attempt(self.to, agent, &letter, secret, self.deadline) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Failure::NoAnswer(why))) => Err(why),
            Ok(Err(Failure::Stopped)) => return Ok(Next::Waits),
            Err(why) => return Ok(self.no_secret(&why, drained)),
        };
        fault::point("webhook is answered");
        let now = OffsetDateTime::now_utc();
        let verdict = decide(reply.as_ref().map_err(String::as_str), &tries, now, fastrand::f64(), !due);
        self.follow(item, &letter.head, &tries, verdict, now, drained)
    }

    fn no_secret(&self, why: &str, drained: &mut Drained) -> Next {
        drained.no_secret += 1;
        let to = &self.to.name;
        self.log.error(&format!("ERROR: webhooks wait to={to}: there is no secret to sign them with: {why}"));
        Next::Waits
    }

    fn follow(
        &self,
        item: &Item,
        head: &Head,
        before: &Tries,
        verdict: Verdict,
        now: OffsetDateTime,
        drained: &mut Drained,
    ) -> Result<Next> {
        let (to, id) = (&self.to.name, item.name.id());
        match verdict {
            Verdict::Delivered { ignored } => {
                item.remove()?;
                fault::point("webhook is out of the outbox");
                drained.delivered += 1;
                self.log.line(&format!("OK: webhook delivered to={to} id={id} {}", head.shown()));
                if ignored {
                    let (what, session) = (head.shown(), &head.session);
                    self.log.error(&format!(
                        "WARNING: webhook ignored to={to} id={id} {what} session={session}: {to} has taken it and does nothing with it: does it know that session and room?"
                    ));
                }
                Ok(Next::GoesOn)
            }
            Verdict::Later(tries) => {
                item.note(&tries)?;
                let at = tries.due.format(NEXT_AT).unwrap_or_default();
                self.log.line(&format!(
                    "Later webhook to={to} id={id}: {to} {}; {}, next at {at}",
                    tries.reason,
                    tries.count()
                ));
                Ok(if tries.aside { Next::GoesOn } else { Next::Waits })
            }
            Verdict::Dead(reason) => {
                self.bury(item, Some(head), before, &reason, now)?;
                drained.dead += 1;
                Ok(Next::GoesOn)
            }
            Verdict::Off(reason) => {
                self.outbox.switch_off(self.to, &reason, now)?;
                self.log.error(&format!(
                    "ERROR: webhook off to={to} id={id}: {to} {reason}: nothing is sent there until its URL is another one, or rec-hook retry --all {to}"
                ));
                Ok(Next::Waits)
            }
        }
    }

    fn bury(&self, item: &Item, head: Option<&Head>, before: &Tries, reason: &str, now: OffsetDateTime) -> Result<()> {
        let (to, id) = (&self.to.name, item.name.id());
        // Of a damaged file there was no try.
        let tries = before.tries + u32::from(head.is_some());
        item.bury(&Tries { tries, last: now, due: now, reason: reason.to_owned(), ..before.clone() })?;
        let (who, what) =
            head.map_or((String::new(), String::new()), |head| (format!("{to} "), format!(" {}", head.shown())));
        self.log.error(&format!(
            "ERROR: webhook dead to={to} id={id}{what}: {who}{reason}: mend it, then run rec-hook retry {id}"
        ));
        Ok(())
    }
}
