// Tries the system calls that would reach beyond a sandbox, and prints the name of each that is let through.
// What the filter answers by ending the process is tried in a process of its own: ended is refused.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int tried;

static void attempt(const char *name, long result) {
  tried++;
  if (result >= 0) printf("%s was let through\n", name);
}

#define attempt_apart(name, call) \
  do { \
    pid_t child = fork(); \
    int status = 1; \
    if (child == 0) _exit((call) >= 0 ? 0 : 1); \
    waitpid(child, &status, 0); \
    attempt(name, status == 0 ? 0 : -1); \
  } while (0)

#ifdef __x86_64__
// A call of the 32-bit kernel, which 64-bit programs can make too; addresses must be below 4 GiB.
static long call32(long number, long a, long b, long c, long d, long e) {
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
               : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

static void calls_by_interrupt(void) {
  char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  unsigned *words = (unsigned *)low;
  strcpy(low + 512, "/tmp");
  strcpy(low + 640, "tmpfs");
  // gVisor takes them for calls of the 64-bit kernel, all of which are tried as such.
  pid_t child = fork();
  int status = 1;
  if (child == 0) _exit(call32(SYS_getpid, 0, 0, 0, 0, 0) == getpid() ? 0 : 1);
  waitpid(child, &status, 0);
  if (status == 0) return;
  attempt_apart("32-bit getpid", call32(20, 0, 0, 0, 0, 0));
  words[0] = 40, words[1] = SOCK_STREAM, words[2] = 0;
  attempt_apart("32-bit socketcall(AF_VSOCK)", call32(102, 1, (long)words, 0, 0, 0));
  words[0] = 38, words[1] = SOCK_SEQPACKET, words[2] = 0;
  attempt_apart("32-bit socketcall(AF_ALG)", call32(102, 1, (long)words, 0, 0, 0));
  attempt_apart("32-bit socket(AF_VSOCK)", call32(359, 40, SOCK_STREAM, 0, 0, 0));
  attempt_apart("32-bit mount", call32(21, (long)(low + 640), (long)(low + 512), (long)(low + 640), 0, 0));
  attempt_apart("32-bit ptrace", call32(26, PTRACE_TRACEME, 0, 0, 0, 0));
  attempt_apart("32-bit unshare(CLONE_NEWUSER)", call32(310, CLONE_NEWUSER, 0, 0, 0, 0));
  attempt_apart("32-bit clone(CLONE_NEWUSER)", call32(120, CLONE_NEWUSER | 17, 0, 0, 0, 0));
  attempt_apart("32-bit keyctl", call32(288, 0, -3, 1, 0, 0));
  attempt_apart("32-bit ipc", call32(117, 23, 0, 4096, 0x3ff, 0));
  attempt_apart("32-bit io_uring_setup", call32(425, 8, (long)(low + 768), 0, 0, 0));
  attempt_apart("32-bit bpf", call32(357, 0, (long)(low + 768), 64, 0, 0));
}

static void foreign_calls(void) {
  calls_by_interrupt();
  // The ABI of 32-bit pointers on 64-bit calls.
  attempt_apart("x32 getpid", syscall(0x40000000 | SYS_getpid));
  attempt_apart("x32 socket(AF_VSOCK)", syscall(0x40000000 | SYS_socket, 40, SOCK_STREAM, 0));
  attempt_apart("x32 ptrace", syscall(0x40000000 | 521, PTRACE_TRACEME, 0, 0, 0));
}
#else
static void foreign_calls(void) {}
#endif

// Every family but those of the sandbox's own network and machine (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK), of every type.
static void sockets(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
  char name[64];
  int pair[2];
  for (long family = 3; family < 64; family++) {
    if (family == 10 || family == 16) continue;
    for (int type = 0; type < 4; type++) {
      snprintf(name, sizeof name, "socket(%ld, %d)", family, types[type]);
      attempt(name, socket(family, types[type], 0));
      // The kernel reads the lower half alone.
      attempt(name, syscall(SYS_socket, family | 0x100000000, types[type], 0));
    }
    snprintf(name, sizeof name, "socketpair(%ld)", family);
    attempt(name, socketpair(family, SOCK_SEQPACKET, 0, pair));
  }
}

int main(void) {
  char buffer[256] = {0};
  struct iovec piece = {buffer, sizeof buffer};
  struct timeval long_ago = {1, 0};
  attempt("socket(AF_INET, SOCK_RAW)", socket(AF_INET, SOCK_RAW, 1));
  attempt("socket(AF_INET6, SOCK_RAW)", socket(AF_INET6, SOCK_RAW, 58));
  attempt("socket(AF_PACKET)", socket(AF_PACKET, SOCK_RAW, 0x0300));
  attempt("ptrace(TRACEME)", ptrace(PTRACE_TRACEME, 0, 0, 0));
  attempt("ptrace(ATTACH)", ptrace(PTRACE_ATTACH, getppid(), 0, 0));
  attempt("process_vm_readv", syscall(SYS_process_vm_readv, 1, &piece, 1, &piece, 1, 0));
  attempt("mount", mount("none", "/tmp", "tmpfs", 0, ""));
  attempt("umount2", umount2("/tmp", MNT_DETACH));
  attempt("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  attempt("move_mount", syscall(SYS_move_mount, -100, "/tmp", -100, "/home", 0));
  attempt("pivot_root", syscall(SYS_pivot_root, ".", "."));
  attempt("chroot", chroot("/tmp"));
  attempt("unshare(CLONE_NEWUSER)", unshare(CLONE_NEWUSER));
  attempt("unshare(CLONE_NEWNET)", unshare(CLONE_NEWNET));
  attempt("clone(CLONE_NEWUSER)", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
  attempt("clone3(CLONE_NEWUSER)", syscall(SYS_clone3, (unsigned long[8]){CLONE_NEWUSER, 0, 0, 0, 17}, 64));
  attempt("setns", setns(0, 0));
  attempt("init_module", syscall(SYS_init_module, buffer, sizeof buffer, ""));
  attempt("finit_module", syscall(SYS_finit_module, 0, "", 0));
  attempt("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
  attempt("bpf", syscall(SYS_bpf, 0, buffer, sizeof buffer));
  attempt("perf_event_open", syscall(SYS_perf_event_open, buffer, 0, -1, -1, 0));
  attempt("keyctl", syscall(SYS_keyctl, 0, -3, 1, 0, 0));
  attempt("io_uring_setup", syscall(SYS_io_uring_setup, 8, buffer));
  attempt("userfaultfd", syscall(SYS_userfaultfd, 0));
  attempt("open_by_handle_at", syscall(SYS_open_by_handle_at, -100, buffer, 0));
  attempt("reboot", syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0));
  attempt("settimeofday", settimeofday(&long_ago, 0));
  attempt("setuid(0)", setuid(0));
  sockets();
  foreign_calls();
  printf("%s\n", tried > 400 ? "all were tried" : "some were not tried");
  return 0;
}
