# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured, against whom, and the bars.

A benchmark has contenders, the first of which is libloop; each of them yields
figures. A check compares one figure of libloop with a peer's, or with a number.
"""

from dataclasses import dataclass, field


@dataclass
class Contender:
    name: str
    argv: list
    # The client of its inspector that runs beside it, or None.
    poll: str = None


@dataclass
class Check:
    """kind: "faster": peer / libloop, for costs; at least the bar.
             "share":  libloop / peer, for rates; at least the bar.
             "cost":   libloop / peer, for costs; at most the bar.
             "more":   what libloop costs more than the peer, in percent; at most the bar.
             "less":   what its rate is less than the peer's, in percent; at most the bar.
             "least", "most": libloop's own figure; at least, at most the bar.
    """
    figure: str
    kind: str
    bar: float
    aim: float = None
    peer: str = None
    subject: str = "libloop"


@dataclass
class Benchmark:
    name: str
    title: str
    kind: str
    contenders: list
    checks: list
    # Figures to show, in order: (key, heading, format).
    figures: list
    options: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


COST = [("ns_per_op", "ns each", "{:.1f}"), ("wall_s", "wall s", "{:.3f}")]
PARKED = [("bytes_each", "bytes each", "{:,.0f}"), ("ns_per_op", "ns each", "{:.1f}"),
          ("wall_s", "wall s", "{:.3f}")]
GROWTH = [("ns_per_op", "ns each", "{:.1f}"), ("peak_mb", "peak MB", "{:.1f}"), ("after_mb", "MB after", "{:.1f}"),
          ("wall_s", "wall s", "{:.3f}")]
TRANSFER = [("ns_per_op", "ns each", "{:,.0f}"), ("rate", "per s", "{:,.0f}"), ("user_ns", "user ns", "{:,.0f}"),
            ("cpu_ns", "CPU ns", "{:,.0f}"), ("wall_s", "wall s", "{:.3f}")]
PYTHON_COST = [("ns_per_op", "ns each", "{:,.0f}"), ("user_ns", "user ns", "{:,.0f}"), ("cpu_ns", "CPU ns", "{:,.0f}"),
               ("wall_s", "wall s", "{:.3f}")]
PYTHON_ECHO = [("rate", "requests/s", "{:,.0f}"), ("user_us", "user µs", "{:.2f}"), ("cpu_us", "CPU µs", "{:.2f}"),
               ("p50_us", "p50 µs", "{:.0f}"), ("p99_us", "p99 µs", "{:.0f}"), ("busy", "busy", "{:.0%}")]
LATENESS = [("p50_us", "p50 µs", "{:.0f}"), ("p99_us", "p99 µs", "{:.0f}"),
            ("max_us", "max µs", "{:.0f}"), ("early", "early", "{:.0f}")]
ECHO = [("rate", "requests/s", "{:,.0f}"), ("user_us", "user µs", "{:.3f}"),
        ("sampled_user_us", "(sampled)", "{:.3f}"), ("cpu_us", "CPU µs", "{:.2f}"),
        ("syscalls", "syscalls", "{:.2f}"), ("p50_us", "p50 µs", "{:.0f}"),
        ("p99_us", "p99 µs", "{:.0f}"), ("busy", "busy", "{:.0%}")]
UDP = [("rate", "datagrams/s", "{:,.0f}"), ("cpu_us", "CPU µs", "{:.2f}"), ("user_us", "user µs", "{:.3f}"),
       ("syscalls", "syscalls", "{:.2f}"), ("lost", "lost", "{:.0f}"), ("busy", "busy", "{:.0%}")]
INSTRUCTIONS = [("instructions", "user instructions", "{:.0f}")]
IDLE = [("rate_without", "rate without", "{:,.0f}"), ("rate", "rate with", "{:,.0f}"),
        ("kept", "with/without", "{:.3f}"), ("bytes_idle", "bytes per idle", "{:.0f}"),
        ("user_us", "user µs", "{:.3f}")]
FRAMES = [("fps", "frames/s", "{:.1f}"), ("idles_per_s", "idles/s", "{:.1f}"),
          ("calls_per_s", "callbacks/s", "{:,.0f}")]
INSPECTOR = [("rate", "requests/s", "{:,.0f}"), ("cpu_us", "CPU µs", "{:.3f}"),
             ("user_us", "user µs", "{:.3f}"), ("answers", "answers/s", "{:.1f}"),
             ("slowest_ms", "slowest ms", "{:.1f}")]


def calls(mode, **peers):
    """Contenders of a mode; peers: name=(program, mode)."""
    return [Contender("libloop", ["bench-calls-loop", mode])] + [
        Contender(name.replace("_", "-"), list(argv)) for name, argv in peers.items()]


def tasks(mode, *peers):
    """Contenders of a mode of fibers and tasks; peers: "ucontext", "asyncio"."""
    programs = {"ucontext": "bench-tasks-ucontext", "asyncio": "bench-tasks-asyncio.py"}
    return [Contender("libloop", ["bench-tasks-loop", mode])] + [
        Contender(name, [programs[name], mode]) for name in peers]


def echo_contenders(*names):
    programs = {"libloop": "echo-loop", "raw epoll": "echo-epoll", "libuv": "echo-uv",
                "libevent": "echo-event", "GIO": "echo-gio"}
    arguments = {"bufferevent": ["echo-event", "--bufferevent"], "asyncio": ["echo-asyncio.py"],
                 "uvloop": ["echo-asyncio.py", "uvloop"]}
    return [Contender(name, arguments.get(name) or [programs[name]]) for name in names]


def udp(size, trains=False):
    programs = {"libloop": ["echo-udp-loop"], "recvfrom": ["echo-udp-epoll"], "libuv": ["echo-udp-uv"],
                "libuv-mmsg": ["echo-udp-uv", "--mmsg"], "libevent": ["echo-udp-event"], "GIO": ["echo-udp-gio"]}
    return Benchmark(
        f"udp-{size}{'-trains' * trains}", f"UDP echo, {size} bytes, 16 sockets with 16 datagrams on their way each"
        f"{', sent as trains' * trains}", "udp",
        [Contender(name, argv) for name, argv in programs.items()],
        [Check(figure, kind, 1.3, peer=peer) for peer in ("libuv", "libuv-mmsg")
         for figure, kind in (("rate", "share"), ("cpu_us", "faster"))],
        UDP, {"connections": 16, "size": size, "load": ["--trains"] * trains},
        notes=["CPU µs: of the server, by datagram; libuv-mmsg: with UV_UDP_RECVMMSG, which is off by default"])


def echo(connections, size):
    label = "1k" if size == 1024 else str(size)
    return Benchmark(
        f"echo-{label}-{connections}",
        f"TCP echo, {size} bytes, {connections} connection{'s' * (connections > 1)}", "echo",
        echo_contenders("libloop", "raw epoll", "libuv", "libevent", "GIO"),
        [Check("rate", "share", 0.97, peer="raw epoll"),
         Check("user_us", "cost", 1.0, 0.8, peer="libuv")],
        ECHO, {"connections": connections, "size": size},
        notes=["user µs: the server's time outside system calls, by the time stamp counter; "
               "(sampled): what getrusage says, which the kernel guesses at each tick"])


PYTHON = ("libloop", "uvloop", "asyncio")


def python(mode, title, bar, aim=None):
    """A mode of bench-python.py."""
    return Benchmark(
        f"py-{mode}", title, "calls",
        [Contender(name, ["bench-python.py", name, mode]) for name in PYTHON],
        [Check("ns_per_op", "faster", bar, aim, peer="uvloop")], PYTHON_COST)


def python_echo(name, title, options, arguments=(), kind="echo", figures=None, checks=()):
    return Benchmark(
        f"py-{name}", title, kind,
        [Contender(loop, ["echo-asyncio.py", *arguments, loop]) for loop in PYTHON],
        list(checks), figures or PYTHON_ECHO, options)


def python_protocol(size, connections):
    label = "1k" if size == 1024 else str(size)
    return python_echo(
        f"echo-{label}-{connections}", f"echo by a protocol in Python, {size} bytes, {connections} connections",
        {"connections": connections, "size": size},
        checks=[Check("rate", "share", 1.0, peer="uvloop"), Check("user_us", "cost", 0.9, 0.7, peer="uvloop")])


def files(mode, *peers):
    """Contenders that send files or start processes; peers: "bare", "uv", "gio", "asyncio"."""
    return [Contender("libloop", [f"bench-{mode}-loop"])] + [
        Contender(name, [f"bench-{mode}-{name}" + (".py" if name == "asyncio" else "")]) for name in peers]


ALL_SERVERS = ["libloop", "raw epoll", "libuv", "libevent", "GIO", "asyncio", "uvloop"]

BENCHMARKS = [
    Benchmark(
        "soon-batch", "call_soon scheduled and run, batches of 1000", "calls",
        calls("soon-batch", glib=("bench-calls-glib", "soon-batch"),
              uv=("bench-calls-uv", "soon-batch")),
        [Check("ns_per_op", "faster", 15, 25, peer="glib")], COST,
        notes=["uv starts and stops preallocated uv_idle_t; it is shown without a bar"]),
    Benchmark(
        "soon-chain", "call_soon, each callback schedules the next", "calls",
        calls("soon-chain", uv_async=("bench-calls-uv", "soon-chain-async"),
              uv_idle=("bench-calls-uv", "soon-chain-idle"),
              glib=("bench-calls-glib", "soon-chain")),
        [Check("ns_per_op", "faster", 1, 2, peer="uv-async"),
         Check("ns_per_op", "faster", 1, 2, peer="uv-idle")], COST),
    Benchmark(
        "later-cancel-1m", "call_later and cancel, 1,000,000 live timers", "calls",
        calls("later-cancel-1m", uv=("bench-calls-uv", "later-cancel-1m")),
        [Check("ns_per_op", "faster", 3, 5, peer="uv")], COST,
        notes=["uv starts and stops one preallocated uv_timer_t, always in its cache"]),
    Benchmark(
        "timer-restart-100k", "a random one of 100,000 timers restarted", "calls",
        calls("timer-restart-100k", uv=("bench-calls-uv", "timer-restart-100k")),
        [Check("ns_per_op", "faster", 3, 5, peer="uv")], COST),
    Benchmark(
        "timer-restart-1m", "a random one of 1,000,000 timers restarted", "calls",
        calls("timer-restart-1m", uv=("bench-calls-uv", "timer-restart-1m")), [], COST,
        notes=["beyond the issue's table: no bar"]),
    Benchmark(
        "lateness", "lateness of 1,000 timers at random times within 1 s", "calls",
        calls("lateness", uv=("bench-calls-uv", "lateness"),
              glib=("bench-calls-glib", "lateness")),
        [Check("p99_us", "most", 200, 100)], LATENESS,
        notes=["uv takes milliseconds: delays are rounded up to them, and its clock down, so that "
               "many fire early"]),
] + [
    Benchmark(
        f"threadsafe-{n}", f"call_soon_threadsafe, {n} producer{'s' * (n > 1)}", "calls",
        calls(f"threadsafe-{n}", uv=("bench-calls-uv", f"threadsafe-{n}"),
              uv_array=("bench-calls-uv", f"threadsafe-{n}-array"),
              glib=("bench-calls-glib", f"threadsafe-{n}")),
        [Check("ns_per_op", "faster", 2, 4, peer="uv"),
         Check("ns_per_op", "faster", 2, 4, peer="glib")], COST,
        notes=["uv: uv_async_send and a locked list of allocated nodes; uv-array: a locked pair "
               "of arrays of sufficient size, shown without a bar"])
    for n in (1, 4)
] + [
    Benchmark(
        "fiber-await-ready", "a fiber awaits a future that is done", "calls",
        tasks("fiber-await-ready", "asyncio"),
        [Check("ns_per_op", "faster", 1, 2, peer="asyncio")], COST),
    Benchmark(
        "fiber-ping-pong", "two fibers wake each other through futures", "calls",
        tasks("fiber-ping-pong", "ucontext", "asyncio"),
        [Check("ns_per_op", "faster", 1, peer="ucontext"),
         Check("ns_per_op", "faster", 5, 10, peer="asyncio")], COST,
        notes=["each: a future made, one fulfilled, a switch out of a fiber and one into the other",
               "ucontext: two swapcontext(), as libdex switches, and neither futures nor a loop"]),
    Benchmark(
        "fiber-spawn", "fibers that end at once, 1,000 alive at most", "calls",
        tasks("fiber-spawn", "ucontext", "asyncio"),
        [Check("ns_per_op", "faster", 2, 5, peer="asyncio")], COST,
        notes=["ucontext: always the same stack, and no task; shown without a bar"]),
    Benchmark(
        "fiber-parked", "100,000 fibers that wait", "calls",
        tasks("fiber-parked", "asyncio"),
        [Check("bytes_each", "most", 8192)], PARKED,
        notes=["each waits for a future of its own; its bytes are the growth of the resident memory, "
               "the future, the task and a page of its stack among them",
               "ns each: making, waking and ending it"]),
    Benchmark(
        "fiber-million", "1,000,000 fibers that wait once and end, 10,000 alive at most", "calls",
        tasks("fiber-million", "asyncio"),
        [Check("ns_per_op", "faster", 1, 2, peer="asyncio"), Check("after_mb", "most", 32)], GROWTH,
        notes=["peak, after: how far the resident memory has grown at its highest, and when all have ended: "
               "1,024 stacks keep their memory for the next fibers"]),
    Benchmark(
        "gather-10k", "10,000 futures made, gathered and fulfilled; per future", "calls",
        tasks("gather-10k", "asyncio"),
        [Check("ns_per_op", "faster", 2, 4, peer="asyncio")], COST),
    Benchmark(
        "task-chain-10k", "a chain of 10,000 tasks, each makes and awaits the next", "calls",
        tasks("task-chain-10k", "asyncio"),
        [Check("ns_per_op", "faster", 2, 5, peer="asyncio")], COST),
] + [
    Benchmark(
        "executor-64", "run_in_executor, a function that does nothing, 64 in flight", "calls",
        calls("executor-64", uv=("bench-calls-uv", "executor-64"),
              glib=("bench-calls-glib", "executor-64")),
        [Check("ns_per_op", "faster", 1.5, 2, peer="uv"),
         Check("ns_per_op", "faster", 1.5, 2, peer="glib")], COST,
        notes=["four threads each, all on the second CPU; uv: uv_queue_work with preallocated "
               "requests; glib: GThreadPool and g_idle_add"]),
    Benchmark(
        "frames", "a GTK window that draws beside a chain of callbacks that never ends", "calls",
        [Contender("libloop", ["bench-frames", "loop"]),
         Contender("run_forever", ["bench-frames", "loop-run-forever"]),
         Contender("g_idle_add", ["bench-frames", "glib"]),
         Contender("at default", ["bench-frames", "glib-default"]),
         Contender("gbulb", ["bench-frames-gbulb.py", "chain"]),
         Contender("no chain", ["bench-frames", "nothing"])],
        [Check("fps", "least", 50), Check("fps", "least", 50, subject="run_forever"),
         Check("idles_per_s", "least", 20), Check("idles_per_s", "least", 20, subject="run_forever")],
        FRAMES,
        notes=["idles: a source of G_PRIORITY_LOW, 300; at default: g_idle_add_full with "
               "G_PRIORITY_DEFAULT, which the loop has, too"]),
    Benchmark(
        "process-pool-64", "a function in a process that does nothing, 64 in flight", "calls",
        tasks("process-pool-64", "asyncio"),
        [Check("ns_per_op", "faster", 2, 4, peer="asyncio")], COST,
        notes=["four workers each, all on the second CPU; asyncio: run_in_executor with "
               "concurrent.futures.ProcessPoolExecutor"]),
    Benchmark(
        "getaddrinfo-64", "getaddrinfo of a host that is a number, 64 in flight", "calls",
        calls("getaddrinfo-64", uv=("bench-calls-uv", "getaddrinfo-64"),
              asyncio=("bench-tasks-asyncio.py", "getaddrinfo-64")),
        [Check("ns_per_op", "faster", 1.5, 3, peer="uv"),
         Check("ns_per_op", "faster", 10, 30, peer="asyncio")], COST,
        notes=["libloop answers at once; the others ask a thread"]),
] + [
    echo(connections, size) for size in (64, 1024) for connections in (1, 50, 500)
] + [
    udp(64), udp(1400), udp(64, trains=True), udp(1400, trains=True),
    Benchmark(
        "pipelined", "16 requests at a time, each answered by a write; 64 bytes, 50 connections", "echo",
        echo_contenders("libloop", "raw epoll", "libuv", "libevent", "bufferevent", "GIO", "asyncio", "uvloop"),
        [Check("rate", "share", 1.0, 2.0, peer="libuv"), Check("rate", "share", 1.0, peer="bufferevent"),
         Check("user_us", "cost", 1.0, peer="bufferevent")],
        ECHO, {"connections": 50, "size": 64, "depth": 16, "message": 64},
        notes=["the servers but libloop, bufferevent and uvloop make a system call for each answer"]),
    Benchmark(
        "connections", "connections accepted, used for one echo of 64 bytes, and closed; 50 at a time", "echo",
        echo_contenders(*ALL_SERVERS),
        [Check("rate", "share", 0.97, peer="libuv"), Check("user_us", "cost", 1.5, 1.0, peer="libuv")],
        ECHO, {"connections": 50, "size": 64, "reconnect": True}),
    Benchmark(
        "unix-echo", "echo over unix sockets, 64 bytes, 50 connections", "echo",
        echo_contenders(*ALL_SERVERS),
        [Check("rate", "share", 0.97, peer="raw epoll"), Check("user_us", "cost", 1.0, 0.8, peer="libuv")],
        ECHO, {"connections": 50, "size": 64, "unix": True}),
    Benchmark(
        "sendfile", "a file of 1 GiB to a socket on the loopback interface; per MiB", "calls",
        files("sendfile", "bare", "uv", "asyncio"),
        [Check("ns_per_op", "faster", 0.97, 1.0, peer="bare"), Check("ns_per_op", "faster", 1.0, peer="uv"),
         Check("ns_per_op", "faster", 1.0, peer="asyncio")], TRANSFER,
        notes=["bare: a loop of sendfile() on a blocking socket; uv: uv_fs_sendfile(), and uv_poll_t when it is full",
               "uvloop has no sendfile()"]),
    Benchmark(
        "spawn", "processes that end at once, one after another", "calls",
        files("spawn", "uv", "gio", "asyncio"),
        [Check("ns_per_op", "faster", 1.0, peer="uv"), Check("ns_per_op", "faster", 1.0, peer="gio")], TRANSFER,
        notes=["true, with no pipes; gio: GSubprocess"]),
    Benchmark(
        "echo-instructions", "user instructions per echo, 64 bytes, 50 connections",
        "instructions", echo_contenders("libloop", "raw epoll", "libuv", "libevent", "GIO"),
        [Check("instructions", "cost", 1.0, 0.8, peer="libuv")],
        INSTRUCTIONS, {"connections": 50, "size": 64},
        notes=["by perf, or by callgrind where it cannot; counts repeat, so one round is enough"]),
    Benchmark(
        "echo-streams", "TCP echo through streams, 64 bytes, 50 connections", "echo",
        [Contender("libloop", ["echo-loop", "--streams"]),
         Contender("protocol", ["echo-loop"]),
         Contender("asyncio", ["echo-asyncio.py", "--streams"])],
        [Check("user_us", "cost", 0.2, 0.1, peer="asyncio"),
         Check("rate", "share", 0.7, 0.9, peer="protocol")],
        ECHO, {"connections": 50, "size": 64},
        notes=["libloop: a fiber for each connection; protocol: a protocol of C functions; "
               "system calls of asyncio's are not counted, and its user µs are what getrusage says"]),
    Benchmark(
        "echo-streams-instructions", "user instructions per echo through streams, 64 bytes, 50 connections",
        "instructions",
        [Contender("libloop", ["echo-loop", "--streams"]), Contender("protocol", ["echo-loop"])],
        [], INSTRUCTIONS, {"connections": 50, "size": 64}),
    Benchmark(
        "idle-10k", "50 active connections beside 10,000 idle ones, 64 bytes", "idle",
        echo_contenders("libloop", "raw epoll", "libuv", "GIO"),
        [Check("kept", "least", 0.95), Check("bytes_idle", "most", 1024)],
        IDLE, {"connections": 50, "size": 64, "idle": 10000},
        notes=["an idle connection has exchanged one message; its bytes are the growth of the "
               "server's resident memory"]),
    Benchmark(
        "inspector", "echo with the inspector off, on, and polled 10 times a second", "echo",
        [Contender("off", ["echo-loop"]),
         Contender("plain", ["echo-loop"]),
         Contender("on", ["echo-loop", "--inspect"]),
         Contender("polled", ["echo-loop", "--inspect"], "poll-inspector")],
        [Check("cpu_us", "more", 0.5, peer="plain", subject="off"),
         Check("cpu_us", "more", 3, peer="plain", subject="on"),
         Check("cpu_us", "more", 5, peer="plain", subject="polled"),
         Check("rate", "less", 0.5, peer="plain", subject="off"),
         Check("rate", "less", 3, peer="plain", subject="on"),
         Check("rate", "less", 5, peer="plain", subject="polled")],
        INSPECTOR, {"connections": 50, "size": 64, "slices": 12},
        notes=["off and plain run the same code: what lies between them is the noise"]),
] + [
    python("soon-chain", "Python: call_soon, each callback schedules the next", 1.2, 2),
    python("soon-batch", "Python: call_soon, 200,000 at a time", 1.5, 2),
    python("later-cancel", "Python: call_later and cancel", 2, 3),
    python("sleepers", "Python: 100,000 tasks that sleep at a time", 2, 3),
    python("threadsafe", "Python: call_soon_threadsafe, a thread and the loop answer each other", 1.2, 2),
    python("executor", "Python: run_in_executor, one call after another", 1.2, 2),
    python("spawn", "Python: processes that end at once, one after another", 1.2, 2),
    python("start", "Python: an interpreter imports the package and makes a loop", 1.0),
] + [
    python_protocol(size, connections) for size in (64, 1024) for connections in (1, 50, 500)
] + [
    python_echo("streams", "echo by streams in Python, 1,024 bytes, 50 connections", {"connections": 50, "size": 1024},
                ["--streams"], checks=[Check("rate", "share", 1.1, 1.5, peer="uvloop")]),
    python_echo("sock", "echo by sock_recv() and sock_sendall(), 1,024 bytes, 50 connections",
                {"connections": 50, "size": 1024}, ["--sock"],
                checks=[Check("rate", "share", 1.1, 1.5, peer="uvloop")]),
    python_echo("tls", "echo over TLS in Python, 1,024 bytes, 50 connections",
                {"connections": 50, "size": 1024, "tls": True}, ["--tls"],
                checks=[Check("rate", "share", 1.0, 1.3, peer="uvloop")]),
    python_echo("websockets", "WebSocket messages echoed by the package websockets, 64 bytes, 50 connections",
                {"connections": 50, "size": 64, "websocket": True}, ["--websockets"],
                checks=[Check("rate", "share", 1.0, 1.2, peer="uvloop")]),
    python_echo("aiohttp", "HTTP answered by the package aiohttp, 50 connections", {"connections": 50},
                ["--aiohttp"], kind="http", checks=[Check("rate", "share", 1.0, 1.2, peer="uvloop")]),
    python_echo("tls-idle", "TLS in Python, 20 active connections beside 1,000 idle ones",
                {"connections": 20, "size": 64, "idle": 1000, "tls": True}, ["--tls"], kind="idle", figures=IDLE,
                checks=[Check("bytes_idle", "cost", 1.0, 0.5, peer="uvloop"), Check("bytes_idle", "most", 48000)]),
]
