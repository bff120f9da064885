"""Fan-out to live pages: bounded, and with an end."""

from dashboard.live import QUEUE_LENGTH, Hub, stream


async def test_every_client_hears_every_message() -> None:
    hub = Hub()
    with hub.subscribe() as one, hub.subscribe() as other:
        hub.publish("a1")
        assert (await one.get(), await other.get()) == ("a1", "a1")
    assert hub.clients == 0


async def test_a_client_that_does_not_keep_up_is_told_once_to_read_all_again() -> None:
    hub = Hub()
    with hub.subscribe() as slow, hub.subscribe() as fast:
        for number in range(QUEUE_LENGTH):
            hub.publish(f"a{number}")
            fast.get_nowait()
        hub.publish("one-too-many")
        assert slow.get_nowait() == ""
        assert slow.empty()
        assert fast.get_nowait() == "one-too-many"


async def test_a_stream_carries_reports_and_ends_with_the_hub() -> None:
    hub = Hub()
    events = stream(hub)
    assert await anext(events) == b"retry: 2000\n\n"
    hub.publish("a1")
    assert await anext(events) == b"event: report\ndata: a1\n\n"
    hub.publish("never read")
    hub.close()
    assert [event async for event in events] == []


async def test_a_stream_that_begins_while_the_hub_ends_ends_too() -> None:
    hub = Hub()
    hub.close()
    assert [event async for event in stream(hub)] == [b"retry: 2000\n\n"]


async def test_news_after_the_end_take_it_from_nobody_who_reads_slowly() -> None:
    hub = Hub()
    events = stream(hub)
    await anext(events)
    hub.close()
    for number in range(QUEUE_LENGTH + 1):
        hub.publish(f"a{number}")
    assert [event async for event in events] == []


async def test_a_stream_ends_so_that_whoever_hears_it_is_asked_anew_who_he_is() -> None:
    hub = Hub()
    assert [event async for event in stream(hub, lasts_s=0)] == [b"retry: 2000\n\n"]
    assert hub.clients == 0


async def test_a_silent_stream_keeps_itself_alive() -> None:
    events = stream(Hub(), keep_alive_s=0)
    await anext(events)
    assert await anext(events) == b": still here\n\n"
    await events.aclose()
