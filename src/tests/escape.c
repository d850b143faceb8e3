// Tries the system calls that would reach beyond a sandbox, and prints the name of each that is let through.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static int tried;

static void attempt(const char *name, long result) {
  tried++;
  if (result >= 0) printf("%s was let through\n", name);
}

int main(void) {
  char buffer[256] = {0};
  struct iovec piece = {buffer, sizeof buffer};
  struct timeval long_ago = {1, 0};
  attempt("socket(AF_INET, SOCK_RAW)", socket(AF_INET, SOCK_RAW, 1));
  attempt("socket(AF_INET6, SOCK_RAW)", socket(AF_INET6, SOCK_RAW, 58));
  attempt("socket(AF_PACKET)", socket(AF_PACKET, SOCK_RAW, 0x0300));
  attempt("socket(AF_VSOCK)", socket(40, SOCK_STREAM, 0));
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
  printf("tried %d\n", tried);
  return 0;
}
