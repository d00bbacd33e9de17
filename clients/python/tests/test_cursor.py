"""Checks the cursor: it never passes an event that has not come, so that the next connection can bring it."""

import asyncio
import unittest
from typing import Any
from unittest import mock

from tickcast import Client, Failure, Options
from tickcast._client import _Attempt
from tickcast._closing import Ended
from tickcast._lines import LineLink, _Line
from tickcast._messages import Raw, Reset
from tickcast._place import Place
from tickcast._websocket import WebSocketLink, _Asked
from tickcast._wishes import Group, Way


def event(seq: int, offset: int) -> Raw:
    return {"type": "trade", "symbol": "AAPL", "seq": seq, "offset": offset, "ts": 1, "price": 1.0, "size": 1}


def snapshot(symbol: str = "AAPL", trades: int = 57, offset: int = 100) -> Raw:
    return {"type": "snapshot", "symbol": symbol, "offset": offset, "seq": {"trades": trades}}


def reached(resets: list[Reset]) -> Place:
    """Returns the place of a client of AAPL that has got the events up to offset 100."""
    place = Place(resets.append)
    place.wishes.add(["AAPL"], ["trades"], Way("all"))
    place.update()
    place.meet("e1")
    place.gate.expect(["AAPL"], ["trades"])
    place.gate.judge(snapshot())
    place.reached(100, is_exact=True)
    return place


def connected(client: Client, sent: list[Raw]) -> WebSocketLink:
    """Returns a connection that is ready and keeps its requests."""
    link = WebSocketLink(client, 10.0, None)
    link.is_ready = True

    def send(request: Raw) -> int:
        sent.append(request)
        return len(sent)

    mock.patch.object(link, "_send", send).start()
    return link


class Epochs(unittest.TestCase):
    def test_a_market_that_has_moved_is_a_reset_for_all_lines_once_and_numbers_go_on(self) -> None:
        resets: list[Reset] = []
        place = reached(resets)
        place.gate.judge({"type": "lag", "skipped": 2, "since_offset": 101})
        lines = [_Line(Group(("AAPL",), ("trades",), Way("all")), ("e1", 100), mock.Mock()) for _ in range(2)]
        for line in lines:
            place.move_to("e2", True, line, ["AAPL", "MSFT"])
        self.assertEqual(resets, [{"type": "reset", "symbols": ["*"], "reason": "moved"}])
        self.assertEqual(place.cursor, ("e2", 100), "the server refuses it until each line has got on")
        for line in lines:
            verdicts = [place.gate.judge(snapshot(trades=59, offset=110), line) for _ in range(2)]
            self.assertEqual(verdicts, ["pass", "drop"], "nobody has asked for a second one")
        self.assertEqual(place.gate.judge(event(60, 111)), "pass", "the lag has announced 58 and 59")
        self.assertEqual(place.gate.judge(event(62, 113)), "hole")

    def test_a_symbol_whose_values_of_another_time_an_ended_connection_was_to_bring_begins_with_a_snapshot(self) -> None:
        place = reached([])
        place.wishes.add(["MSFT"], ["trades"], Way("all"))
        place.gate.expect(["MSFT"], ["trades"])
        place.gate.judge(snapshot("MSFT", trades=9))
        place.move_to("e2", True, "socket", ["AAPL", "MSFT"])
        place.reached(110, is_exact=True)
        self.assertEqual(place.gate.judge(snapshot(offset=110), "socket"), "pass")
        place.gate.disconnect()
        self.assertEqual([place.after_of(symbol, ["trades"], "all") for symbol in ("AAPL", "MSFT")], [110, None])

    def test_what_is_not_resumed_yet_is_of_the_time_before_and_the_cursor_goes_on(self) -> None:
        client = Client("http://localhost/")
        client.place = reached([])
        link = connected(client, [])
        link._pending[1] = _Asked(Group(("AAPL",), ("trades",), Way("all")), is_resumed=True, sent_s=0.0)
        link.control({"type": "epoch", "epoch": "e2", "offset": 110, "moved": True})
        self.assertEqual((client.place.cursor, client.place.after_of("AAPL", ["trades"], "all")), (("e2", 110), None))

    def test_a_stream_that_only_has_another_name_goes_on(self) -> None:
        resets: list[Reset] = []
        place = reached(resets)
        place.move_to("e2", False, "line", ["AAPL"])
        self.assertEqual((place.cursor, resets), (("e2", 100), []))
        self.assertEqual(place.gate.judge(snapshot(), "line"), "drop")
        self.assertEqual(place.gate.judge(event(58, 111)), "pass")


class EndingLink(WebSocketLink):
    """A connection that brings a cursor and is closed."""

    def __init__(self, client: Client, code: int) -> None:
        super().__init__(client, 10.0, None)
        self._code = code

    async def run(self) -> None:
        self._core.place.meet("e1")
        self._core.place.reached(100, is_exact=True)
        raise Ended(Failure("closed", self._code))


class Cursors(unittest.TestCase):
    def test_an_event_moves_the_cursor_of_topics_in_mode_all_only(self) -> None:
        place = reached([])
        place.reached(120, is_exact=False)
        self.assertEqual(place.cursor, ("e1", 100))
        self.assertEqual([place.after_of("AAPL", ["trades"], mode) for mode in ("all", "latest")], [120, 100])
        place.reached(110, is_exact=True)
        self.assertEqual((place.cursor, place.after_of("AAPL", ["trades"], "all")), (("e1", 110), 120))

    def test_topics_that_cannot_be_resumed_are_reported_as_lost_also_if_only_some_of_them_are_known(self) -> None:
        for symbol, channels in (("AAPL", ["quotes", "trades"]), ("*", ["trades"])):
            resets: list[Reset] = []
            place = Place(resets.append)
            place.wishes.add([symbol], ["trades"], Way("all"))
            place.update()
            place.meet("e1")
            place.lose([symbol], channels)
            self.assertEqual(resets, [], "nothing has come yet")
            place.gate.expect([symbol], channels)
            place.gate.judge(snapshot())
            place.lose([symbol], channels)
            self.assertEqual(resets, [{"type": "reset", "symbols": [symbol], "reason": "evicted"}])

    def test_a_subscription_to_every_symbol_is_resumed_after_a_later_answer_as_answers_come_in_order(self) -> None:
        client = Client("http://localhost/", Options(("websocket",)))
        link = WebSocketLink(client, 10.0, None)
        client.place.meet("e1")
        for number, symbol in enumerate(("*", "AAPL"), 1):
            client.place.wishes.add([symbol], ["trades"], Way("all"))
            link._pending[number] = _Asked(Group((symbol,), ("trades",), Way("all")), is_resumed=False, sent_s=0.0)
        client.place.update()
        client.place.start(90)
        link.control({"type": "subscribed", "id": 1})
        self.assertIsNone(client.place.after_of("*", ["trades"], "all"), "the snapshots are on their way")
        with mock.patch.object(link, "ping"):
            link.control({"type": "subscribed", "id": 2})
        self.assertEqual(client.place.after_of("*", ["trades"], "all"), 90)

    def test_a_channel_that_is_added_while_there_is_no_connection_begins_with_a_snapshot_and_the_others_are_resumed(self) -> None:
        for symbol in ("AAPL", "*"):
            client = Client("http://localhost/")
            client.place.wishes.add([symbol], ["trades"], Way("all"))
            client.place.update()
            client.place.meet("e1")
            first = connected(client, [])
            first.update()
            for message in ({"type": "subscribed", "id": 1}, snapshot(), {"type": "pong", "offset": 101}):
                first.control(message)
                client.place.gate.judge(message, first)
                first.passed(message)
            client.place.gate.disconnect()
            client.place.wishes.add([symbol], ["quotes"], Way("all"))
            client.place.update()
            sent: list[Raw] = []
            connected(client, sent).update()
            self.assertEqual([(each["channels"], each.get("after", {}).get("offset")) for each in sent], [(("trades",), 101), (("quotes",), None)])
            self.assertEqual(client._own, [], "no reset")

    def test_messages_that_a_connection_brings_after_it_was_given_up_do_not_move_the_cursor(self) -> None:
        async def run() -> tuple[bool, bool, Any]:
            client = Client("http://localhost/")
            link = LineLink(client, "sse", None)
            client.place.meet("e1")
            line = _Line(Group(("AAPL",), ("trades",), Way("all")), ("e1", 100), mock.Mock())
            link._lines[line.group] = line
            client._link = _Attempt(link, mock.Mock())
            taken = await client.take(link, [{"type": "heartbeat", "offset": 100}])
            await link._deliver(line, [], ("e1", 100))
            client._link = _Attempt(LineLink(client, "sse", None), mock.Mock())
            await link._deliver(line, [event(58, 120)], ("e1", 120))
            return taken, await client.take(link, []), client.cursor

        self.assertEqual(asyncio.run(run()), (True, False, ("e1", 100)))

    def test_a_topic_with_a_hole_is_resumed_before_it(self) -> None:
        place = reached([])
        place.gate.judge(event(58, 105))
        place.reached(150, is_exact=True)
        self.assertEqual(place.gate.judge(event(60, 151)), "hole")
        self.assertEqual(place.after_of("AAPL", ["trades"], "all"), 105)

    def test_a_topic_without_a_past_or_of_another_run_has_no_cursor(self) -> None:
        resets: list[Reset] = []
        place = reached(resets)
        self.assertIsNone(place.after_of("MSFT", ["trades"], "all"))
        place.meet("e1")
        self.assertEqual(resets, [])
        place.meet("e2")
        self.assertEqual((place.cursor, place.after_of("AAPL", ["trades"], "all")), (None, None))
        self.assertEqual(resets, [{"type": "reset", "symbols": ["*"], "reason": "restarted"}])

    def test_a_snapshot_of_an_ended_connection_is_not_awaited(self) -> None:
        place = reached([])
        place.gate.expect(["AAPL"], ["trades"])
        place.gate.expect(["*"], ["trades"])
        place.gate.disconnect()
        self.assertEqual([place.gate.judge(snapshot(symbol, 60, 130)) for symbol in ("AAPL", "KO")], ["drop", "drop"])

    def test_before_a_subscription_is_answered_no_heartbeat_moves_the_cursor(self) -> None:
        async def run() -> list[Any]:
            client = Client("http://localhost/")
            client.subscribe("AAPL")
            client.place.update()
            link = WebSocketLink(client, 10.0, None)
            link.is_ready = True
            link.update()
            cursors: list[Any] = []
            for message in (
                {"type": "welcome", "epoch": "e1", "offset": 90}, {"type": "heartbeat", "offset": 95}, {"type": "subscribed", "id": 1},
                snapshot(), {"type": "heartbeat", "offset": 104},
            ):
                link.control(message)
                link.passed(message)
                cursors.append(client.cursor)
            return cursors

        # From the snapshots on, a connection that is lost before the first pong can be resumed.
        self.assertEqual(asyncio.run(run()), [None, None, None, ("e1", 90), ("e1", 104)])

    def test_a_restart_of_the_server_ends_the_cursor_at_once_and_another_close_keeps_it(self) -> None:
        async def run(code: int) -> Any:
            ended = asyncio.Event()
            client = Client("http://localhost/", Options(transports=("websocket",)), lambda status: ended.set() if status.failure else None)
            client._link_of = lambda transport: EndingLink(client, code)  # type: ignore[method-assign]
            client.connect()
            await ended.wait()
            await client.close()
            return client.cursor

        self.assertEqual([asyncio.run(run(code)) for code in (1001, 1006)], [None, ("e1", 100)])


if __name__ == "__main__":
    unittest.main()
