"""Prompts and resources that a server offers beside its tools.

Source: MCP specification, server/prompts and server/resources, alike in all revisions but for the code of a resource
that is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from prober.lab.servers import rpc

CACHED: Final = frozenset({"prompts/list", "resources/list", "resources/templates/list", "resources/read"})
"""Methods whose results carry caching hints in the stateless era (2026-07-28, server/utilities/caching)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What is offered, by name and by address. None stands for a feature that the server does not have."""

    prompts: Mapping[str, str] | None = None
    resources: Mapping[str, str] | None = None
    resource_not_found: int = rpc.INVALID_PARAMS

    def capabilities(self, settings: Mapping[str, Any]) -> rpc.Json:
        """The declaration of what is offered, each part with these settings."""
        offered = {"prompts": self.prompts, "resources": self.resources}
        return {name: dict(settings) for name, items in offered.items() if items is not None}

    def answer(self, method: str, params: Mapping[str, Any]) -> rpc.Json | None:
        """The result of a method, or None where the method is not served. Raises Refused for what is not there."""
        if method.startswith("prompts/") and self.prompts is not None:
            return self._of_prompts(self.prompts, method, params)
        if method.startswith("resources/") and self.resources is not None:
            return self._of_resources(self.resources, method, params)
        return None

    def _of_prompts(self, prompts: Mapping[str, str], method: str, params: Mapping[str, Any]) -> rpc.Json | None:
        match method:
            case "prompts/list":
                return {"prompts": [{"name": name} for name in prompts]}
            case "prompts/get":
                text = prompts.get(str(params.get("name")))
                if text is None:
                    raise rpc.Refused(200, rpc.INVALID_PARAMS, f"Unknown prompt: {params.get('name')}")
                return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}
            case _:
                return None

    def _of_resources(self, resources: Mapping[str, str], method: str, params: Mapping[str, Any]) -> rpc.Json | None:
        match method:
            case "resources/list":
                return {"resources": [{"uri": uri, "name": uri.rpartition("/")[2]} for uri in resources]}
            case "resources/templates/list":
                return {"resourceTemplates": []}
            case "resources/read":
                uri = str(params.get("uri"))
                if uri not in resources:
                    raise rpc.Refused(200, self.resource_not_found, "Resource not found", data={"uri": uri})
                return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": resources[uri]}]}
            case _:
                return None


SHELVES: Final = Library(
    prompts={"summary": "Summarise the orders of this week."},
    resources={"lab://orders/terms": "Delivery within three days."},
)
"""Something of either kind."""
