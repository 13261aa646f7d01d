//! Whom the tools run as, and what each of them can do.

use std::path::Path;
use std::process::Command;

use crate::cli::Cli;
use crate::exec;
use crate::probe::{ARGUMENT, Answer, Ask};
use crate::report::{Finding, word};

/// What the package's files for systemd-sysusers and systemd-tmpfiles are called.
pub(crate) const PRESCRIBED: &str = "jitsi-recording-pipeline.conf";
const SYSUSERS: &str = "/usr/lib/sysusers.d";

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Records, and finalizes.
    Jibri,
    /// Makes HLS.
    Worker,
    /// Serves it.
    Server,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Jibri, Self::Worker, Self::Server];
}

/// A user of this machine, or of a container.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    /// The primary group's name.
    pub(crate) group: String,
    ids: Option<Ids>,
}

/// Whom to become.
#[derive(Clone, Debug)]
struct Ids {
    uid: String,
    gid: String,
    /// It is of this machine, which knows its groups.
    known: bool,
}

/// The users of this installation, as far as we can speak for them.
pub(crate) struct Users {
    root: bool,
    me: User,
    /// By role; the error says why there is none.
    others: [Result<User, String>; 3],
    names: [String; 3],
}

impl Users {
    pub(crate) fn of(cli: &Cli) -> Self {
        let id = |option: &str| exec::printed(Command::new("id").arg(option)).unwrap_or_default();
        let me = User {
            name: exec::printed(Command::new("id").arg("-un")).unwrap_or_else(|_| id("-u")),
            group: id("-gn"),
            ids: None,
        };
        let names = [&cli.jibri_user, &cli.worker_user, &cli.caddy_user].map(String::clone);
        let others = names.clone().map(|name| if name == me.name { Ok(me.clone()) } else { User::find(&name) });
        Self { root: id("-u") == "0", me, others, names }
    }

    /// Whether we can be somebody else.
    pub(crate) fn is_root(&self) -> bool {
        self.root
    }

    /// Who runs this.
    pub(crate) fn me(&self) -> &User {
        &self.me
    }

    /// Who does something, if we can speak for them: for nobody else than ourselves, unless we are root. One who is neither
    /// Jibri's user nor the worker's may be both on a machine where all is done by one.
    pub(crate) fn in_role(&self, role: Role) -> Option<&User> {
        if self.root {
            return self.named(role).as_ref().ok();
        }
        let mine = Role::ALL.into_iter().find(|role| self.names[*role as usize] == self.me.name);
        match mine {
            Some(mine) => (mine == role).then_some(&self.me),
            None => (role != Role::Server).then_some(&self.me),
        }
    }

    /// The user of this machine that is configured for a role, whether we can be it or not.
    pub(crate) fn named(&self, role: Role) -> &Result<User, String> {
        &self.others[role as usize]
    }

    /// The name that is configured for a role.
    pub(crate) fn name(&self, role: Role) -> &str {
        &self.names[role as usize]
    }

    /// The group in which Jibri's user and the worker meet.
    pub(crate) fn group(&self) -> String {
        self.named(Role::Worker).as_ref().map_or_else(|_| self.name(Role::Worker).to_owned(), |user| user.group.clone())
    }

    /// Who the users are, and which of them are judged.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        if !self.root {
            return vec![
                Finding::skipped(
                    "directories.users",
                    &self.me.name,
                    "only what this user can do is looked at, not what the others can",
                )
                .advise("as root it is looked at for each of them: sudo rec-check"),
            ];
        }
        Role::ALL.into_iter().map(|role| self.finding(role)).collect()
    }

    fn finding(&self, role: Role) -> Finding {
        let name = self.name(role);
        let does = match role {
            Role::Jibri => "records",
            Role::Worker => "makes HLS",
            Role::Server => "serves",
        };
        match (self.named(role), role) {
            (Ok(user), _) => Finding::ok("directories.users", name, format!("{does}; its group is {}", user.group)),
            (Err(why), Role::Worker)
                if name == "jitsi-recordings"
                    && [SYSUSERS, "/etc/sysusers.d"].iter().any(|dir| Path::new(dir).join(PRESCRIBED).exists()) =>
            {
                Finding::failed("directories.users", name, why).run(format!("systemd-sysusers {PRESCRIBED}"))
            }
            (Err(why), Role::Worker) => Finding::failed("directories.users", name, why)
                .run(format!("adduser --system --group --home /nonexistent --no-create-home {}", word(name))),
            (Err(why), Role::Jibri) => Finding::skipped("directories.users", name, why)
                .advise("if Jibri runs in a container, give its user's number, as --jibri-user 1000"),
            (Err(why), Role::Server) => Finding::skipped("directories.users", name, why)
                .advise("if another web server serves the recordings, give its user, as --caddy-user www-data"),
        }
    }
}

impl User {
    fn find(name: &str) -> Result<Self, String> {
        let (uid, gid) = name.split_once(':').unwrap_or((name, name));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number(uid) && is_number(gid) {
            let ids = Ids { uid: uid.to_owned(), gid: gid.to_owned(), known: false };
            return Ok(Self { name: name.to_owned(), group: gid.to_owned(), ids: Some(ids) });
        }
        let entry = exec::printed(Command::new("getent").args(["passwd", "--", name]));
        let entry = entry.map_err(|_| "there is no such user on this machine".to_owned())?;
        let fields: Vec<&str> = entry.split(':').collect();
        let [_, _, uid, gid, ..] = fields[..] else { return Err(format!("passwd has a strange line: {entry}")) };
        let group = exec::printed(Command::new("id").args(["-gn", "--", name])).unwrap_or_else(|_| gid.to_owned());
        let ids = Ids { uid: uid.to_owned(), gid: gid.to_owned(), known: true };
        Ok(Self { name: name.to_owned(), group, ids: Some(ids) })
    }

    /// Whether it is not the one who runs this.
    pub(crate) fn is_another(&self) -> bool {
        self.ids.is_some()
    }

    /// A command that this user runs.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let Some(ids) = &self.ids else { return Command::new(program) };
        // In a session of its own: a program of that user could else type into root's terminal (TIOCSTI).
        let mut command = Command::new("setsid");
        command.args(["--wait", "setpriv"]).args([format!("--reuid={}", ids.uid), format!("--regid={}", ids.gid)]);
        command.arg(if ids.known { "--init-groups" } else { "--clear-groups" }).arg("--").arg(program);
        command
    }

    /// This program, as the one that is asked.
    pub(crate) fn asked(&self) -> Result<Command, String> {
        let exe = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
        let mut command = self.command(exe);
        command.arg(ARGUMENT).current_dir("/");
        Ok(command)
    }

    /// What this user can do. The error says why that cannot be found out.
    pub(crate) fn ask(&self, asks: &[Ask]) -> Result<Vec<Answer>, String> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let mut lines = Vec::new();
        for ask in asks {
            serde_json::to_writer(&mut lines, ask).map_err(|error| error.to_string())?;
            lines.push(b'\n');
        }
        let output = exec::run(&mut self.asked()?, &lines)?;
        let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Answer>();
        let answers: Vec<Answer> = answers.map_while(Result::ok).collect();
        if answers.len() == asks.len() {
            return Ok(answers);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("nothing can be tried as {}: {}", self.name, said.lines().last().unwrap_or("no answer")))
    }
}

impl User {
    /// The groups that it is in, by name.
    pub(crate) fn groups(&self) -> Vec<String> {
        let known = self.ids.as_ref().is_none_or(|ids| ids.known);
        let named = exec::printed(Command::new("id").args(["-Gn", "--", &self.name])).unwrap_or_default();
        if known { named.split(' ').map(str::to_owned).collect() } else { vec![self.group.clone()] }
    }

    /// The beginning of a command line that puts it into a group; nothing where it is in it, or no user of this machine.
    pub(crate) fn joining(&self, group: &str) -> String {
        let stranger = self.ids.as_ref().is_some_and(|ids| !ids.known);
        if stranger || self.groups().iter().any(|known| known == group) {
            String::new()
        } else {
            format!("usermod -aG {} {} && ", word(group), word(&self.name))
        }
    }
}
