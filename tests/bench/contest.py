# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the contenders of a benchmark, interleaved, and collects their figures."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

# A program that was runnable this part of the time without running has been
# disturbed: the sample is taken again, so many times at most.
DISTURBED = 0.10
RETRIES = 4


class Failed(Exception):
    pass


class Settings:
    def __init__(self, build_dir, cpus, quick):
        self.build_dir = build_dir
        self.cpus = cpus
        self.quick = quick
        self.rounds = 1 if quick else 5
        # In each slice all contenders have their turn.
        self.slices = 1 if quick else 5
        self.seconds = 0.1 if quick else 0.25
        self.warmup = 0.05 if quick else 0.1
        self.scale = 0.02 if quick else 1.0
        self.idle_scale = 0.02 if quick else 1.0
        self.instruction_requests = (100, 300) if quick else (2000, 12000)
        self.disturbed = 0
        # Where inspectors listen; nobody else may look in.
        self.runtime_dir = tempfile.TemporaryDirectory(prefix="libloop-bench-")

    def path(self, program):
        return os.path.join(self.build_dir, program)

    def is_built(self, contender):
        return os.access(self.command(contender)[0], os.X_OK) and (
            contender.poll is None or os.access(self.path(contender.poll), os.X_OK))

    def command(self, contender):
        """A program that was built, or a script that lies beside this one."""
        program = contender.argv[0]
        if program.endswith(".py"):
            return [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), program)]
        return [self.path(program)]

    def argv(self, contender):
        return self.command(contender) + contender.argv[1:]

    def env(self):
        # Nothing is compiled anew each time, as if all was installed; but a source tree may be read-only.
        env = dict(os.environ, XDG_RUNTIME_DIR=self.runtime_dir.name,
                   PYTHONPYCACHEPREFIX=os.path.join(self.runtime_dir.name, "pycache"))
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        if self.cpus:
            env["BENCH_CPUS"] = f"{self.cpus[0]},{self.cpus[1]}"
        return env

    def is_disturbed(self, waited, seconds, attempt):
        if self.quick or waited <= DISTURBED * seconds or attempt + 1 == RETRIES:
            return False
        self.disturbed += 1
        time.sleep(0.2)
        return True


def decode(text, what):
    try:
        return json.loads(text)
    except ValueError:
        raise Failed(f"{what} printed {text!r}") from None


def run_program(settings, argv):
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            env=settings.env(), timeout=150, check=False)
    if result.returncode != 0:
        raise Failed(f"{' '.join(os.path.basename(word) for word in argv[:2])} ended with {result.returncode}")
    return decode(result.stdout, argv[0])


class Server:
    """An echo server, which lives until its standard input is closed.

    Its options: "message" is the size of what is answered by itself, however much comes at
    once; "depth" how many of those the load sends at once; with "unix" it listens on a path;
    with "reconnect" each request has a connection of its own; with "tls" it speaks TLS.
    """

    def __init__(self, settings, argv, options=None):
        options = options or {}
        self.settings = settings
        self.name = os.path.basename(argv[-1])
        env = settings.env()
        if "message" in options:
            env["BENCH_MESSAGE"] = str(options["message"])
        if options.get("unix"):
            env["BENCH_UNIX"] = os.path.join(settings.runtime_dir.name, f"echo-{id(self):x}")
        self.load_options = ["--depth", str(options.get("depth", 1))]
        self.load_options += ["--" + name for name in ("reconnect", "tls", "websocket") if options.get(name)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.control = self.process.stdin.fileno()
        try:
            ready = decode(self.process.stdout.readline(), self.name)
        except Failed:
            self.end()
            raise
        self.port = env.get("BENCH_UNIX") or ready["port"]
        self.inspector = ready["inspector"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def load(self, connections, size, seconds, warmup, *options):
        """Returns the load's report."""
        return run_load(self.settings, self.port, connections, size, seconds, "--warmup",
                        str(warmup), *options)

    def sample_http(self, connections):
        """The figures of a second of HTTP requests."""
        os.write(self.control, b"b")
        load = run_wrk(self.settings, self.port, connections)
        os.write(self.control, b"e")
        server = decode(self.process.stdout.readline(), self.name)
        requests = max(server["requests"], 1)
        cpu = server["user_s"] + server["sys_s"]
        return load | {"user_us": server["user_ns"] / requests / 1e3, "cpu_us": cpu / requests * 1e6,
                       "busy": cpu / server["seconds"]}

    def sample(self, connections, size, program="load", options=()):
        """The figures of one measured time; server and load report it together."""
        settings = self.settings
        for attempt in range(RETRIES):
            load = run_load(settings, self.port, connections, size, settings.seconds, "--warmup",
                            str(settings.warmup), "--mark-fd", str(self.control),
                            *(self.load_options if program == "load" else options),
                            pass_fds=[self.control], program=program)
            server = decode(self.process.stdout.readline(), self.name)
            waited = max(load["waited_s"], server["waited_s"])
            if not settings.is_disturbed(waited, load["seconds"], attempt):
                break
        requests = max(load["requests"], 1)
        cpu = server["user_s"] + server["sys_s"]
        figures = {key: load[key] for key in ("p50_us", "p99_us", "lost") if key in load}
        return figures | {
            "rate": load["rate"],
            "user_us": server["user_ns"] / requests / 1e3,
            "sampled_user_us": server["user_s"] / requests * 1e6,
            "cpu_us": cpu / requests * 1e6,
            "syscalls": server["syscalls"] / requests,
            "busy": cpu / server["seconds"],
        }


def run_wrk(settings, port, connections):
    """A second of HTTP requests."""
    place = ["taskset", "-c", str(settings.cpus[1])] if settings.cpus else []
    result = subprocess.run(place + ["wrk", "-t1", f"-c{connections}", "-d1s", "--latency", f"http://127.0.0.1:{port}/"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", result.stdout, re.M)
    latencies = re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", result.stdout, re.M)
    if rate is None or "Non-2xx" in result.stdout:
        raise Failed(f"wrk printed {result.stdout!r}")
    unit = {"us": 1, "ms": 1e3, "s": 1e6}
    return {"rate": float(rate[1])} | {f"p{share}_us": float(value) * unit[name] for share, value, name in latencies}


def run_load(settings, port, connections, size, seconds, *options, pass_fds=(), idle=(), program="load"):
    argv = [settings.path(program), *options, str(port), str(connections), str(size), str(seconds),
            *idle]
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            env=settings.env(), pass_fds=pass_fds, timeout=150, check=False)
    if result.returncode != 0:
        raise Failed(f"the load on port {port} ended with {result.returncode}")
    return decode(result.stdout, "load")


class IdleConnections:
    """A load that only holds idle connections."""

    def __init__(self, server, connections, size, idle):
        settings = server.settings
        self.process = subprocess.Popen(
            [settings.path("load"), "--hold", "--pid", str(server.process.pid), "--warmup",
             str(settings.warmup), *server.load_options, str(server.port), str(connections), str(size), "0", str(idle)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=settings.env())
        report = decode(self.process.stdout.readline(), "load --hold")
        self.bytes_each = (report["resident_after"] - report["resident_before"]) / idle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class Poller:
    """A client of the inspector that asks ten times a second."""

    def __init__(self, settings, program, server):
        self.process = subprocess.Popen(
            [settings.path(program), server.inspector], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=settings.env())
        try:
            decode(self.process.stdout.readline(), program)
        except Failed:
            self.end()
            raise

    def end(self):
        """Returns its report, an empty text if it failed."""
        self.process.stdin.close()
        report = self.process.stdout.read()
        self.process.wait(20)
        self.process.stdout.close()
        return report


def rotated(items, by):
    """So that nobody always comes first."""
    by %= max(len(items), 1)
    return items[by:] + items[:by]


def round_calls(settings, benchmark, contenders, number):
    figures = {}
    for contender in rotated(contenders, number):
        for attempt in range(RETRIES):
            sample = run_program(settings, settings.argv(contender) + [str(settings.scale)])
            if not settings.is_disturbed(sample["waited_s"], sample["wall_s"], attempt):
                break
        del sample["mode"]
        figures[contender.name] = [sample]
    return figures


def round_echo(settings, benchmark, contenders, number):
    connections, size = benchmark.options["connections"], benchmark.options["size"]
    slices = 1 if settings.quick else benchmark.options.get("slices", settings.slices)
    samples = {contender.name: [] for contender in contenders}
    with contextlib.ExitStack() as stack:
        servers = {c.name: stack.enter_context(Server(settings, settings.argv(c), benchmark.options))
                   for c in contenders}
        for slice_number in range(slices):
            for contender in rotated(contenders, number + slice_number):
                server = servers[contender.name]
                if contender.poll is None:
                    samples[contender.name].append(server.sample(connections, size))
                    continue
                poller = Poller(settings, contender.poll, server)
                try:
                    sample = server.sample(connections, size)
                finally:
                    report = poller.end()
                report = decode(report, contender.poll)
                sample["answers"] = report["answers"] / report["seconds"]
                sample["slowest_ms"] = report["slowest_ms"]
                samples[contender.name].append(sample)
    return samples


def round_udp(settings, benchmark, contenders, number):
    """Each has a server of its own; they are asked one after another."""
    options = benchmark.options
    samples = {contender.name: [] for contender in contenders}
    with contextlib.ExitStack() as stack:
        servers = {c.name: stack.enter_context(Server(settings, settings.argv(c))) for c in contenders}
        for slice_number in range(1 if settings.quick else settings.slices):
            for contender in rotated(contenders, number + slice_number):
                samples[contender.name].append(servers[contender.name].sample(
                    options["connections"], options["size"], "load-udp", options["load"]))
    return samples


def round_idle(settings, benchmark, contenders, number):
    """Two servers of each: one with the idle connections, and one without."""
    connections, size = benchmark.options["connections"], benchmark.options["size"]
    idle = int(benchmark.options["idle"] * settings.idle_scale)
    samples = {contender.name: [] for contender in contenders}
    with contextlib.ExitStack() as stack:
        pairs = {}
        for contender in contenders:
            quiet, crowded = (stack.enter_context(Server(settings, settings.argv(contender), benchmark.options))
                              for _ in range(2))
            crowd = stack.enter_context(IdleConnections(crowded, connections, size, idle))
            pairs[contender.name] = (quiet, crowded, crowd)
        for slice_number in range(settings.slices):
            for contender in rotated(contenders, number + slice_number):
                quiet, crowded, crowd = pairs[contender.name]
                without = quiet.sample(connections, size)
                sample = crowded.sample(connections, size)
                sample["rate_without"] = without["rate"]
                sample["kept"] = sample["rate"] / without["rate"]
                sample["bytes_idle"] = crowd.bytes_each
                samples[contender.name].append(sample)
    return samples


def round_http(settings, benchmark, contenders, number):
    """wrk measures for a second at least: each has one turn."""
    if shutil.which("wrk") is None:
        raise Failed("wrk is not installed")
    samples = {}
    for contender in rotated(contenders, number):
        with Server(settings, settings.argv(contender)) as server:
            server.sample_http(benchmark.options["connections"])
            samples[contender.name] = [server.sample_http(benchmark.options["connections"])]
    return samples


def perf_counts_instructions():
    if shutil.which("perf") is None:
        return False
    result = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                            env=dict(os.environ, LC_ALL="C"))
    return result.returncode == 0 and re.match(rb"\d+,", result.stderr.strip()) is not None


def instruction_counter():
    """The way to count instructions here, or None."""
    if perf_counts_instructions():
        return "perf"
    return "callgrind" if shutil.which("valgrind") else None


def count_instructions(settings, counter, contender, connections, size, requests):
    """User instructions of a server's whole life with so many requests."""
    with tempfile.NamedTemporaryFile() as log:
        prefix = {
            "perf": ["perf", "stat", "-x,", "-e", "instructions:u", "-o", log.name],
            "callgrind": ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                          f"--log-file={log.name}"],
        }[counter]
        with Server(settings, prefix + settings.argv(contender)) as server:
            server.load(connections, size, 60, 0, "--requests", str(requests))
        text = log.read().decode()
    match = re.search(r"^(\d+),.*instructions" if counter == "perf" else r"Collected : (\d+)",
                      text, re.M)
    if match is None:
        raise Failed(f"{counter} counted nothing: {text.strip()!r}")
    return int(match.group(1))


def round_instructions(settings, benchmark, contenders, number):
    """Start, connections and end are the same in a long life as in a short one."""
    counter = instruction_counter()
    if counter is None:
        raise Failed("neither perf nor valgrind can count instructions here")
    connections, size = benchmark.options["connections"], benchmark.options["size"]
    few, many = settings.instruction_requests
    figures = {}
    for contender in contenders:
        counts = [count_instructions(settings, counter, contender, connections, size, n)
                  for n in (few, many)]
        figures[contender.name] = [{"instructions": (counts[1] - counts[0]) / (many - few)}]
    return figures


ROUNDS = {"calls": round_calls, "echo": round_echo, "http": round_http, "udp": round_udp, "idle": round_idle,
          "instructions": round_instructions}


def run(settings, benchmark, progress=True):
    """Figures of each contender: for each a list, in the order in which all had their turns."""
    contenders = [c for c in benchmark.contenders if settings.is_built(c)]
    # Counts of instructions repeat: one round says it all.
    rounds = 1 if benchmark.kind == "instructions" else settings.rounds
    results = {contender.name: {} for contender in contenders}
    for number in range(rounds):
        if progress and sys.stderr.isatty():
            print(f"\r{benchmark.name}: round {number + 1} of {rounds} ", end="",
                  file=sys.stderr, flush=True)
        for name, samples in ROUNDS[benchmark.kind](settings, benchmark, contenders,
                                                    number).items():
            for sample in samples:
                for key, value in sample.items():
                    results[name].setdefault(key, []).append(value)
    if progress and sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results
