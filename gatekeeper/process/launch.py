"""A program that puts another one where it can do no harm, on Linux: `python -I -S launch.py PARENT [OPTION]... -- COMMAND...`.

The program gets namespaces of its own (user, processes, mounts, System V IPC, and the network unless it is asked for): it sees no
process but those it started and may write nowhere but into the folders named. Nothing of it outlives it, because its namespace of
processes ends with the first process there. What it may not do cannot be won back: no capability is left, and mounts that another
user namespace made cannot be taken apart (user_namespaces(7), mount_namespaces(7)).

Three processes: this one stays outside and ends as the program ends, the second is the first of the new namespace and takes note
of orphans, the third becomes the program. Little is imported, and none of this package: a round starts several of these.
"""

import ctypes
import os
import resource
import stat
import struct
import sys

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP = 2, 2, 0x8914, 1
SIGKILL, SIGSTOP, SIG_DFL = 9, 19, 0  # as numbers: the module `signal` takes a third of the time this program has
CAPABILITY_VERSION_3 = 0x20080522
SERVICES = "/run"
"""Where a container engine's socket is: whoever may speak to that may do anything."""
KERNEL = ("acpi", "bus", "driver", "fs", "irq", "mtrr", "scsi", "sys", "sysrq-trigger")
"""What of /proc is the machine's own. Its files are root's, who may write there with no capability at all: a program that is to
start where another one crashes, for one (core_pattern, core(5)).
"""
ACCELERATORS = (
    "/dev/accel/", "/dev/apex_", "/dev/dma_heap/", "/dev/dri/", "/dev/hailo", "/dev/kfd", "/dev/kgsl", "/dev/mali", "/dev/nvgpu",
    "/dev/nvhost", "/dev/nvidia", "/dev/nvmap",
)  # fmt: skip
"""How the devices begin that compute, and that on many systems only a group may open."""
NO_DEVICES = ("/dev/hugepages", "/dev/mqueue", "/dev/pts", "/dev/shm")
COULD_NOT = 125
"""Exit code where no such place could be made; why is on standard error."""

libc = ctypes.CDLL(None, use_errno=True)


def called(name: str, *arguments: object) -> None:
    """A function of the C library; `OSError` where it fails."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    encoded = [None if each is None else os.fsencode(each) for each in (source, target, kind, data)]
    called("mount", encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])


def writable(path: str, whether: bool) -> None:
    """Whether anything can be written below a mount, those within it included: mount_setattr(2)."""
    if os.uname().machine not in ("x86_64", "aarch64", "riscv64"):
        raise OSError(38, "mount_setattr: its number is not known on this machine")
    attributes = struct.pack("QQQQ", 0 if whether else MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY if whether else 0, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    number, recursive = ctypes.c_long(SYS_MOUNT_SETATTR), ctypes.c_uint(AT_RECURSIVE)
    called("syscall", number, ctypes.c_int(AT_FDCWD), os.fsencode(path), recursive, attributes, size)


def dies_with(parent: int) -> None:
    """End with the parent, which may have ended before."""
    called("prctl", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name."""
    return os.path.isdir(path)  # noqa: PTH112


def enter(network: bool) -> None:
    """New namespaces, with this user as the only one."""
    user, group = os.getuid(), os.getgid()
    called("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | (0 if network else CLONE_NEWNET))
    for name, content in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  (pathlib takes longer to import than all of this)
            file.write(content)
    if not network:
        any_socket = libc.socket(AF_INET, SOCK_DGRAM, 0)  # a network without a loopback confuses what only talks to itself
        called("ioctl", any_socket, ctypes.c_ulong(SIOCSIFFLAGS), struct.pack("16sh22x", b"lo", IFF_UP))
        os.close(any_socket)


def hold(folders: list[str], shown: list[str], hidden: list[str]) -> None:
    """Everything is read-only but the folders; what is hidden is empty, but for what is shown of it or may be written, and so is
    where the system's services listen.
    """
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    kept = {each: os.open(each, os.O_PATH) for each in [*folders, *shown]}  # below a folder that is hidden no name leads there
    if is_folder(SERVICES) and not any(each.startswith(SERVICES + "/") for each in [*folders, sys.executable]):
        mount("tmpfs", SERVICES, "tmpfs", MS_NOSUID | MS_NODEV)
    for file in [*sorted(hidden, key=len), *devices_of_root()]:
        if is_folder(file):
            mount("tmpfs", file, "tmpfs", MS_NOSUID | MS_NODEV)
        elif os.path.exists(file):  # noqa: PTH110  it is gone with a hidden folder above it
            mount("/dev/null", file, None, MS_BIND)
    for folder, itself in kept.items():
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        mount(f"/proc/self/fd/{itself}", folder, None, MS_BIND | MS_REC)
        os.close(itself)
    shared = is_folder("/dev/shm")
    if shared:
        mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV)
    writable("/", False)
    for folder in [*folders, *(["/dev/shm"] if shared else [])]:
        writable(folder, True)
    os.chdir(os.getcwd())  # noqa: PTH109  where this process was is below the mounts made since


def devices_of_root() -> list[str]:
    """Where this user is root: disks and what else not everybody may open, but for accelerators. Whoever else is let in, is."""
    if os.getuid() != 0:
        return []
    found = []
    for above, folders, names in os.walk("/dev"):
        folders[:] = [each for each in folders if f"{above}/{each}" not in NO_DEVICES]
        for name in names:
            path = f"{above}/{name}"
            mode = os.lstat(path).st_mode
            shut = stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not mode & 0o006)
            found += [path] if shut and not path.startswith(ACCELERATORS) else []
    return found


def processes() -> None:
    """Show those of the new namespace, and of the machine nothing that can be changed."""
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for path in (f"/proc/{name}" for name in KERNEL):
        if os.path.exists(path):  # noqa: PTH110
            mount(path, path, None, MS_BIND)
            writable(path, False)


def powerless() -> None:
    """Give up every capability, for good."""
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    called("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    called("capset", struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24))


def quiet() -> None:
    """Let go of what the program reads and answers on: its end must be seen."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def first(command: list[str], told: int) -> None:
    """The first process of the namespace: starts the program, waits for it and for orphans, and tells how it ended."""
    called("prctl", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    processes()
    powerless()
    program = os.fork()
    if program == 0:
        os.close(told)
        os.execv(command[0], command)
    called("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)  # so that the program cannot look into this process either
    quiet()
    while True:
        ended, status = os.wait()
        if ended == program:
            os.write(told, struct.pack("i", status))
            os._exit(0)


def end_as(status: int) -> None:
    """End this process as another one has ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (SIGKILL, SIGSTOP):
            libc.signal(number, SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main() -> None:
    """Start the program, wait for it, end like it."""
    parent, about = int(sys.argv[1]), sys.argv[2:]
    options, command = about[: about.index("--")], about[about.index("--") + 1 :]
    names = ("--folder=", "--shown=", "--hidden=")
    folders, shown, hidden = ([each[len(name) :] for each in options if each.startswith(name)] for name in names)
    dies_with(parent)
    hear, tell = os.pipe()
    try:
        enter("--network" in options)
        hold(folders, shown, hidden)
        init = os.fork()
        if init == 0:
            os.close(hear)
            first(command, tell)
    except OSError as error:
        print(f"gatekeeper cannot hold this program: {error.strerror}", file=sys.stderr)
        os._exit(COULD_NOT)
    os.close(tell)
    quiet()
    status = os.waitpid(init, 0)[1]
    said = os.read(hear, 4)
    end_as(struct.unpack("i", said)[0] if len(said) == 4 else status)


if __name__ == "__main__":
    main()
