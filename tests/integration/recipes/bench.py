"""What a pipeline's machine has on its PATH: the prober itself, and stand-ins for what would deploy or download.

The prober is a real process with the environment, the directory and the words that the recipe gave it; it is forked
from one that has imported it, because these tests would spend their time with imports otherwise.
"""

import json
import os
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.commands import Commands

PATIENCE_S = 60
STANDS_IN = ("pip", "python3", "sam", "cdk")

_PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    with line.makefile("rw") as file:
        file.write(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]) + "\\n")
        file.flush()
        status, out, err = json.loads(file.readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""

_STAND_IN = """#!/bin/bash
name="${0##*/}"
words="$name $*"
printf '%s\\n' "${words%%$'\\n'*}" >>"$BENCH/said"
[[ ! -f "$BENCH/says-$name" ]] || cat "$BENCH/says-$name"
[[ ! -x "$BENCH/does-$name" ]] || exec "$BENCH/does-$name" "$@"
"""


@dataclass
class Bench:
    """A directory of programs, and what was asked of them."""

    home: Path
    bin: Path
    prober: Path
    """Is not on the PATH until something puts it there, as an installation does."""
    adding: tuple[str, ...] = ()
    """Words that each `mcp-prober` gets after its options, such as canaries that never answer."""
    ends: int | None = None
    """How each `mcp-prober` ends, where it is not run for the recipe's answer to that alone."""
    asked: list[list[str]] = field(default_factory=list)
    """The words of each `mcp-prober`, as the recipe gave them."""

    @property
    def said(self) -> list[str]:
        """The first line of the command line of each program that stands in for another."""
        told = self.home / "said"
        return told.read_text().splitlines() if told.exists() else []

    def install(self) -> None:
        """Put the prober on the PATH."""
        (self.bin / "mcp-prober").symlink_to(self.prober)

    def answer(self, program: str, text: str) -> None:
        """What a program prints that stands in for another."""
        (self.home / f"says-{program}").write_text(text)

    def does(self, program: str, script: str) -> None:
        """What it does then, as lines of bash."""
        path = self.home / f"does-{program}"
        path.write_text(f"#!/bin/bash\n{script}")
        path.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        """All that a machine of a pipeline has in its environment, and nothing of ours."""
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), "BENCH": str(self.home), **more}

    def run(self, words: list[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a program of the pipeline to its end."""
        return subprocess.run(
            words, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )


@contextmanager
def bench_in(home: Path, commands: Commands) -> Iterator[Bench]:
    """Programs in a directory, of which `mcp-prober` asks this process to be forked."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as place:  # the path of a socket has to be short
        address = f"{place}/socket"
        bench = Bench(home, home / "bin", home / "prober" / "mcp-prober")
        for path, text in (
            (bench.prober, _PROGRAM.format(python=sys.executable, address=address)),
            *((bench.bin / name, _STAND_IN) for name in STANDS_IN),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        with socketserver.UnixStreamServer(address, _handler(bench, commands, Path(place))) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield bench
            finally:
                server.shutdown()


def _handler(bench: Bench, commands: Commands, place: Path) -> type[socketserver.StreamRequestHandler]:
    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words, env, cwd = json.loads(self.rfile.readline())
            bench.asked.append(words)
            ended = (bench.ends, "", "") if bench.ends is not None else self.run(words, env, Path(cwd))
            self.wfile.write(json.dumps(ended).encode() + b"\n")

        def run(self, words: list[str], env: Mapping[str, str], cwd: Path) -> tuple[int, str, str]:
            options = words.index("--") if "--" in words else len(words)
            words = [*words[:options], *bench.adding, *words[options:]]
            out, err = place / "out", place / "err"
            # Of a runner that runs these tests, the recipe's own run knows nothing.
            outer = {name: "" for name in os.environ if name.startswith(("GITHUB_", "GITLAB_", "AWS_"))}
            status = commands.start(words, {**outer, **env}, cwd, out, err).wait(PATIENCE_S)
            return status, out.read_text(), err.read_text()

    return Asked
