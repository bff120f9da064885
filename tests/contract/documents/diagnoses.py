"""Everything that can be named: the fault, how it is seen, what mends it."""

from typing import Final

from checks.catalog import DETECTORS
from prober.cli.explanations import EXPLANATIONS
from tests.contract.documents.tables import table

HEAD: Final = """\
# Diagnoses

What the prober can name, in the order in which it looks. The id is public: it stands in reports, notices, metrics and
links, and keeps its meaning. The verdict is what the diagnosis makes of an endpoint where it weighs most; information
changes none. A report says the same with the evidence of one server, and `mcp-prober explain ID` at the prompt.
"""


def diagnoses() -> str:
    """The document."""
    overview = table(
        ("diagnosis", "fault", "verdict"),
        ((f"[`{each.id}`](#{each.id})", each.fault, each.effect.value) for each in DETECTORS),
    )
    return "\n".join((HEAD, overview, "", *(_explained(each.id, each.fault) for each in DETECTORS)))


def _explained(identity: str, fault: str) -> str:
    known = EXPLANATIONS[identity]
    links = "".join(f"\n- <{each}>" for each in known.links)
    return f"## {identity}\n\n{fault}\n\n**Seen:** {known.seen}\n\n**Mended:** {known.fix}\n" + (
        f"{links}\n" if links else ""
    )
