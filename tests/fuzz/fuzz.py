"""Coverage-guided fuzzing of what reads hostile bytes: `python tests/fuzz/fuzz.py [--seconds 60] [TARGET ...]`.

Each target runs in a process of its own, from the inputs kept in `corpus/TARGET`. An input that breaks an assertion is
written beside the corpus and named; put it into the corpus with the mend, and the unit tests replay it for ever.
"""

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))


def run_one(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process; the fuzzer ends the process itself."""
    import atheris

    # Not httpx and its kin: only code that reads the bytes should guide the fuzzer, and the start stays quick.
    with atheris.instrument_imports(
        include=["prober.net.http1", "prober.wire", "prober.storage.spool_format", "checks", "httpx_sse"]
    ):
        from tests.fuzz.targets import TARGETS

    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument("--one", metavar="TARGET", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.one:
        run_one(options.one, [*rest, *options.targets])
        return 0
    if find_spec("atheris") is None:
        print(f"skipped: atheris has no build for Python {sys.version_info[0]}.{sys.version_info[1]} on this machine")
        return 0
    from tests.fuzz.targets import TARGETS

    return max([fuzz(name, options.seconds) for name in options.targets or TARGETS])


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target in a process of its own; new inputs are thrown away with it, broken ones are kept."""
    kept = HERE / "corpus" / name
    with tempfile.TemporaryDirectory() as found:
        command = [sys.executable, __file__, "--one", name, found, str(kept)]
        limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"]
        done = subprocess.run(
            [*command, *limits, "-print_final_stats=1", f"-artifact_prefix={HERE}/broken-{name}-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode:
        print(done.stdout[-8000:])
    said = dict(line.removeprefix("stat::").split(":", 1) for line in done.stdout.splitlines() if "stat::" in line)
    inputs, paths = (said.get(key, "?").strip() for key in ("number_of_executed_units", "new_units_added"))
    print(
        f"{name:10} {'BROKEN' if done.returncode else 'held'}: {inputs} inputs, {paths} new paths, {seconds} s",
        flush=True,
    )
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
