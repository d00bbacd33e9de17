//! `feed.state_file` at the end of the process: a kill at any moment, an orderly end, a disk that has gone, and two servers with one file.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::command::{Process, run, spawn_binary};
use crate::http::get;
use crate::patience::{LOOK_INTERVAL, patiently};
use crate::publish::trade;
use crate::publish_state::{File, now, post, values, variables, volume_becomes, within_a_day};

/// Rounds of the test of kills, each with a server that is killed.
const KILLS: u32 = 20;
/// Symbols beside, so that a file takes a while.
const BESIDE: u32 = 2_000;

/// Returns how many files the server has written.
async fn files_written(server: &Process) -> u32 {
    let text = get(server.address, "/metrics").await;
    let line = text.text().lines().find_map(|line| line.strip_prefix("tickcast_state_files_total "));
    line.unwrap().parse().unwrap()
}

/// Returns the time of the market in the file, and the price of AA there.
fn saved(file: &File) -> Option<(i64, u32)> {
    let text = std::fs::read_to_string(&file.path).ok()?;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let price = lines.iter().find(|line| line["symbol"] == "AA")?["last"][0].as_u64()?;
    Some((lines[0]["ts"].as_i64().unwrap(), u32::try_from(price / 10_000).unwrap()))
}

#[actix_web::test]
async fn a_kill_at_any_moment_leaves_a_file_with_everything_from_before_its_time() {
    let (file, mut rng) = (File::new(), ChaCha8Rng::seed_from_u64(7));
    let often = [("TICKCAST__FEED__STATE_INTERVAL_MS", "100"), ("TICKCAST__SERVER__WORKERS", "1")];
    // The price counts the trades.
    let (mut count, mut kept, mut checks) = (0, 0, 0);
    for round in 0..KILLS {
        let server = spawn_binary(&[], &variables(&file.path, &often)).await;
        if round > 0 {
            assert_eq!(values(&server, "AA").await["price"].as_f64(), Some(f64::from(kept)));
        } else {
            let all: Vec<_> = (0..BESIDE).map(|number| trade(&format!("S{number}"), now(), 0.5, 1)).collect();
            assert_eq!(post(server.address, &all).await["events"], BESIDE);
        }
        // When each trade was answered; and how many had been, when so many files were written.
        let (mut answered, mut looks) = (Vec::new(), Vec::new());
        let trades = rng.random_range(1..300);
        // In the first round some files.
        while answered.len() < trades || round == 0 && looks.iter().all(|(files, _)| *files < 3) {
            if answered.len() % 8 == 0 {
                looks.push((files_written(&server).await, count));
            }
            count += 1;
            assert_eq!(post(server.address, &[trade("AA", now(), f64::from(count), 1)]).await["events"], 1);
            answered.push((now(), count));
        }
        server.kill().await;
        let (ts, price) = saved(&file).expect("a file that is whole");
        let before = answered.iter().filter(|(at, _)| *at < ts).map(|(_, count)| *count).max().unwrap_or(kept);
        assert!((before..=count).contains(&price), "{price} of {count}, {before} were answered before the file");
        // The next file but one has been begun after the look.
        let newest = looks.last().unwrap().0;
        for (_, at_least) in looks.iter().filter(|(files, _)| files + 2 <= newest) {
            assert!(price >= *at_least, "{price}, and {at_least} were answered two files before");
            checks += 1;
        }
        (kept, count) = (price, price);
    }
    assert!(checks > 0, "no file was written while events came");
}

/// Publishes numbered trades of AA, one in each request, until the server does not answer any more; returns the last one answered.
async fn publish_until_the_end(server: SocketAddr, answered: Rc<Cell<u32>>) -> u32 {
    let client = awc::Client::default();
    for number in 1.. {
        let body = Value::from(vec![trade("AA", now(), f64::from(number), 1)]).to_string();
        let answer = client.post(format!("http://{server}/api/v1/publish")).send_body(body).await;
        // It publishes nothing more, or has ended.
        let Ok(mut answer) = answer else { return number };
        if answer.status() != 200 || answer.body().await.is_err() {
            return number;
        }
        answered.set(number);
    }
    unreachable!("numbers do not end")
}

#[actix_web::test]
async fn an_orderly_end_keeps_every_event_that_was_answered() {
    within_a_day().await;
    // The second one does not wait for its connections to end.
    for grace_ms in ["5000", "1"] {
        let file = File::new();
        let ends = [("TICKCAST__SERVER__DRAIN_MS", "200"), ("TICKCAST__SERVER__SHUTDOWN_GRACE_MS", grace_ms)];
        let server = spawn_binary(&[], &variables(&file.path, &ends)).await;
        let all: Vec<_> = (0..BESIDE).map(|number| trade(&format!("S{number}"), now(), 0.5, 1)).collect();
        assert_eq!(post(server.address, &all).await["events"], BESIDE);
        let answered = Rc::new(Cell::new(0));
        let publisher = actix_web::rt::spawn(publish_until_the_end(server.address, answered.clone()));
        patiently("some trades", async {
            while answered.get() < 50 {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        })
        .await;
        server.signal("TERM").await;
        let ended = server.ended().await;
        assert!(ended.status.success(), "{ended:?}");
        let sent = patiently("the publisher", publisher).await.unwrap();
        let (_, price) = saved(&file).unwrap();
        assert!((answered.get()..=sent).contains(&price), "{price}: {} answered of {sent}", answered.get());
        let server = spawn_binary(&[], &variables(&file.path, &[])).await;
        let values = values(&server, "AA").await;
        assert_eq!((&values["price"], &values["volume"]), (&json!(f64::from(price)), &json!(price)), "each once");
    }
}

#[actix_web::test]
async fn a_last_state_that_cannot_be_written_is_one_line_and_exit_code_1() {
    let file = File::new();
    let server = spawn_binary(&[], &variables(&file.path, &[])).await;
    post(server.address, &[trade("AA", now(), 1.0, 1)]).await;
    std::fs::remove_dir_all(file.directory.path()).unwrap();
    server.signal("TERM").await;
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let told: Vec<_> = ended.stderr.lines().filter(|line| line.contains("state")).collect();
    let named = format!("feed.state_file {} is not written: No such file", file.path);
    assert!(told.len() == 1 && told[0].contains("ERROR") && told[0].contains(&named), "{}", ended.stderr);
}

#[actix_web::test]
async fn a_second_server_with_the_same_file_is_refused_until_the_first_one_has_ended() {
    within_a_day().await;
    let file = File::new();
    let variables = variables(&file.path, &[]);
    let first = spawn_binary(&[], &variables).await;
    let second = run(&["--port", "0"], &variables).await;
    assert_eq!(second.status.code(), Some(2), "{}", second.stderr);
    let named = format!("feed.state_file {}: another server uses it", file.path);
    assert!(second.stderr.lines().count() == 1 && second.stderr.contains(&named), "{}", second.stderr);
    post(first.address, &[trade("AA", now(), 3.0, 1)]).await;
    volume_becomes(&first, "AA", json!(1)).await;
    first.signal("TERM").await;
    assert!(first.ended().await.status.success());
    let next = spawn_binary(&[], &variables).await;
    assert_eq!(values(&next, "AA").await["price"], 3.0);
    // A killed server has no lock either.
    next.kill().await;
    spawn_binary(&[], &variables).await;
}
