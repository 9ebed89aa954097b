//! What cleans up when we cannot: a shell that waits for our end of a pipe to close. The kernel
//! closes it however we die (`kill -9`, a panic that aborts, a static that is never dropped), and
//! then the guard kills the processes and removes their folder.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::error::{Doing, Error};

/// Reads process ids until told `done`, or until the pipe closes.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
processes=
while read -r line; do
    [ "$line" = done ] && exit 0
    processes="$processes $line"
done
[ -n "$processes" ] && kill -9 $processes
rm -rf -- "$1"
"#;

/// The guard of one control plane.
pub(super) struct Guard {
    shell: Child,
    /// Open until the guard is sent home.
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard of `folder`, which it removes if we die.
    pub(super) fn of(folder: &Path) -> Result<Self, Error> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .doing(|| "start the guard of the control plane's processes".to_owned())?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Puts one more process under guard.
    pub(super) fn watch(&mut self, process: u32) -> Result<(), Error> {
        self.tell(&process.to_string())
            .doing(|| "put a process under guard".to_owned())
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        self.pipe
            .as_mut()
            .map_or(Ok(()), |pipe| writeln!(pipe, "{line}"))
    }
}

impl Drop for Guard {
    /// Sends the guard home: whoever drops it has stopped the processes.
    fn drop(&mut self) {
        let gone = self.tell("done").and_then(|()| self.shell.wait());
        if let Err(error) = gone {
            tracing::warn!(%error, "the control plane's guard was gone");
        }
    }
}

#[cfg(test)]
mod tests;
