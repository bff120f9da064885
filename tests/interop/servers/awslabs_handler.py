"""A Lambda handler built with `awslabs.mcp_lambda_handler`."""

from awslabs.mcp_lambda_handler import MCPLambdaHandler

server = MCPLambdaHandler(name="interop", version="1.0.0")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: the first number
        b: the second number
    """
    return a + b


def handler(event, context):
    return server.handle_request(event, context)
