//! The port that a process listens on, from the kernel and the process itself, without parsing its
//! log.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The timeout of a port's answer: one that belongs to something else may stay silent.
const ANSWER: Duration = Duration::from_secs(2);

/// The port on which the process answers a request for this path with a success, once it does. It
/// may listen on others too.
pub fn ready_port(pid: u32, path: &str) -> Option<u16> {
    listening_ports(pid)
        .into_iter()
        .find(|port| succeeds(*port, path))
}

fn succeeds(port: u16, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut status_line = [0; "HTTP/1.1 2".len()];
        stream.read_exact(&mut status_line)?;
        Ok(&status_line == b"HTTP/1.1 2")
    };
    ask().unwrap_or(false)
}

/// The TCP ports on which the process listens (proc_pid_net(5)).
fn listening_ports(pid: u32) -> Vec<u16> {
    const LISTEN: &str = "0A";
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let is_its = *state == LISTEN && sockets.iter().any(|socket| socket == inode);
            let (_, port) = address.split_once(':').filter(|_| is_its)?;
            u16::from_str_radix(port, 16).ok()
        })
        .collect()
}
