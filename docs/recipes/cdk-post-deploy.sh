#!/usr/bin/env bash
# Deploys with the CDK and asks the server that its outputs file names.
#   STACK=OrdersStack OUTPUT=McpUrl ./cdk-post-deploy.sh
set -euo pipefail
: "${STACK:?name of the stack}" "${OUTPUT:=McpUrl}" "${WAIT:=120s}"

rm -f cdk-outputs.json # of another deployment
cdk deploy "$STACK" --require-approval never --outputs-file cdk-outputs.json
url="$(
    python3 -c '
import json, sys
stack, output = sys.argv[1:]
outputs = json.load(open("cdk-outputs.json")).get(stack, {})
if output not in outputs:
    sys.exit(f"stack {stack} has no output {output}: give it one, or name another with OUTPUT")
print(outputs[output])
' "$STACK" "$OUTPUT"
)"
mcp-prober check "$url" --wait "$WAIT" --passes 3 --report junit=mcp.xml
