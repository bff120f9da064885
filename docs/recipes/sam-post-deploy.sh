#!/usr/bin/env bash
# Deploys with SAM and asks the server that stands in the stack's outputs.
#   STACK=orders OUTPUT=McpUrl ./sam-post-deploy.sh
set -euo pipefail
: "${STACK:?name of the stack}" "${OUTPUT:=McpUrl}"

sam deploy --stack-name "$STACK" --no-confirm-changeset --no-fail-on-empty-changeset
url="$(
    sam list stack-outputs --stack-name "$STACK" --output json |
        python3 -c '
import json, sys
print(next(each["OutputValue"] for each in json.load(sys.stdin) if each["OutputKey"] == sys.argv[1]))
' "$OUTPUT"
)"
mcp-prober check "$url" --wait 120s --passes 3 --report junit=mcp.xml
