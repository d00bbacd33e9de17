"""Checks the parts of the client that need no server: the table of close codes, the gate, the requests."""

import json
import re
import unittest
from pathlib import Path

from tickcast._closing import Backoff, advice_of, code_of
from tickcast._gate import Gate
from tickcast._messages import GarbledError, Raw, read_frame, suspicion_of
from tickcast._wishes import Way, Wishes, changes_of, groups_of, without


def trade(seq: int, offset: int, **more: object) -> Raw:
    return {"type": "trade", "symbol": "AAPL", "seq": seq, "offset": offset, "ts": 1, "price": 1.0, "size": 1, **more}


def correction(seq: int, offset: int, **more: object) -> Raw:
    of_trade = {"trade_seq": 58, "trade_ts": 1, "trade_price": 1.0, "trade_size": 1}
    return {"type": "correction", "symbol": "AAPL", "seq": seq, "offset": offset, "ts": 2, **of_trade, "price": 2.0, "size": 1, **more}


def snapshot(seq: int, offset: int = 100, symbol: str = "AAPL") -> Raw:
    return {"type": "snapshot", "symbol": symbol, "offset": offset, "seq": {"trades": seq, "quotes": 311}}


def gate_of(*channels: str) -> Gate:
    wishes = Wishes()
    wishes.add(["AAPL"], channels, Way("all"))
    gate = Gate(wishes)
    gate.expect(["AAPL"], channels)
    assert gate.judge(snapshot(57)) == "pass"
    return gate


class Closing(unittest.TestCase):
    def test_the_advice_for_each_close_code_is_that_of_the_documentation(self) -> None:
        text = (Path(__file__).parents[3] / "docs/PROTOCOL.md").read_text()
        rows = re.findall(r"^\| (\d{4}|the client's) \| `(\w+)` \| .+ \| ([^|]+) \| ?(keep|drop|) ?\|$", text, re.MULTILINE)
        self.assertGreater(len(rows), 12)
        for code, reason, after, cursor in rows:
            advice = advice_of(1000 if code == "the client's" else int(code))
            seconds = float(after.removesuffix(" s")) if re.fullmatch(r"[\d.]+ s", after) else 0
            self.assertEqual(advice, (after != "never", seconds * 1_000, cursor == "keep"), reason)
            if reason in ("shutdown", "lagging", "hub_overrun", "unread_replies"):
                self.assertEqual(code_of(reason), int(code))
        self.assertEqual([advice_of(code).reconnects for code in (1005, 4499, 4500, 4999)], [True, True, False, False])

    def test_delays_double_up_to_their_bound_and_a_demand_is_used_once(self) -> None:
        backoff = Backoff(lambda: 1.0)
        self.assertEqual([backoff.next() for _ in range(7)], [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
        backoff.reset()
        backoff.tell(840)
        self.assertEqual([backoff.next(), backoff.next(), backoff.next(5_000)], [840 + 250, 1_000, 10_000])
        backoff.tell(60_000)
        self.assertEqual(backoff.next(), 60_000 + 2_000)
        backoff.tell(9e9)
        self.assertEqual(backoff.next(), 300_000 + 4_000)
        backoff.tell(0)
        self.assertEqual(backoff.next(), 15_000, "never sooner than without")
        self.assertEqual(Backoff(lambda: 0.0).next(5_000), 5_000)


class Gates(unittest.TestCase):
    def test_each_event_passes_once(self) -> None:
        gate = gate_of("trades")
        events = [trade(57, 101), trade(58, 102), trade(58, 102), trade(59, 103)]
        self.assertEqual([gate.judge(event) for event in events], ["drop", "pass", "drop", "pass"])
        self.assertEqual(gate.judge(snapshot(57)), "drop", "it was not asked for")

    def test_announced_events_are_no_hole(self) -> None:
        gate = gate_of("trades")
        lag = {"type": "lag", "skipped": 2, "since_offset": 103}
        self.assertEqual([gate.judge(each) for each in (trade(61, 110, skipped=3), lag, lag, trade(64, 120))], ["pass", "pass", "drop", "pass"])
        self.assertEqual(gate.judge(trade(66, 130)), "hole")

    def test_a_hole_is_fetched_again_and_announced_if_that_fails(self) -> None:
        gate = gate_of("trades")
        gate.judge(trade(58, 105))
        for _ in range(3):
            self.assertEqual(gate.judge(trade(61, 110)), "hole")
            self.assertEqual(gate.floor_of("AAPL"), 105)
        self.assertEqual(gate.judge(trade(61, 110)), {"type": "hole", "symbol": "AAPL", "channel": "trades", "from": 59, "to": 60})
        self.assertEqual(gate.judge(trade(62, 111)), "pass")

    def test_a_wildcard_is_resumed_when_every_snapshot_has_come(self) -> None:
        wishes = Wishes()
        wishes.add(["*"], ["trades"], Way("all"))
        gate = Gate(wishes)
        gate.expect(["*"], ["trades"])
        self.assertEqual([gate.judge(snapshot(1, symbol=symbol)) for symbol in "ABA"], ["pass", "pass", "drop"])
        self.assertFalse(gate.has("*", ["trades"]))
        gate.settle()
        self.assertTrue(gate.has("*", ["trades"]))

    def test_a_symbol_that_the_server_meets_later_is_part_of_a_wildcard_and_counts_from_1(self) -> None:
        wishes = Wishes()
        wishes.add(["*"], ["trades"], Way("all"))
        gate = Gate(wishes)
        gate.expect(["*"], ["trades"])
        gate.judge(snapshot(57))

        def judge(symbol: str, seq: int, offset: int, **more: object) -> object:
            return gate.judge(trade(seq, offset, **more) | {"symbol": symbol})

        verdicts = [judge("NEW", 1, 101), judge("NEW", 1, 101), judge("NEW", 2, 102), judge("NEW", 4, 104)]
        self.assertEqual(verdicts, ["pass", "drop", "pass", "hole"])
        gate.settle()
        # A new connection resumes the wildcard by its cursor.
        gate.disconnect()
        self.assertEqual([judge("AAPL", 58, 110), judge("NEWER", 1, 111), judge("NEWER", 2, 112)], ["pass"] * 3)
        self.assertEqual(judge("FAST", 3, 113, skipped=2), "pass")
        self.assertEqual(judge("OLD", 500, 114), "drop")
        gate.judge({"type": "lag", "skipped": 2, "since_offset": 113})
        self.assertEqual([judge("LATE", 3, 120), judge("LATER", 3, 121)], ["pass", "drop"])
        self.assertEqual(judge("NEW", 1, 122, type="quote"), "drop")

    def test_a_snapshot_begins_the_topics_of_its_own_request_only_as_another_subscription_may_begin_later(self) -> None:
        topics = [("*", "trades"), ("AAPL", "quotes")]
        for (symbol, channel), (later, later_channel) in (topics, topics[::-1]):
            wishes = Wishes()
            for each, of_each in topics:
                wishes.add([each], [of_each], Way("all"))
            gate = Gate(wishes)
            gate.expect([symbol], [channel])
            self.assertEqual(gate.judge(snapshot(10) | {"seq": {"trades": 10, "quotes": 10}}), "pass")
            one, other = ({"type": of.removesuffix("s")} for of in (channel, later_channel))
            self.assertEqual([gate.judge(trade(11, 101) | one), gate.judge(trade(11, 102) | other)], ["pass", "drop"])
            gate.expect([later], [later_channel])
            self.assertEqual(gate.judge(snapshot(20, 130) | {"seq": {"trades": 20, "quotes": 20}}), "pass")
            events = [trade(12, 103) | one, trade(20, 129) | other, trade(21, 131) | other]
            self.assertEqual([gate.judge(each) for each in events], ["pass", "drop", "pass"])

    def test_snapshots_that_several_lines_bring_side_by_side_begin_the_topics_of_their_own_line(self) -> None:
        wishes = Wishes()
        wishes.add(["AAPL"], ["trades", "quotes"], Way("all"))
        gate = Gate(wishes)
        one, other = object(), object()
        gate.expect(["AAPL"], ["trades"], one)
        gate.expect(["AAPL"], ["quotes"], other)
        verdicts = [gate.judge(snapshot(10), one), gate.judge(snapshot(10), one), gate.judge(snapshot(20, 130), other)]
        self.assertEqual(verdicts, ["pass", "drop", "pass"])
        self.assertEqual([gate.judge(trade(11, 101)), gate.judge(trade(312, 131, type="quote"))], ["pass", "pass"])

    def test_of_every_symbol_channels_are_resumed_and_forgotten_one_by_one(self) -> None:
        wishes = Wishes()
        wishes.add(["*"], ["trades", "quotes"], Way("all"))
        wishes.add(["MSFT"], ["quotes"], Way("all"))
        gate = Gate(wishes)
        gate.expect(["*"], ["trades"])
        gate.judge(snapshot(57))
        gate.settle()
        self.assertEqual([gate.has("*", ["trades"]), gate.has("*", ["quotes", "trades"])], [True, False])
        gate.expect(["*"], ["quotes"])
        for symbol in ("AAPL", "MSFT"):
            gate.judge(snapshot(57, symbol=symbol))
        gate.settle()
        self.assertTrue(gate.has("*", ["quotes", "trades"]))
        wishes.remove(["*"], ["quotes"])
        gate.forget("*", ["quotes"])
        gate.settle()
        self.assertEqual([gate.has("*", ["trades"]), gate.has("*", ["quotes"])], [True, False])
        events = [trade(58, 101), trade(312, 102, type="quote"), trade(312, 102, type="quote", symbol="MSFT")]
        self.assertEqual([gate.judge(event) for event in events], ["pass", "drop", "pass"])

    def test_symbols_that_every_symbol_includes_after_a_renewal_begin_with_their_snapshots_in_the_subscribed_channels(self) -> None:
        wishes = Wishes()
        wishes.add(["*"], ["trades", "quotes"], Way("all"))
        gate = Gate(wishes)
        gate.expect(["*"], ["trades"])
        gate.judge(snapshot(57))
        gate.extend()
        self.assertEqual([gate.judge(snapshot(57)), gate.judge(snapshot(7, symbol="MSFT"))], ["drop", "pass"])
        events = [trade(8, 101, symbol="MSFT"), trade(312, 102, type="quote", symbol="MSFT")]
        self.assertEqual([gate.judge(event) for event in events], ["pass", "drop"])

    def test_corrections_and_cancels_are_topics_of_their_own_counted_only_if_subscribed(self) -> None:
        gate = gate_of("trades", "corrections")
        self.assertEqual(gate.judge(correction(1, 101)), "drop", "the snapshot had no number of corrections")
        gate.expect(["AAPL"], ["trades", "corrections"])
        gate.judge(snapshot(57, 101) | {"seq": {"trades": 57, "corrections": 0}})
        events = [correction(1, 102), correction(1, 102), correction(1, 103, type="cancel", kind="error"), correction(3, 105)]
        self.assertEqual([gate.judge(event) for event in events], ["pass", "drop", "drop", "hole"])

    def test_what_a_newer_server_says_besides_is_passed_over(self) -> None:
        limits = {"symbols": 20, "message_bytes": 65_536, "channels": ["trades"], "delay_ms": 900_000, "novelty": [{}]}
        news: list[Raw] = [
            {"type": "welcome", "epoch": "e1", "offset": 90, "limits": limits, "auth": {"name": "desk7", "novelty": None}},
            {"type": "novelty", "offset": "late"}, {"type": "subscribed", "id": 1, "subscriptions": [], "delay_ms": 900_000},
            trade(58, 101, conditions=["@"]),
        ]
        self.assertEqual(read_frame(json.dumps(news)), news)
        gate = gate_of("trades")
        self.assertEqual([gate.judge(each) for each in news], ["pass"] * 4)

    def test_a_garbled_message_is_not_read(self) -> None:
        for text in ("", "{}", "[1]", "[{}]", json.dumps([trade(1, 2, price=None)]), '[{"type":"snapshot","symbol":"A"}]'):
            with self.assertRaises(GarbledError):
                read_frame(text)
        for key in ("size", "trade_seq", "trade_ts"):
            with self.assertRaises(GarbledError):
                read_frame(json.dumps([correction(1, 2, **{key: None})]))
        self.assertEqual(read_frame(json.dumps([correction(1, 2)])), [correction(1, 2)])


class Suspicions(unittest.TestCase):
    def test_an_event_whose_values_cannot_be_right_is_suspect(self) -> None:
        quote = {"type": "quote", "symbol": "AAPL", "seq": 7, "bid": 1.0, "ask": 1.01}
        events = [quote, quote | {"bid": 1.02}, quote | {"ask": 0.0}, trade(1, 2), trade(1, 2, price=0), correction(1, 2, type="cancel")]
        found = [suspicion_of(event, "any") for event in events]
        self.assertEqual([each and each["reason"] for each in found], [None, "crossed", "zero", None, "zero", None])
        self.assertEqual(found[1], {"type": "suspect", "symbol": "AAPL", "channel": "any", "seq": 7, "reason": "crossed"})


class Requests(unittest.TestCase):
    def test_topics_are_grouped_and_only_changes_are_requested(self) -> None:
        wishes = Wishes()
        wishes.add(["A", "B", "*"], ["trades"], Way("all"))
        wishes.add(["A"], ["quotes"], Way("all"))
        before = wishes.wanted
        self.assertEqual([group[:2] for group in groups_of(before)], [(("A",), ("quotes", "trades")), (("B",), ("trades",)), (("*",), ("trades",))])
        wishes.remove(["A"], ["quotes"])
        wishes.remove(["B"])
        wishes.add(["C"], ["trades"], Way("latest", 4))
        self.assertEqual(changes_of(before, wishes.wanted), ({"A": ["quotes"], "B": ["trades"]}, {"C": {"trades": Way("latest", 4)}}))
        self.assertEqual(set(without(before, ["A"])), {"B", "*"})


if __name__ == "__main__":
    unittest.main()
