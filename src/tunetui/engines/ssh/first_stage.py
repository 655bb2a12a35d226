"""The first of our code that runs on a host: sent as its source, it puts the agent in place and becomes it.

Plain enough for any Python 3 (annotations are taken off before it is sent), so that an old one can still say that it is too
old.  Its answers are lines of JSON behind a
nonce, so that whatever start-up files print is told apart from them.
"""

import errno
import hashlib
import importlib
import json
import os
import re
import signal
import sys
from typing import Any, NoReturn

OLDEST = (3, 10)
BRIEF = ("environment", "probe")
"""Commands that are over before anybody looks for them in the process list: carried out by the process that is there."""
_NEWEST_MINOR = 20
_FULL = (errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Trouble(Exception):
    """Why the agent cannot be put in place; ``code`` is stable."""

    def __init__(self, code: str, text: str, **more: Any) -> None:
        Exception.__init__(self, text)
        self.answer = dict(more, k="error", error=code, text=text)


def run(asked: dict[str, Any]) -> NoReturn:
    """Do what ``asked`` says: nonce, agent, size, sure, facts, arguments, first, alone_seconds; or wait until it is said on stdin.

    Or end a process of ours that hangs.
    """
    os.umask(0o077)
    try:
        if "end" in asked:
            end(*asked["end"])
        use_newer_python(asked)
        if "wait" in asked:
            asked = wait()
        signal.alarm(asked["alone_seconds"])  # it stays set in the program that this process becomes
        root = private_folder(cache_root())
        agents = private_folder(os.path.join(root, "agent"))
        path = agent_of_run(root, agents, asked["arguments"]) or os.path.join(agents, asked["agent"] + ".pyz")
        if not is_whole(path):
            receive(asked, path)
        python, isolation, arguments = interpreter(asked["arguments"])
        touch(path)
        own = [os.getpid(), began("self")]
        say(asked, dict(facts(root) if asked["facts"] else {}, k="ready", root=root, agent=path, process=own))
        path = compiled(path, python, isolation)
        line = [arguments[0], "--root", root] + arguments[1:]
        if python != sys.executable or isolation != "-I" or line[0] not in BRIEF:
            # The name in the process list says what it is.
            os.execv(python, [python, isolation, path] + line)
    except Trouble as trouble:
        say(asked, trouble.answer)
        sys.exit(1)
    except OSError as error:
        say(asked, trouble_of(error).answer)
        sys.exit(1)
    sys.path.insert(0, path)
    sys.exit(importlib.import_module("tunetui_agent.commands").main(line))


def say(asked: dict[str, Any], answer: dict[str, Any]) -> None:
    """One line of JSON behind the nonce."""
    os.write(1, (asked["nonce"] + json.dumps(answer) + "\n").encode("ascii"))


def began(pid: Any) -> str:
    """When a process began, in the system's own reckoning: no other of its number did then; "" where that is not known."""
    try:
        with open("/proc/%s/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError):
        return ""


def end(pid: int, when: str) -> NoReturn:
    """End a process of ours, and all in its group where it leads one."""
    if when and began(pid) == when:
        try:
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    sys.exit(0)


def wait() -> dict[str, Any]:
    """What to do, said later: a command for which everything up to here has been done in advance."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 1)
        if not part:
            sys.exit(0)
        line += part
    asked: dict[str, Any] = json.loads(line.decode("ascii"))
    return asked


def interpreter(arguments: list[str]) -> tuple[str, str, list[str]]:
    """The Python that is to run the agent, how isolated, and the arguments without what said so."""
    python, isolation, rest = sys.executable, "-I", list(arguments)
    if "--python" in rest[:-1] and rest[0] != "environment":
        at = rest.index("--python")
        python = rest[at + 1]
        del rest[at : at + 2]
        if "--user-site" in rest:
            rest.remove("--user-site")
            isolation = "-E"
    if not os.access(python, os.X_OK):
        raise Trouble("no-interpreter", python + " is not there any more", path=python)
    return python, isolation, rest


def compiled(path: str, python: str, isolation: str) -> str:
    """The agent with its modules compiled for this Python, if it is there; else it is made for the next time."""
    tag = hashlib.sha256(os.path.realpath(python).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    target = path[: -len(".pyz")] + "." + tag + ".pyz"
    try:
        with open(target, "rb") as file:
            data = file.read()
        if hashlib.sha256(data[:-64]).hexdigest().encode("ascii") == data[-64:]:
            touch(target)
            return target
    except OSError:
        pass
    if os.access(os.path.dirname(path), os.W_OK):
        pid = os.fork()
        if pid == 0:
            compile_apart([python, isolation, path, "compile", "--output", target])
        os.waitpid(pid, 0)
    return path


def compile_apart(command: list[str]) -> NoReturn:
    """In a process that nobody waits for."""
    try:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.execv(command[0], command)
    finally:
        os._exit(0)


def use_newer_python(asked: dict[str, Any]) -> None:
    """Go on in the newest Python there is, where ``python3`` is too old."""
    if sys.version_info >= OLDEST:
        return
    import shutil

    places = os.pathsep.join([os.environ.get("PATH", os.defpath), home(".local/bin")])
    for minor in range(_NEWEST_MINOR, OLDEST[1] - 1, -1):
        found = shutil.which("python3.%d" % minor, path=places)
        if found:
            os.execv(found, [found, "-I", "-c", asked["first"]] + sys.argv[1:])
    have = ".".join(map(str, sys.version_info[:3]))
    raise Trouble("old-python", "python3 is " + have, have=have, path=sys.executable)


def home(below: str) -> str:
    """A path below the home folder."""
    return os.path.join(os.path.expanduser("~"), below)


def cache_root() -> str:
    """As the agent itself chooses it: a relative XDG_CACHE_HOME is ignored."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if base.startswith("/") else home(".cache"), "tunetui")


def private_folder(path: str) -> str:
    """``path``, made if it is missing, if it is ours and nobody else can write into it."""
    if not os.path.isdir(path):
        os.makedirs(path, mode=0o700, exist_ok=True)
    found = os.stat(path)
    if found.st_uid != os.getuid():
        raise Trouble("unsafe", "%s belongs to user %d, not to %d" % (path, found.st_uid, os.getuid()), path=path)
    if found.st_mode & 0o022:
        raise Trouble("unsafe", "%s can be written by others (mode %04o)" % (path, found.st_mode & 0o7777), path=path)
    return path


def agent_of_run(root: str, agents: str, arguments: list[str]) -> str | None:
    """The agent that began the run, for commands to a run that another version of tunetui may have begun."""
    if arguments[0] not in ("attach", "stop") or "--run" not in arguments[:-1]:
        return None
    run_name = arguments[arguments.index("--run") + 1]
    if not re.match(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\Z", run_name):
        return None
    try:
        with open(os.path.join(root, "runs", run_name, "meta.json")) as file:
            name = os.path.basename(str(json.load(file).get("agent", "")))
    except (OSError, ValueError, AttributeError):
        return None
    own = re.match(r"([0-9a-f]{64})(\.[0-9a-f]{12})?\.pyz\Z", name)
    path = os.path.join(agents, own.group(1) + ".pyz") if own else ""
    return path if own and is_whole(path) else None


def is_whole(path: str) -> bool:
    """Whether a file holds what its name, a SHA-256, promises."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == os.path.basename(path)[:64]
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise


def receive(asked: dict[str, Any], path: str) -> None:
    """Ask for the agent and keep it: whole or not at all."""
    if asked["sure"]:  # what comes on stdin is for the agent
        say(asked, {"k": "miss"})
        sys.exit(1)
    say(asked, {"k": "miss"})
    data = b""
    while len(data) < asked["size"]:
        part = os.read(0, min(1 << 20, asked["size"] - len(data)))
        if not part:
            sys.exit(1)
        data += part
    if hashlib.sha256(data).hexdigest() != asked["agent"]:
        raise Trouble("damaged", "the agent arrived damaged")
    draft = "%s.%d.part" % (path, os.getpid())
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        try:
            os.unlink(draft)
        except OSError:
            pass
        raise


def touch(path: str) -> None:
    """Says that the agent is still wanted; a read-only cache may refuse."""
    try:
        os.utime(path, None)
    except OSError:
        pass


def facts(root: str) -> dict[str, Any]:
    """What the app wants to know of a host before anything else."""
    import platform
    import shutil

    try:
        with open("/proc/uptime") as file:
            uptime = float(file.read().split()[0])
    except (OSError, ValueError):
        uptime = 0.0
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": "-".join(platform.libc_ver()),
        "page_bytes": os.sysconf("SC_PAGESIZE"),
        "free_bytes": shutil.disk_usage(root).free,
        "uptime_seconds": uptime,
        "nvidia": os.path.exists("/proc/driver/nvidia/version"),
    }


def trouble_of(error: OSError) -> Trouble:
    """What the system refused, by what it means."""
    path = str(error.filename or "the agent's folder")
    text = path + ": " + (error.strerror or str(error))
    if error.errno in _FULL:
        return Trouble("full", error.strerror or str(error))
    if error.errno in _NO_ROOM:
        return Trouble("disk-full", text, path=path)
    if error.errno == errno.EROFS:
        return Trouble("read-only", text, path=path)
    return Trouble("folder", text, path=path)
