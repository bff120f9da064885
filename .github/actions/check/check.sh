#!/usr/bin/env bash
# Turns the action's inputs into one command line. Every value is a word of its own, whatever stands in it.
set -euo pipefail

words=(check --profile "$PROFILE" --passes "$PASSES" --fail-on "$FAIL_ON")

one() { # OPTION VALUE
    if [[ -n "$2" ]]; then
        words+=("$1=$2")
    fi
}

each_line() { # OPTION LINES
    local line
    while IFS= read -r line; do
        line="${line#"${line%%[![:space:]]*}"}"
        line="${line%"${line##*[![:space:]]}"}"
        one "$1" "$line"
    done <<<"$2"
}

one --config "$CONFIG"
one --label "$LABEL"
one --wait "$WAIT"
one --bearer "$BEARER"
one --expect-version "$EXPECT_VERSION"
one --answer-within "$ANSWER_WITHIN"
one --baseline "$BASELINE"
one --cold "$COLD"
each_line --canary "$CANARIES"
each_line --expect-tool "$EXPECT_TOOLS"
each_line --report "$REPORTS"
if [[ -n "$CONFIG" && -z "$LABEL" && -z "${TARGETS//[[:space:]]/}" ]]; then
    words+=(--all)
fi
words+=(--)
while read -r target; do
    if [[ -n "$target" ]]; then
        words+=("$target")
    fi
done <<<"$TARGETS"

code=0
mcp-prober "${words[@]}" || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
