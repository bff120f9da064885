#!/usr/bin/env bash
# Deploys with SAM and asks the server that stands in the stack's outputs.
#   STACK=orders OUTPUT=McpUrl ./sam-post-deploy.sh
set -euo pipefail
: "${STACK:?name of the stack}" "${OUTPUT:=McpUrl}" "${WAIT:=120s}"

sam deploy --stack-name "$STACK" --no-confirm-changeset --no-fail-on-empty-changeset
url="$(
    sam list stack-outputs --stack-name "$STACK" --output json |
        python3 -c '
import json, sys
stack, output = sys.argv[1:]
outputs = {each["OutputKey"]: each["OutputValue"] for each in json.load(sys.stdin)}
if output not in outputs:
    sys.exit(f"stack {stack} has no output {output}: give it one, or name another with OUTPUT")
print(outputs[output])
' "$STACK" "$OUTPUT"
)"
mcp-prober check "$url" --wait "$WAIT" --passes 3 --report junit=mcp.xml
