"""Daemon threads behind the interface of an executor."""

import threading

import pytest

from prober.app.background import DaemonExecutor


def test_results_and_failures_come_back() -> None:
    with DaemonExecutor(2, "test") as pool:
        assert pool.submit(divmod, 7, 2).result(5) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 7, 0).result(5)
        assert list(pool.map(str, range(20))) == [str(number) for number in range(20)]


def test_as_many_calls_as_there_are_threads_run_at_once_in_daemons() -> None:
    meeting = threading.Barrier(3)

    def meet() -> bool:
        meeting.wait(5)
        return threading.current_thread().daemon

    with DaemonExecutor(3, "test") as pool:
        assert [each.result(5) for each in [pool.submit(meet) for _ in range(3)]] == [True, True, True]


def test_a_hanging_call_does_not_hold_up_the_shutdown() -> None:
    begun, release = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(60)

    pool = DaemonExecutor(1, "test")
    hanging = pool.submit(hang)
    assert begun.wait(5)
    waiting = pool.submit(str)
    pool.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    assert not hanging.done()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(str)
    release.set()
    assert hanging.result(5) is None


def test_a_cancelled_call_is_not_run() -> None:
    release, ran = threading.Event(), threading.Event()
    pool = DaemonExecutor(1, "test")
    pool.submit(release.wait, 60)
    pool.submit(ran.set).cancel()
    release.set()
    pool.shutdown()
    assert not ran.is_set()


def test_threads_that_the_machine_refuses_for_a_while_are_not_missed_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with DaemonExecutor(2, "test") as pool:
        with monkeypatch.context() as crowded:
            crowded.setattr(threading.Thread, "start", refuse)
            for _ in range(3):
                with pytest.raises(RuntimeError, match="can't start"):
                    pool.submit(str)
        assert pool.submit(divmod, 7, 2).result(5) == (3, 1)
        with monkeypatch.context() as crowded:
            crowded.setattr(threading.Thread, "start", refuse)
            assert pool.submit(divmod, 7, 3).result(5) == (2, 1), "one thread is there"
