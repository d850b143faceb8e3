//! The system calls that a sandbox may make: Docker's default allow-list for a container without
//! capabilities (<https://github.com/moby/profiles/blob/main/seccomp/default.json>). All others
//! fail with EPERM. Only native calls pass: a program for another architecture, including 32-bit,
//! dies of SIGSYS ("Bad system call") at its first call.

use oci_spec::{
    OciSpecError,
    runtime::{
        Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
        LinuxSeccompBuilder, LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
    },
};

const ALLOWED: &str = "accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_adjtime \
clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 \
epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat \
faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock \
fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat get_mempolicy \
get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp \
getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid \
getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents \
io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr \
link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier \
memfd_create memfd_secret mincore mkdir mkdirat mlock mlock2 mlockall mmap modify_ldt mprotect mq_getsetattr mq_notify \
mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap \
name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free \
pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead \
readlink readlinkat readv recv recvfrom recvmmsg recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 \
restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select \
semctl semget semop semtimedop send sendfile sendmmsg sendmsg sendto set_mempolicy set_robust_list set_thread_area set_tid_address \
setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt \
setuid setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 splice stat statfs statmount statx symlink \
symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime \
timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate \
umask uname unlink unlinkat uretprobe utime utimensat utimes vfork vmsplice wait4 waitid write writev";

/// All flags of `clone` that create a namespace.
const NAMESPACE_FLAGS: u64 = 0x7E02_0000;
/// The socket families of a sandbox: AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, which a network
/// namespace confines. AF_VSOCK, for example, would reach the hypervisor from any namespace.
const FAMILIES: [u64; 4] = [AF_UNIX, 2, 10, 16];
const AF_UNIX: u64 = 1;
/// The execution domains that `personality` may switch to (Linux, Linux32, with and without
/// UNAME26, and the query).
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];
const ENOSYS: u32 = 38;
/// The bits of a mode that tell a file's type, and the types of files that may be made: an ordinary
/// one (by either of two values), a named pipe, and a socket; no device.
const S_IFMT: u64 = 0o170_000;
const NODE_TYPES: [u64; 4] = [0, 0o100_000, 0o010_000, 0o140_000];

/// The profile in the runtime's format. gVisor's kernel ignores the error that a filter names; what
/// it makes of clone3 stays inside it.
pub(super) fn profile(is_gvisor: bool) -> Result<LinuxSeccomp, OciSpecError> {
    let mut syscalls = vec![
        allow(ALLOWED.split_whitespace(), Vec::new())?,
        allow(
            ["socketpair"],
            vec![argument(0, AF_UNIX, None, LinuxSeccompOperator::ScmpCmpEq)?],
        )?,
        allow(
            ["clone"],
            vec![argument(
                0,
                NAMESPACE_FLAGS,
                Some(0),
                LinuxSeccompOperator::ScmpCmpMaskedEq,
            )?],
        )?,
        // Its flags are behind a pointer, which a filter can't follow. ENOSYS makes the C library
        // fall back to clone.
        if is_gvisor {
            allow(["clone3"], Vec::new())?
        } else {
            LinuxSyscallBuilder::default()
                .names(["clone3".to_owned()])
                .action(LinuxSeccompAction::ScmpActErrno)
                .errno_ret(ENOSYS)
                .build()?
        },
    ];
    // One rule per value; any match suffices.
    let families = FAMILIES.map(|family| ("socket", family));
    for (call, value) in families
        .into_iter()
        .chain(PERSONALITIES.map(|domain| ("personality", domain)))
    {
        syscalls.push(allow(
            [call],
            vec![argument(0, value, None, LinuxSeccompOperator::ScmpCmpEq)?],
        )?);
    }
    for kind in NODE_TYPES {
        for (call, index) in [("mknod", 1), ("mknodat", 2)] {
            let argument = argument(
                index,
                S_IFMT,
                Some(kind),
                LinuxSeccompOperator::ScmpCmpMaskedEq,
            )?;
            syscalls.push(allow([call], vec![argument])?);
        }
    }
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(1u32)
        .architectures([native()])
        .syscalls(syscalls)
        .build()
}

fn allow<'a>(
    names: impl IntoIterator<Item = &'a str>,
    args: Vec<LinuxSeccompArg>,
) -> Result<LinuxSyscall, OciSpecError> {
    let call = LinuxSyscallBuilder::default()
        .names(names.into_iter().map(str::to_owned).collect::<Vec<_>>())
        .action(LinuxSeccompAction::ScmpActAllow);
    if args.is_empty() {
        call.build()
    } else {
        call.args(args).build()
    }
}

fn argument(
    index: usize,
    value: u64,
    second: Option<u64>,
    op: LinuxSeccompOperator,
) -> Result<LinuxSeccompArg, OciSpecError> {
    let argument = LinuxSeccompArgBuilder::default()
        .index(index)
        .value(value)
        .op(op);
    match second {
        Some(second) => argument.value_two(second).build(),
        None => argument.build(),
    }
}

/// This machine's architecture.
fn native() -> Arch {
    if cfg!(target_arch = "aarch64") {
        Arch::ScmpArchAarch64
    } else {
        Arch::ScmpArchX86_64
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_beyond_a_sandbox_is_not_on_the_list() {
        let profile = profile(false).unwrap();
        assert_eq!(profile.default_action(), LinuxSeccompAction::ScmpActErrno);
        let calls = profile.syscalls().as_ref().unwrap();
        for name in [
            "mount",
            "umount2",
            "unshare",
            "setns",
            "pivot_root",
            "ptrace",
            "bpf",
            "init_module",
            "finit_module",
            "kexec_load",
            "keyctl",
            "add_key",
            "perf_event_open",
            "io_uring_setup",
            "userfaultfd",
            "open_by_handle_at",
            "reboot",
            "process_vm_readv",
            "syslog",
            // It multiplexes several calls, which a filter can't distinguish.
            "socketcall",
            "ipc",
        ] {
            assert!(
                calls
                    .iter()
                    .all(|call| !call.names().iter().any(|allowed| allowed == name)),
                "{name}"
            );
        }
        let clone = calls
            .iter()
            .find(|call| call.names() == &["clone"])
            .unwrap();
        assert_eq!(clone.args().as_ref().unwrap()[0].value(), NAMESPACE_FLAGS);
    }

    #[test]
    fn sockets_are_of_families_that_a_network_namespace_confines() {
        let profile = profile(false).unwrap();
        let values = |name: &str| -> Vec<u64> {
            let calls = profile
                .syscalls()
                .as_ref()
                .unwrap()
                .iter()
                .filter(|call| call.names() == &[name]);
            let arguments = calls.map(|call| call.args().as_ref().unwrap());
            arguments
                .map(|arguments| {
                    assert_eq!(
                        (arguments.len(), arguments[0].op()),
                        (1, LinuxSeccompOperator::ScmpCmpEq)
                    );
                    arguments[0].value()
                })
                .collect()
        };
        assert_eq!(values("socket"), FAMILIES);
        assert_eq!(values("socketpair"), [AF_UNIX]);
        assert_eq!(profile.architectures().as_ref().unwrap().len(), 1);
    }
}
