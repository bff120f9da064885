"""Small MCP servers, written from the specification alone."""
