"""A function process on the bare Runtime API; the request's path says how it behaves."""

import json
import os
import sys
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def post(path: str, body: object) -> None:
    request = urllib.request.Request(API + path, json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request).close()


def main() -> None:
    if os.environ.get("BREAK_INIT") == "error":
        post("/init/error", {"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'app'"})
    if os.environ.get("BREAK_INIT"):
        sys.exit("no use")
    while True:
        with urllib.request.urlopen(f"{API}/invocation/next") as answer:
            request_id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
        match event["rawPath"]:
            case "/die":
                sys.exit(3)
            case "/hang":
                time.sleep(60)
            case "/error":
                post(f"/invocation/{request_id}/error", {"errorType": "KeyError", "errorMessage": "TABLE"})
            case _:
                body = {
                    "pid": os.getpid(),
                    "request_id": request_id,
                    "body": event.get("body"),
                    "env": sorted(os.environ),
                }
                post(f"/invocation/{request_id}/response", {"statusCode": 200, "body": json.dumps(body)})


if __name__ == "__main__":
    main()
