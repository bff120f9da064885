"""What holds for every scenario of the lab, and faults that are told apart by how they come and go."""

import json
import re

import pytest

from prober.lab import SCENARIOS, Front, LabError, chosen, list_text
from prober.lab import misbehaviour as bad
from prober.lab.credentials import ENVIRONMENT
from prober.lab.faults.parts import streaming
from prober.lab.http import CutShort, Request, Response, read_body
from prober.lab.runtime.function import FunctionFailed
from prober.lab.servers.stateless import StatelessServer
from tests.unit.lab.messages import Post

NAMED_BY_THE_OWNER = {
    "cold-start", "adapter-missing", "invoke-mode-mismatch", "tools-empty", "streaming-disabled", "streaming-buffered",
    "not-mcp", "handshake-rejected", "connect-failure", "response-timeout",
}  # fmt: skip


def test_ids_are_unique_and_in_kebab_case() -> None:
    ids = [each.id for each in SCENARIOS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each) for each in ids)


def test_every_diagnosis_that_the_owner_named_has_a_fault_of_that_name() -> None:
    assert {each.id: each.diagnosis for each in SCENARIOS if each.id in NAMED_BY_THE_OWNER} == {
        each: each for each in NAMED_BY_THE_OWNER
    }


def test_a_bad_verdict_always_has_a_diagnosis() -> None:
    assert [each.id for each in SCENARIOS if each.verdict != "up" and each.diagnosis is None] == []


def test_a_diagnosis_stands_beside_another_one_only_and_both_are_listed() -> None:
    assert [each.id for each in SCENARIOS if each.beside and each.diagnosis is None] == []
    (remapped,) = chosen(["auth-challenge-remapped"])
    assert remapped.diagnoses == ("auth-required", "auth-challenge-remapped")
    assert "auth-required, auth-challenge-remapped" in list_text()


def test_a_check_warns_alone_only_where_no_diagnosis_says_more() -> None:
    assert [each.id for each in SCENARIOS if each.warns and (each.verdict != "up" or each.diagnosis)] == []
    (odd,) = chosen(["json-byte-order-mark"])
    assert not odd.healthy


def test_the_demo_leaves_out_what_it_cannot_configure_and_what_takes_a_full_probe() -> None:
    left_out = {each.id for each in SCENARIOS if not each.in_demo}
    assert {"aws-iam", "oauth", "session-lost-at-once"} <= left_out
    assert not {"bearer", "session-lost", "stateless-everything"} & left_out


def test_the_address_of_a_token_endpoint_is_that_of_its_scenario() -> None:
    (oauth, dual) = chosen(["oauth", "dual"])
    assert oauth.options_at("http://127.0.0.1:7/mcp")["oauth"]["token_url"] == "http://127.0.0.1:7/token"
    assert dual.options_at("http://127.0.0.1:7/mcp") == dual.options


def test_every_secret_that_a_scenario_refers_to_is_in_the_environment_of_the_lab() -> None:
    named = {reference for each in SCENARIOS for reference in re.findall(r'"env:(\w+)"', json.dumps(each.options))}
    assert named == {*ENVIRONMENT, "MCP_PROBER_LAB_NO_SUCH_SECRET"}


def test_options_are_plain_data() -> None:
    for each in SCENARIOS:
        assert json.loads(json.dumps(each.options)) == each.options


def test_a_scenario_has_a_server_an_address_or_a_closed_port() -> None:
    for each in SCENARIOS:
        has_server = each.front not in (Front.CLOSED, Front.ELSEWHERE)
        assert (each.build is not None) is has_server, each.id
        assert (each.address is not None) is (each.front is Front.ELSEWHERE), each.id


def test_scenarios_are_chosen_by_id_in_the_order_given_and_once() -> None:
    assert [each.id for each in chosen(["dual", "cold-start", "dual"])] == ["dual", "cold-start"]
    assert chosen([]) == SCENARIOS


@pytest.mark.parametrize(("wanted", "hint"), [("daul", "did you mean dual"), ("%$!", "see mcp-prober lab --list")])
def test_an_unknown_scenario_is_refused_with_a_way_out(wanted: str, hint: str) -> None:
    with pytest.raises(LabError, match=re.escape(repr(wanted)) + ".*" + hint):
        chosen([wanted])


def test_the_list_shows_every_scenario_with_its_verdict() -> None:
    lines = list_text().splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [[each.id, each.verdict] for each in SCENARIOS]


async def test_flapping_goes_down_and_recovers_by_the_count_of_openings(post: Post) -> None:
    app = bad.flapping(StatelessServer(), down=range(1, 3), period=4)
    opening = post({"jsonrpc": "2.0", "id": 1, "method": "server/discover"})
    other = post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    async def alive(request: Request) -> bool:
        try:
            await app(request)
        except FunctionFailed:
            return False
        return True

    states = [(await alive(opening), await alive(other)) for _ in range(6)]
    assert states == [(up, up) for up in (True, False, False, True, True, False)]


async def test_a_truncated_body_has_headers_that_fit_the_half(post: Post) -> None:
    async def app(request: Request) -> Response:
        return Response(headers=(("Content-Type", "application/json"),), body=b'{"a":1}')

    assert (await bad.truncated(app)(post({}))).body == b'{"a'


async def test_a_broken_off_body_promises_more_than_comes(post: Post) -> None:
    async def app(request: Request) -> Response:
        return Response(body=b"0123456789")

    response = await bad.broken_off(app)(post({}))
    assert response.header("content-length") == "10"
    assert await anext(response.body) == b"01234"
    with pytest.raises(CutShort):
        await anext(response.body)


async def test_an_interception_leaves_other_methods_alone(post: Post) -> None:
    async def app(request: Request) -> Response:
        return Response(status=418)

    handler = bad.intercept(app, {"tools/call": bad.empty_stream})
    assert (await handler(post({"method": "tools/list"}))).status == 418
    assert (await handler(post(b"not json"))).status == 418
    intercepted = await handler(post({"method": "tools/call"}))
    assert (intercepted.header("content-type"), await read_body(intercepted.body)) == ("text/event-stream", b"")


async def test_an_edge_replaces_and_removes_request_headers_whatever_their_spelling() -> None:
    async def app(request: Request) -> Response:
        return Response(headers=request.headers)

    request = Request(method="GET", target="/", headers=(("Accept", "a/b"), ("Mcp-Method", "ping"), ("X-Own", "1")))
    response = await bad.altered(app, {"accept": "c/d", "mcp-method": None})(request)
    assert response.headers == (("X-Own", "1"), ("accept", "c/d"))


async def test_a_server_with_a_list_of_hosts_refuses_every_other_name() -> None:
    async def app(request: Request) -> Response:
        return Response()

    hosts = ("orders.example.com", "127.0.0.1:8080", None)
    asked = [Request(method="GET", target="/", headers=(("Host", each),) if each else ()) for each in hosts]
    answers = [await bad.only_for_host(app, "orders.example.com")(each) for each in asked]
    assert [(each.status, each.body) for each in answers] == [(200, b""), *[(421, b"Invalid Host header")] * 2]


async def test_a_mounted_application_answers_at_its_path_alone() -> None:
    app = bad.mounted(StatelessServer(), "/mcp")
    found, missed = [await app(Request(method="GET", target=target)) for target in ("/mcp?a=1", "/prod/mcp")]
    assert found.status == 405
    assert (missed.status, missed.body) == (404, b'{"detail":"Not Found"}')


async def test_an_abandoned_stream_tells_of_progress_and_never_answers(post: Post) -> None:
    call = post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": {"progressToken": "t"}}})
    (line,) = [
        line
        for line in (await read_body(bad.abandoned_stream(call).body)).decode().splitlines()
        if line.startswith("data: ")
    ]
    told = json.loads(line.removeprefix("data: "))
    assert (told["method"], told["params"]["progressToken"]) == ("notifications/progress", "t")


async def test_a_dying_stream_ends_within_an_event_with_the_runtimes_trailer(post: Post) -> None:
    body = await read_body(bad.dying_stream(post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).body)
    begun, mark, trailer = body.partition(b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n")
    assert begun.startswith(b"event: message\ndata: {")
    assert b"\n\n" not in begun
    assert mark
    assert re.fullmatch(rb"Lambda-Runtime-Function-Error-Body: [A-Za-z0-9+/]+=*\r\n", trailer)


async def test_a_redirect_names_the_other_path_of_the_same_host() -> None:
    app = bad.redirects(StatelessServer(), from_path="/mcp", to_path="/mcp/")
    response = await app(Request(method="POST", target="/mcp", headers=(("Host", "h:1"),)))
    assert (response.status, response.header("location")) == (307, "http://h:1/mcp/")


def test_every_build_makes_a_fresh_handler() -> None:
    build = streaming(StatelessServer)
    assert build() is not build()
