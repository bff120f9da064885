"""A function process on the bare Runtime API; the request's path says how it behaves."""

import http.client
import json
import os
import sys
import time
import urllib.request

HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
API = f"http://{HOST}/2018-06-01/runtime"
PRELUDE = {"statusCode": 201, "headers": {"Content-Type": "text/event-stream", "X-Pid": str(os.getpid())}}


def post(path: str, body: object) -> None:
    request = urllib.request.Request(API + path, json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request).close()


class Stream:
    """A streamed answer, written by hand: chunks, and what may come behind the last one."""

    def __init__(self, request_id: str) -> None:
        self._connection = http.client.HTTPConnection(HOST)
        self._connection.putrequest("POST", f"/2018-06-01/runtime/invocation/{request_id}/response")
        self._connection.putheader("Transfer-Encoding", "chunked")
        self._connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        self._connection.putheader("Content-Type", "application/vnd.awslambda.http-integration-response")
        self._connection.endheaders()
        self.chunk(json.dumps(PRELUDE).encode())
        self.chunk(b"\0" * 8)

    def chunk(self, data: bytes) -> None:
        self._connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self, trailers: bytes = b"") -> None:
        self._connection.send(b"0\r\n" + trailers + b"\r\n")
        self._connection.getresponse().read()


def stream(request_id: str, how: str) -> None:
    answer = Stream(request_id)
    answer.chunk(b"first,")
    match how:
        case "slowly":
            time.sleep(0.4)
        case "and-die":
            sys.exit(4)
        case "and-hang":
            time.sleep(60)
        case "and-fail":
            answer.end(b"Lambda-Runtime-Function-Error-Type: Runtime.Gone\r\n")
            return
        case "at-length":
            for _ in range(50):
                answer.chunk(b"x" * 100_000)
    answer.chunk(b"last")
    answer.end()


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
            case "/large":
                post(f"/invocation/{request_id}/response", "x" * 7_000_000)
            case path if path.startswith("/stream-"):
                stream(request_id, path.removeprefix("/stream-"))
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
