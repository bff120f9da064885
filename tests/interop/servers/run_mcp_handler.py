"""A Lambda handler of `run-mcp-servers-with-aws-lambda`, which starts a server of standard streams for each request."""

import sys
from pathlib import Path

from mcp.client.stdio import StdioServerParameters
from mcp_lambda import LambdaFunctionURLEventHandler, StdioServerAdapterRequestHandler

SERVER = StdioServerParameters(command=sys.executable, args=[str(Path(__file__).with_name("mcp_1_server.py")), "stdio"])
adapter = LambdaFunctionURLEventHandler(StdioServerAdapterRequestHandler(SERVER))


def handler(event, context):
    return adapter.handle(event, context)
