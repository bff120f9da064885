#!/usr/bin/env bash
# Installs the prober that this action came with, its dependencies by hash, in a place of its own.
set -euo pipefail
source_of_action="$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)"
place="$RUNNER_TEMP/mcp-prober"
python3 -m venv "$place"
"$place/bin/pip" install --quiet --require-hashes -r "$source_of_action/requirements.lock"
"$place/bin/pip" install --quiet --no-build-isolation --no-deps "$source_of_action"
echo "$place/bin" >>"$GITHUB_PATH"
