#!/usr/bin/env bash
# Deploys with the CDK and asks the server that its outputs file names.
#   STACK=OrdersStack OUTPUT=McpUrl ./cdk-post-deploy.sh
set -euo pipefail
: "${STACK:?name of the stack}" "${OUTPUT:=McpUrl}"

cdk deploy "$STACK" --require-approval never --outputs-file cdk-outputs.json
url="$(
    python3 -c '
import json, sys
print(json.load(open("cdk-outputs.json"))[sys.argv[1]][sys.argv[2]])
' "$STACK" "$OUTPUT"
)"
mcp-prober check "$url" --wait 120s --passes 3 --report junit=mcp.xml
