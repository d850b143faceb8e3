//! A pseudo-terminal, which makes a shell interactive.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{ioctl_tiocsctty, setsid},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{
    net::unix::pipe::{Receiver, Sender},
    process::Command,
};

use super::messages::Size;

/// The terminal's master side, where a person would sit.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
    screen: Receiver,
    keyboard: Sender,
}

impl Terminal {
    /// Opens a terminal and makes it the command's controlling terminal and its three streams.
    pub(super) fn open(size: Size, command: &mut Command) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave: OwnedFd = ioctl_tiocgptpeer(&master, flags)?;
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        command
            .stdin(Stdio::from(slave.try_clone()?))
            .stdout(Stdio::from(slave.try_clone()?))
            .stderr(Stdio::from(slave));
        #[expect(unsafe_code, reason = "the session must begin in the new process")]
        // SAFETY: between fork and exec only two system calls are made.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                ioctl_tiocsctty(io::stdin().as_fd())?;
                Ok(())
            });
        }
        let terminal = Self {
            // The event loop can treat it like a pipe.
            screen: Receiver::from_owned_fd_unchecked(master.try_clone()?)?,
            keyboard: Sender::from_owned_fd_unchecked(master.try_clone()?)?,
            master,
        };
        terminal.resize(size)?;
        Ok(terminal)
    }

    pub(super) fn resize(&self, size: Size) -> io::Result<()> {
        let size = Winsize {
            ws_col: size.cols,
            ws_row: size.rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(&self.master, size)?)
    }

    /// Reads terminal output; 0 bytes once the last program on it has ended.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.screen.readable().await?;
            match self.screen.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The last program on it has ended.
                Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => return Ok(0),
                read => return read,
            }
        }
    }

    pub(super) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.keyboard.writable().await?;
            match self.keyboard.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }
}
