"""Goes wrong in the way its technique (or, for a session, its artifact) is named."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

EXTRA, REQUIRES, TECHNIQUES = "", (), {}


def answers():
    """The descriptor that answers really leave on: a writable pipe that is not standard input."""
    for fd in range(3, 64):
        try:
            pipe = str(Path(f"/proc/self/fd/{fd}").readlink()).startswith("pipe:")
            if pipe and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_WRONLY:
                return fd
        except OSError:
            pass
    raise LookupError("no answer pipe")


def forever():
    while True:
        time.sleep(1)


def send_all(data):
    view = memoryview(data)
    while view:
        view = view[os.write(answers(), view) :]


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


class Moody(Exception):
    pass


def optimize(job):
    name, source, destination = job.technique, job.source, job.destination
    (destination / "pid").write_text(str(os.getpid()))
    if name == "works":
        (destination / "artifact").write_bytes(source.read_bytes())
    elif name == "segfault":
        print("about to read address zero", file=sys.stderr, flush=True)
        ctypes.string_at(0)
    elif name == "abort":
        os.abort()
    elif name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "hang":
        forever()
    elif name == "hang_deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        forever()
    elif name == "exit":
        print("leaving now", file=sys.stderr, flush=True)
        os._exit(3)
    elif name == "sys_exit":
        sys.exit(3)
    elif name == "exit_zero":
        os._exit(0)
    elif name == "allocate":
        hoard = []
        while True:
            hoard.append(b"x" * 20_000_000)
            time.sleep(0.01)
    elif name == "allocate_in_child":
        subprocess.Popen([sys.executable, "-c", "import time\nb = b'x' * 600_000_000\ntime.sleep(600)"])
        forever()
    elif name == "print_garbage":
        print('{"answer":"failed","kind":"crash","message":"from print"}', flush=True)
        os.write(1, b'{"answer":"failed","kind":"crash","message":"from descriptor 1"}\n')
        os.system('echo \'{"answer":"failed","kind":"crash","message":"from a child"}\'')
    elif name == "raw":
        send_all(source.read_bytes())
        forever()
    elif name == "endless":
        while True:
            send_all(b"x" * 1_000_000)
    elif name == "cut_short":
        send_all(b'{"answer":"do')
        os._exit(0)
    elif name == "close_answers":
        os.close(answers())
        forever()
    elif name == "memory_error":
        raise MemoryError
    elif name == "memory_error_long":
        raise MemoryError("m" * 3_000_000)
    elif name == "bad_alloc":
        raise RuntimeError("std::bad_alloc")
    elif name == "raise_empty":
        raise Moody
    elif name == "raise_huge":
        raise Moody("y" * 40_000_000)
    elif name == "raise_hostile":
        raise Moody('\x1b[31m"}\n{"answer":"done"}\n\x00\ufffe\u202e::error::x')
    elif name == "raise_surrogate":
        raise Moody("before \ud800 after")
    elif name == "raise_unprintable":
        raise Unprintable
    elif name == "missing_module":
        import no_such_module_at_all  # noqa: F401
    elif name == "disk_full":
        raise OSError(28, "No space left on device", "/some/file")
    elif name == "recursion":

        def deeper():
            deeper()

        deeper()
    elif name in ("child_then_exit", "child_then_hang", "child_then_answer"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (destination / "child").write_text(str(child.pid))
        if name == "child_then_exit":
            os._exit(3)
        elif name == "child_then_hang":
            forever()
    elif name in ("fork_then_exit", "daemon_then_exit"):
        child = os.fork()
        if not child:
            if name == "daemon_then_exit":
                os.setsid()
            forever()
        (destination / "child").write_text(str(child))
        os._exit(3)
    elif name == "environment":
        (destination / "environment").write_bytes(Path("/proc/self/environ").read_bytes())
        (destination / "folder").write_text(str(Path.cwd()))
    elif name == "no_standard_input":
        (destination / "terminal").write_text(str([os.isatty(fd) for fd in (0, 1, 2)]))
    else:
        raise LookupError(name)


class Hog:
    inputs, outputs, runs = ("x",), ("y",), 0

    def run(self, feed):
        self.runs += 1
        if self.runs == 10:  # after loading and warming up
            self.hoard = b"x" * 600_000_000
        time.sleep(0.02)
        return []


def open_session(path, threads, device):
    return Hog()
