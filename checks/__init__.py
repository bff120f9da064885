"""What we ask an MCP server and what its answers mean: pure, no network, clock, disk or database."""
