"""`mcp-prober template-check FILE…`: what the detectors would find after deployment, found before it in a template."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from checks.proofs import counted
from checks.templates.judging import Finding, Judgement, judge_template
from checks.templates.stack import Template
from checks.text import clean
from prober import values
from prober.cli.credentials import checked
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.findings import JSON_VERSION, as_json, exit_code, in_words, lines_of
from prober.cli.progress import working
from prober.endpoints.template_file import UnreadableTemplate, read_template

MAX_FILES: Final = 100
NAMED: Final = 10
"""Functions that are proposed where none is known to be a server."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="template of SAM or CloudFormation, in YAML or JSON, or what CDK synthesized (cdk.out/*.template.json)",
    )
    parser.add_argument(
        "--function",
        metavar="ID",
        action="append",
        default=[],
        help="logical id of an MCP server's function (repeatable; default: those that speak of MCP)",
    )
    parser.add_argument("--region", metavar="REGION", help="where it will be deployed, if layers are to be compared")
    parser.add_argument("--client-timeout", metavar="S", help="how long clients wait, in seconds or such as 1m")
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif", "github"),
        default="text",
        help="form of the findings on stdout (default: %(default)s); in GitHub Actions annotations come by themselves",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 5 where there are warnings and no errors")
    parser.examples = (
        "mcp-prober template-check template.yaml --strict",
        "mcp-prober template-check cdk.out/*.template.json --function OrdersServer",
        "mcp-prober template-check template.yaml --format sarif > findings.sarif",
    )
    parser.epilog = (
        "Exit codes: 0 clean, 1 errors, 2 a file that cannot be read, 3 no function is known to be an MCP server, "
        "5 warnings under --strict. Nothing is asked of AWS and nothing is run; what a template does not show is "
        "listed, not guessed."
    )


def run(options: argparse.Namespace) -> int:
    if len(options.files) > MAX_FILES:
        raise CommandError(f"these are more than {MAX_FILES} files", "check them in several runs")
    region = None if options.region is None else checked("--region", values.aws_name, options.region)
    given = options.client_timeout
    timeout_s = None if given is None else float(checked("--client-timeout", values.duration_s, given))
    judged: list[tuple[str, Judgement]] = []
    with working("reading") as say:
        for path in dict.fromkeys(options.files):
            say(f"reading {path}")
            told = judge_template(_read(path), chosen=options.function, region=region, client_timeout_s=timeout_s)
            judged.append((str(path), told))
    _refuse_unknown(options.function, judged)
    findings = [each for _, told in judged for each in told.findings]
    print(_rendered(judged, findings, options.format))
    if options.format != "github" and os.environ.get("GITHUB_ACTIONS") == "true" and findings:
        sys.stdout.flush()
        print(_rendered(judged, findings, "github"), file=sys.stderr)
    code = exit_code(findings, strict=options.strict)
    if code != ExitCode.NOT_UP and not any(told.servers for _, told in judged):
        raise _nothing_judged([each for _, told in judged for each in told.others])
    return code


def _read(path: Path) -> Template:
    try:
        return read_template(path)
    except UnreadableTemplate as error:
        raise CommandError(str(error), error.hint) from None


def _refuse_unknown(names: Sequence[str], judged: Sequence[tuple[str, Judgement]]) -> None:
    """A mistyped name must not look like a clean server."""
    known = {each for _, told in judged for each in told.servers}
    missing = next((each for each in names if each not in known), None)
    if missing is not None:
        where = f"{judged[0][0]} has no" if len(judged) == 1 else "no template has a"
        raise CommandError(f"{where} function {missing}", "--function takes its logical id")


def _nothing_judged(functions: Sequence[str]) -> CommandError:
    """What was looked at without knowing a server must not look like a clean one."""
    if not functions:
        message, hint = "no MCP server was judged: there is no function at all", "name the templates of its functions"
    else:
        message = "no MCP server was judged: no function is known to be an MCP server"
        more = ", …" if len(functions) > NAMED else ""
        hint = f"name it with --function ID: {', '.join(clean(each, 100) for each in functions[:NAMED])}{more}"
    return CommandError(message, hint, code=ExitCode.UNOBSERVED)


def _rendered(judged: list[tuple[str, Judgement]], findings: list[Finding], form: str) -> str:
    if form == "json":
        return _json(judged)
    from prober.cli.dispatch import installed_version
    from prober.cli.findings_reports import as_annotations, as_sarif
    from prober.cli.reports import shown

    if form == "text":
        return shown(_text(judged, findings), form)
    placed = [(_from_here(file), each) for file, told in judged for each in told.findings]
    if form == "github":
        return as_annotations(placed, _tally(judged, findings))
    return as_sarif(placed, is_judged=any(told.servers for _, told in judged), version=installed_version())


def _from_here(file: str) -> str:
    """A path below the working directory as code hosts know it, who take that for the top of the checkout."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _text(judged: list[tuple[str, Judgement]], findings: list[Finding]) -> str:
    lines = []
    for file, told in judged:
        for each in told.findings:
            lines += [*lines_of(each, f"{file}:{each.line}" if each.line else file), ""]
        if told.servers:
            names = ", ".join(clean(each, 100) for each in told.servers)
            lines.append(f"{clean(file, 300)}: taken for MCP servers: {names}")
        if told.untold:
            lines += [f"{clean(file, 300)}: cannot be told from the template:"]
            lines += [f"    {clean(each, 300)}" for each in told.untold]
    return "\n".join([*lines, _tally(judged, findings)])


def _tally(judged: list[tuple[str, Judgement]], findings: list[Finding]) -> str:
    nothing = "nothing found" if any(told.servers for _, told in judged) else "no MCP server known"
    return f"{counted(len(judged), 'template')}: {in_words(findings) if findings else nothing}"


def _json(judged: list[tuple[str, Judgement]]) -> str:
    document = {
        "version": JSON_VERSION,
        "templates": [
            {
                "file": clean(file, 1000),
                "servers": [clean(each, 300) for each in told.servers],
                "untold": [clean(each, 500) for each in told.untold],
                "findings": [as_json(each, clean(file, 1000)) for each in told.findings],
            }
            for file, told in judged
        ],
    }
    from prober.cli.report_json import plain

    return plain(document, indent=2)
