"""The MCP wire client: implements the port of checks.wire over HTTP."""
