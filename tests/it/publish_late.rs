//! Late trades of publishers: the bars that they change, and those that stay.

use tickcast::feed::OnLate;

use crate::client::Client;
use crate::http::get;
use crate::publish::{MINUTE, SECOND, figures, publish, publishing, settle, trade};
use crate::spawn::{START, spawn_app_at_rest};

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
        let read = get(server.address, "/api/v1/bars?symbol=AA&interval=1m").await.json();
        let read: Vec<_> = read["bars"].as_array().unwrap().iter().map(figures).collect();
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
