//! A sandbox's disk: a writable layer over its template, limited by `SANDBOX_DISK_MB`.
//!
//! The limit needs no special file system and no quota tools: the layer lives in a sparse image
//! file with an ext4 of that size, mounted through a loop device that ends with the container.
//! Space freed inside returns to the machine. Only root can mount an image: an ordinary user's
//! layer is a folder, without a limit.

mod copies;

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
pub(super) use copies::flush;
use linux_raw_sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LOOP_CONFIGURE, LOOP_CTL_GET_FREE, loop_config,
};
use nix::{errno::Errno, sys::statvfs::statvfs};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use tokio::process::Command;

use super::privilege::Privilege;

const IMAGE: &str = "disk.img";
const FOLDER: &str = "layer";
/// The layer's folder for package managers' downloads.
pub(super) const CACHE_FOLDER: &str = "cache";
/// No sandbox is created if the machine has less free space than this, in bytes: an image that
/// can't get its blocks would lose writes.
const MIN_FREE: u64 = 256 << 20;
/// How many times a loop device is requested, and the pause in between.
const MAX_ATTEMPTS: u32 = 100;
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// How many files of a folder are counted, and how deep.
const MAX_COUNTED: usize = 500_000;
const MAX_DEPTH: usize = 64;

mod ioctl {
    nix::ioctl_none_bad!(free_loop, super::LOOP_CTL_GET_FREE);
    nix::ioctl_write_ptr_bad!(configure_loop, super::LOOP_CONFIGURE, super::loop_config);
}

/// The source of new sandboxes' disks.
#[derive(Debug, Clone)]
pub(super) struct Disks {
    /// A formatted, empty image; or why there is none.
    blank: Result<PathBuf, String>,
    privilege: Privilege,
}

/// The location of a sandbox's layer.
#[derive(Debug, Clone)]
pub(super) enum Layer {
    /// The folders `upper` and `work` in an image.
    Image(PathBuf),
    /// The same in a folder.
    Folder(PathBuf),
}

/// An image as a block device, until this is dropped and all its mounts are gone.
pub(super) struct LoopDevice {
    pub path: PathBuf,
    _open: File,
}

impl Disks {
    /// Formats the empty image, once per size.
    pub(super) async fn prepare(folder: &Path, megabytes: u64, privilege: &Privilege) -> Self {
        let blank = if privilege.is_rootless() {
            Err("disk (only root can mount a sandbox's image)".to_owned())
        } else {
            let made = format(folder, megabytes, privilege).await;
            made.map_err(|error| format!("disk (no image can be made: {error:#})"))
        };
        Self {
            blank,
            privilege: privilege.clone(),
        }
    }

    /// The same without images, which can't be mounted for this reason.
    pub(super) fn without_images(self, fault: &str) -> Self {
        Self {
            blank: self
                .blank
                .and_then(|_| Err(format!("disk (no image can be mounted: {fault})"))),
            privilege: self.privilege,
        }
    }

    /// Why disks are not limited; `None` if they are.
    pub(super) fn fault(&self) -> Option<&str> {
        self.blank.as_ref().err().map(String::as_str)
    }

    /// Creates a sandbox's layer in its folder.
    pub(super) async fn create(&self, folder: &Path) -> anyhow::Result<()> {
        check_free(folder, 0)?;
        let Ok(blank) = &self.blank else {
            let layer = folder.join(FOLDER);
            for name in ["", "upper", "work", CACHE_FOLDER] {
                fs::create_dir(layer.join(name))?;
            }
            for own in ["upper", CACHE_FOLDER] {
                self.privilege.give(&layer.join(own))?;
            }
            return Ok(());
        };
        // The image is mostly holes, and its copy must be as well.
        let mut copy = Command::new("cp");
        copy.args(["--sparse=always", "--reflink=auto"])
            .arg(blank)
            .arg(folder.join(IMAGE));
        done(&mut copy).await
    }
}

impl Layer {
    /// The layer of the sandbox in this folder.
    pub(super) fn of(folder: &Path) -> Self {
        let image = folder.join(IMAGE);
        if image.exists() {
            Self::Image(image)
        } else {
            Self::Folder(folder.join(FOLDER))
        }
    }

    /// Its disk usage, in bytes.
    pub(super) fn used(&self) -> u64 {
        match self {
            Self::Image(path) => fs::metadata(path).map_or(0, |image| image.blocks() * 512),
            Self::Folder(path) => {
                size_of_files(&path.join("upper")) + size_of_files(&path.join(CACHE_FOLDER))
            }
        }
    }

    /// Its maximum size in bytes; 0 if unknown.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Image(path) => fs::metadata(path).map_or(0, |image| image.len()),
            Self::Folder(path) => {
                statvfs(path).map_or(0, |disk| disk.blocks() * disk.fragment_size())
            }
        }
    }
}

/// Removes a folder that contains a layer.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    if let Layer::Folder(path) = Layer::of(folder) {
        // Overlays close their working folder to everyone, but root may still enter it.
        let _ = fs::set_permissions(path.join("work/work"), fs::Permissions::from_mode(0o700));
    }
    fs::remove_dir_all(folder)
}

impl LoopDevice {
    /// Attaches an image to a free loop device. Waits while mounts of an ended container still hold
    /// the image: two devices writing to it would destroy it.
    pub(super) async fn attach(image: &Path) -> anyhow::Result<Self> {
        let image = image.canonicalize()?;
        for _ in 0..MAX_ATTEMPTS {
            if !is_attached(&image)
                && let Some(device) = try_attach(&image).with_context(|| {
                    format!("{} can't be connected to a loop device", image.display())
                })?
            {
                return Ok(device);
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        anyhow::bail!("{} is still in use", image.display())
    }
}

fn is_attached(image: &Path) -> bool {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    devices
        .filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok())
        .any(|backing| Path::new(backing.trim_end_matches('\n')) == image)
}

/// `None` if another process was faster.
fn try_attach(image: &Path) -> io::Result<Option<LoopDevice>> {
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    let (control, image) = (open(Path::new("/dev/loop-control"))?, open(image)?);
    #[expect(unsafe_code, reason = "loop devices are asked for by ioctl")]
    // SAFETY: the call takes no argument beyond the open device.
    let number = unsafe { ioctl::free_loop(control.as_raw_fd()) }?;
    let path = PathBuf::from(format!("/dev/loop{number}"));
    let device = open(&path)?;
    #[expect(unsafe_code, reason = "all zeros are the kernel's defaults")]
    // SAFETY: the structure is plain numbers.
    let mut config: loop_config = unsafe { std::mem::zeroed() };
    config.fd = u32::try_from(image.as_raw_fd()).map_err(io::Error::other)?;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR as u32;
    #[expect(unsafe_code, reason = "loop devices are set up by ioctl")]
    // SAFETY: both files are open, and the structure outlives the call.
    match unsafe { ioctl::configure_loop(device.as_raw_fd(), &raw const config) } {
        Ok(_) => Ok(Some(LoopDevice {
            path,
            _open: device,
        })),
        Err(Errno::EBUSY) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn format(folder: &Path, megabytes: u64, privilege: &Privilege) -> anyhow::Result<PathBuf> {
    let blank = folder.join(format!("blank-{megabytes}.img"));
    if blank.exists() {
        return Ok(blank);
    }
    let (part, content) = (folder.join("blank.part"), folder.join("blank.content"));
    for name in ["", "upper", "work", CACHE_FOLDER] {
        fs::create_dir_all(content.join(name))?;
    }
    for own in ["upper", CACHE_FOLDER] {
        privilege.give(&content.join(own))?;
    }
    File::create(&part)?.set_len(megabytes << 20)?;
    // A small journal, so that stored data survives a sudden power-off. No blocks are reserved for
    // root, who is not inside.
    let mut mkfs = Command::new("mkfs.ext4");
    mkfs.args([
        "-q",
        "-F",
        "-m",
        "0",
        "-J",
        "size=4",
        "-O",
        "^resize_inode",
        "-i",
        "16384",
    ])
    .args([
        "-E",
        "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
        "-d",
    ])
    .arg(&content)
    .arg(&part)
    .env(
        "PATH",
        "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
    );
    done(&mut mkfs).await?;
    fs::remove_dir_all(&content)?;
    tokio::fs::File::open(&part).await?.sync_all().await?;
    fs::rename(part, &blank)?;
    Ok(blank)
}

/// Runs a command and waits for it; an exit code other than 0 is an error.
async fn done(command: &mut Command) -> anyhow::Result<()> {
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("{name} can't be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{name} ended with {}: {}",
        output.status,
        said.trim()
    );
    Ok(())
}

/// Fails if the machine's disk has no room for this many more bytes.
fn check_free(folder: &Path, needed: u64) -> io::Result<()> {
    let minimum = MIN_FREE.saturating_add(needed);
    if free_space(folder)? >= minimum {
        return Ok(());
    }
    let minimum = minimum >> 20;
    Err(io::Error::new(
        io::ErrorKind::StorageFull,
        format!(
            "less than {minimum} MiB are free on this machine's disk: make room, or kill sandboxes and remove snapshots that nobody needs"
        ),
    ))
}

/// The free space on the machine's disk, in bytes.
fn free_space(folder: &Path) -> io::Result<u64> {
    let disk = statvfs(folder)?;
    Ok(disk.blocks_available() * disk.fragment_size())
}

/// The disk usage of the folder's files, in bytes. Follows no links and looks at a limited number
/// of files, because the sandbox controls the folder and may change it meanwhile.
pub(super) fn size_of_files(folder: &Path) -> u64 {
    let mut left = MAX_COUNTED;
    open_folder(rustix::fs::CWD, folder)
        .map_or(0, |folder| size_below(&folder, MAX_DEPTH, &mut left))
}

fn open_folder(above: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(above, name, flags, Mode::empty())
}

fn size_below(folder: &OwnedFd, depth: usize, left: &mut usize) -> u64 {
    let Ok(entries) = Dir::read_from(folder) else {
        return 0;
    };
    let mut size = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        *left = left.saturating_sub(1);
        if *left == 0 {
            break;
        }
        if let Ok(found) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            size += u64::try_from(found.st_blocks).unwrap_or(0) * 512;
        }
        if depth > 0
            && entry.file_type() == FileType::Directory
            && let Ok(inner) = open_folder(folder, name)
        {
            size += size_below(&inner, depth - 1, left);
        }
    }
    size
}
