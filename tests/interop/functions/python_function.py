"""Handlers for AWS's runtime client for Python; the request's path says how they behave."""

import json
import os
import sys

served = 0


def handler(event, context):
    global served
    if event["rawPath"] == "/fail":
        raise KeyError("TABLE")
    if event["rawPath"] == "/exit":
        sys.stdout.flush()
        os._exit(3)
    served += 1
    body = json.dumps({"served": served, "left_ms": context.get_remaining_time_in_millis()})
    return {"statusCode": 201, "headers": {"content-type": "application/json"}, "body": body}


def value(event, context):
    return {"ok": True}
