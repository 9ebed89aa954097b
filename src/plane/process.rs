//! One child process: its output in a log file, its life bounded by the value's.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::error::{Doing, Error};

/// A running program, killed when dropped: what it holds is thrown away with it.
pub(super) struct Process {
    program: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `logs/PROGRAM.log`, in a process group of its own, so
    /// that Ctrl-C reaches only us and the control plane serves until we are done.
    pub(super) fn spawn(
        program: &'static str,
        mut command: Command,
        logs: &Path,
    ) -> Result<Self, Error> {
        let log = logs.join(format!("{program}.log"));
        let opening = || format!("write {}", log.display());
        let file = File::create(&log).doing(opening)?;
        let errors = file.try_clone().doing(opening)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .doing(|| format!("start {program}"))?;
        Ok(Self {
            program,
            child,
            log,
        })
    }

    /// The id that the guard is told.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of the log when the process is no more.
    pub(super) fn alive(&mut self) -> Result<(), Error> {
        let ended = self
            .child
            .try_wait()
            .doing(|| format!("look after {}", self.program))?;
        match ended {
            None => Ok(()),
            Some(_) => Err(Error::Ended {
                program: self.program,
                tail: tail(&fs::read_to_string(&self.log).unwrap_or_default(), 8),
                log: self.log.clone(),
            }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            tracing::warn!(program = self.program, %error, "could not be stopped");
        }
    }
}

/// The last `count` lines, each cut to a screen's width.
pub(super) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(count));
    let cut = last.map(|it| format!("  {}", it.chars().take(300).collect::<String>()));
    cut.collect::<Vec<_>>().join("\n")
}
