//! Late trades of publishers: the bars that they change, and those that stay.

use tickcast::feed::OnLate;

use crate::client::Client;
use crate::publish::{MINUTE, SECOND, figures, publish, publishing, read_bars, settle, trade};
use crate::publish_state::File;
use crate::spawn::{START, TestServer, spawn_app_at, spawn_app_at_rest};

#[actix_web::test]
async fn a_late_trade_corrects_the_bar_of_its_minute_and_an_older_one_the_longer_bars_or_is_dropped() {
    // 15:04 of the start is the last minute of a bar of five.
    let minute = START.micros() - START.micros().rem_euclid(MINUTE);
    for late in [OnLate::Correct, OnLate::Drop] {
        let (server, clock) = spawn_app_at_rest(|settings| {
            publishing(settings);
            settings.feed.late = late;
        });
        let mut client = Client::connect(server.address).await;
        client.subscribe(&["AA"], &["bars.1m", "bars.5m", "bars.1m.updated"]).await;
        // Also the first trade of all may be late: it is of the minute before the start.
        let answer = publish(
            &server,
            &[
                trade("AA", minute - 2 * SECOND, 10.0, 1),
                trade("AA", minute + 4 * SECOND, 11.0, 2),
                trade("AA", minute + 5 * SECOND, 12.0, 4),
                // Two of the same minute in the wrong order.
                trade("AA", minute + 3 * SECOND, 9.0, 8),
                trade("AA", minute - 3 * MINUTE, 20.0, 16),
            ],
        )
        .await;
        let dropped = u64::from(late == OnLate::Drop);
        assert_eq!(answer.json()["late_dropped"], dropped);
        assert_eq!(server.metrics.late_dropped.get(), dropped);
        assert_eq!(server.metrics.late_trades.get(), 2 - dropped, "of the minutes before");
        clock.advance_micros(MINUTE);
        settle(&server).await;
        publish(&server, &[trade("AA", minute + 59 * SECOND, 8.0, 32)]).await;
        clock.advance_micros(MINUTE);
        settle(&server).await;
        let bars: Vec<_> = client.sync().await.into_iter().filter(|message| message["type"] == "bar").collect();
        let of =
            |interval: &str| bars.iter().filter(|bar| bar["interval"] == interval).map(figures).collect::<Vec<_>>();
        assert_eq!(
            of("1m.updated"),
            [(minute - MINUTE, [10.0, 10.0, 10.0, 10.0, 1.0]), (minute, [9.0, 12.0, 8.0, 8.0, 46.0]),],
            "{bars:#?}"
        );
        assert!(of("1m").contains(&(minute, [9.0, 12.0, 9.0, 12.0, 14.0])), "{bars:#?}");
        let read = read_bars(&server, "1m").await;
        assert!(read.contains(&(minute, [9.0, 12.0, 8.0, 8.0, 46.0])), "{read:?}");
        let five = of("5m");
        let start = minute - minute.rem_euclid(5 * MINUTE);
        let (volume, high) = if dropped == 1 { (15.0, 12.0) } else { (31.0, 20.0) };
        assert_eq!(
            five.iter().map(|(ts, bar)| (*ts, bar[1], bar[4])).collect::<Vec<_>>(),
            [(start, high, volume)],
            "{bars:#?}"
        );
    }
}

#[actix_web::test]
async fn an_old_trade_corrects_its_own_bars_however_old_it_is() {
    let minute = START.micros() - START.micros().rem_euclid(MINUTE);
    let (server, clock) = spawn_app_at_rest(|settings| {
        publishing(settings);
        settings.history.bars_max = 20;
    });
    // One trade in each minute but the fourth, with the number of the minute as price and size.
    let at = |number: i32, seconds: i64| minute + i64::from(number) * MINUTE + seconds * SECOND;
    for number in 1..=12_i32 {
        clock.advance_micros(MINUTE);
        settle(&server).await;
        if number != 4 {
            let one = trade("AA", at(number, 3), f64::from(number), number.unsigned_abs());
            assert_eq!(publish(&server, &[one]).await.status, 200);
        }
    }
    let late = |number: i32, price: f64| trade("AA", at(number, 2), price, 100);
    let answer = publish(&server, &[late(2, 99.0), late(4, 50.0), late(7, 1.5), late(-3, 3.0)]).await;
    assert_eq!((answer.status, server.metrics.late_trades.get()), (200, 4));
    clock.advance_micros(MINUTE);
    let minutes = read_bars(&server, "1m").await;
    let bar = |number: i32| minutes.iter().find(|(ts, _)| *ts == at(number, 0)).map(|(_, bar)| *bar);
    assert_eq!(bar(2), Some([2.0, 99.0, 2.0, 2.0, 102.0]));
    assert_eq!(bar(4), Some([50.0, 50.0, 50.0, 50.0, 100.0]), "a minute without a trade in time");
    assert_eq!(bar(7), Some([7.0, 7.0, 1.5, 7.0, 107.0]));
    assert_eq!(bar(-3), Some([3.0, 3.0, 3.0, 3.0, 100.0]), "from before the start");
    assert_eq!((bar(3), minutes.len()), (Some([3.0, 3.0, 3.0, 3.0, 3.0]), 13));
    add_up(&server).await;
    assert_eq!(read_bars(&server, "1s").await.len(), 15);
}

/// Checks that all bars are those of the minutes that they contain.
async fn add_up(server: &TestServer) {
    let minutes = read_bars(server, "1m").await;
    assert!(minutes.is_sorted_by(|(ts, _), (next, _)| ts < next), "{minutes:?}");
    for (interval, span) in [("5m", 5), ("15m", 15), ("1h", 60), ("1d", 1_440)] {
        for (ts, [_, high, low, _, volume]) in read_bars(server, interval).await {
            let is_part = |each: i64| each - each.rem_euclid(span * MINUTE) == ts;
            let parts: Vec<_> = minutes.iter().filter(|(each, _)| is_part(*each)).map(|(_, bar)| bar).collect();
            let sum: f64 = parts.iter().map(|bar| bar[4]).sum();
            let highest = parts.iter().map(|bar| bar[1]).fold(f64::MIN, f64::max);
            let lowest = parts.iter().map(|bar| bar[2]).fold(f64::MAX, f64::min);
            assert_eq!((ts, [high, low, volume]), (ts, [highest, lowest, sum]), "{interval}");
        }
    }
}

#[actix_web::test]
async fn late_trades_change_bars_from_before_a_restart_and_begin_those_of_the_time_between() {
    let file = File::new();
    let minute = START.micros() - START.micros().rem_euclid(MINUTE);
    let (server, clock) = spawn_app_at(START, |settings| file.configure(settings));
    // In the minute 15:04 of the start, and in 15:06.
    assert_eq!(publish(&server, &[trade("AA", minute, 10.0, 4)]).await.status, 200);
    clock.advance_micros(2 * MINUTE);
    settle(&server).await;
    assert_eq!(publish(&server, &[trade("AA", minute + 2 * MINUTE, 11.0, 8)]).await.status, 200);
    drop(server);
    let (server, _clock) = spawn_app_at(START.plus_micros(20 * MINUTE), |settings| file.configure(settings));
    let late = [
        trade("AA", minute + SECOND, 30.0, 1),
        trade("AA", minute + 6 * MINUTE, 5.0, 2),
        // Whether there was a trade in this minute is not known, nor before.
        trade("AA", minute - 4 * MINUTE, 7.0, 16),
        trade("AA", minute - 9 * MINUTE, 6.0, 32),
    ];
    assert_eq!(publish(&server, &late).await.status, 200);
    let expected = |interval: &str| match interval {
        "1m" => vec![
            (minute, [10.0, 30.0, 10.0, 10.0, 5.0]),
            (minute + 2 * MINUTE, [11.0, 11.0, 11.0, 11.0, 8.0]),
            (minute + 6 * MINUTE, [5.0, 5.0, 5.0, 5.0, 2.0]),
        ],
        _ => vec![
            (minute - 4 * MINUTE, [10.0, 30.0, 7.0, 10.0, 21.0]),
            (minute + MINUTE, [11.0, 11.0, 11.0, 11.0, 8.0]),
            (minute + 6 * MINUTE, [5.0, 5.0, 5.0, 5.0, 2.0]),
        ],
    };
    for interval in ["1m", "5m"] {
        assert_eq!(read_bars(&server, interval).await, expected(interval), "{interval}");
    }
    // The file has them.
    drop(server);
    let (server, _clock) = spawn_app_at(START.plus_micros(21 * MINUTE), |settings| file.configure(settings));
    for interval in ["1m", "5m"] {
        assert_eq!(read_bars(&server, interval).await, expected(interval), "{interval}");
    }
}
