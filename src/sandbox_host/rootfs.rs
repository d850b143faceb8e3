//! A sandbox's root: an almost empty folder with mount points for the machine's programs and the
//! sandbox's home, and the few files of `/etc` that programs need. It is read-only inside, and the
//! same for all sandboxes.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{
    bundle::{CACHE, EGRESS_SOCKET, ENVD, ENVD_SOCKET, HOME, NODE},
    node::Node,
};

/// Paths mounted from the machine if they exist: programs, libraries and certificates.
const SHARED: [&str; 11] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/alternatives",
    "/etc/ld.so.cache",
];

const FILES: [(&str, &str); 7] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:/home/user:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (
        "etc/group",
        "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n",
    ),
    ("etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    ("etc/hostname", "sandbox\n"),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files\n",
    ),
    (
        "etc/os-release",
        "NAME=CodeFlow\nID=codeflow\nPRETTY_NAME=\"CodeFlow sandbox\"\n",
    ),
    // The egress proxy resolves names.
    ("etc/resolv.conf", ""),
];

/// What the machine provides to its sandboxes.
#[derive(Debug, Clone)]
pub(super) struct Rootfs {
    pub folder: PathBuf,
    /// The paths that the bundle mounts from the machine.
    pub shared: Vec<PathBuf>,
    /// The machine's Node.js, if it is outside `/usr`.
    pub node: Option<Node>,
}

impl Rootfs {
    /// Creates the folder, or completes an existing one.
    pub(super) fn prepare(folder: PathBuf) -> io::Result<Self> {
        for name in [
            "proc",
            "dev",
            "tmp",
            "etc",
            "run",
            "root",
            &HOME[1..],
            &CACHE[1..],
            &NODE[1..],
        ] {
            fs::create_dir_all(folder.join(name))?;
        }
        // Runtimes give their mounts the mode of the folder beneath.
        fs::set_permissions(folder.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        for (name, content) in FILES {
            fs::write(folder.join(name), content)?;
        }
        for mounted in [ENVD, EGRESS_SOCKET] {
            touch(&folder.join(&mounted[1..]))?;
        }
        let mut shared = Vec::new();
        for path in SHARED.map(Path::new) {
            let Ok(kind) = path.symlink_metadata() else {
                continue;
            };
            let inside = folder.join(path.strip_prefix("/").unwrap_or(path));
            if kind.is_symlink() {
                // With a merged /usr, /bin is a link to usr/bin, and it is inside as well.
                let target = fs::read_link(path)?;
                if fs::read_link(&inside).ok().as_ref() != Some(&target) {
                    let _ = fs::remove_file(&inside);
                    symlink(target, inside)?;
                }
                continue;
            }
            if kind.is_dir() {
                fs::create_dir_all(inside)?;
            } else {
                touch(&inside)?;
            }
            shared.push(path.to_owned());
        }
        let node = Node::outside_usr();
        if let Some(node) = &node {
            node.prepare(&folder)?;
        }
        Ok(Self {
            folder,
            shared,
            node,
        })
    }

    /// Adds the mount point of the socket that envd dials.
    pub(super) fn prepare_for_dialling(&self) -> io::Result<()> {
        touch(&self.folder.join(&ENVD_SOCKET[1..]))
    }

    /// The PATH inside.
    pub(super) fn path(&self) -> String {
        let usual = "/usr/local/bin:/usr/bin:/bin";
        let node = if self.node.is_some() {
            format!("{NODE}/bin:")
        } else {
            String::new()
        };
        format!("{HOME}/node_modules/.bin:{node}{usual}")
    }

    /// The certificate bundle for Node.js, if the machine has one.
    pub(super) fn certificates() -> Option<&'static str> {
        [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
        ]
        .into_iter()
        .find(|path| Path::new(path).exists())
    }
}

fn touch(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(drop)
}
