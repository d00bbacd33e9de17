//! The axum peer: one tokio broadcast channel for each symbol and one task for each session, which merges the channels of
//! its symbols with a `StreamMap` and sends what is ready as one frame. Measures nothing itself.
//!
//! Tuned by its documentation: one thread for one core, TCP_NODELAY, buffers of 4 KiB instead of 128.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{FutureExt, StreamExt};
use peer_market::{Market, Settings, Symbols, now_micros};
use tokio::net::TcpSocket;
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::StreamMap;
use tokio_stream::wrappers::BroadcastStream;

/// Capacity of a broadcast channel, in events.
const CHANNEL_EVENTS: usize = 256;
/// The most events of one frame.
const FRAME_EVENTS: usize = 512;
const BUFFER_BYTES: usize = 4096;
const BACKLOG: u32 = 4096;

struct Shared {
    symbols: Symbols,
    channels: Vec<broadcast::Sender<Utf8Bytes>>,
}

fn main() -> io::Result<()> {
    let settings = Settings::read();
    let mut runtime = match settings.cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        cores => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(cores);
            builder
        }
    };
    runtime.enable_all().build()?.block_on(serve(settings))
}

async fn serve(settings: Settings) -> io::Result<()> {
    let channels = (0..settings.symbols).map(|_| broadcast::channel(CHANNEL_EVENTS).0).collect();
    let shared = Arc::new(Shared { symbols: Symbols::new(settings.symbols), channels });
    tokio::spawn(publish(settings, shared.clone()));
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], settings.port).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("listening {}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, Router::new().fallback(any(upgrade)).with_state(shared)).await
}

async fn publish(settings: Settings, shared: Arc<Shared>) {
    let mut market = Market::new(&settings);
    let mut text = Vec::new();
    let mut steps = interval(settings.step);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let now = now_micros();
        while let Some(symbol) = market.take_due(now, &mut text) {
            let text = std::str::from_utf8(&text).expect("the market speaks ASCII");
            // Fails if the channel has no subscribers.
            let _ = shared.channels[symbol].send(Utf8Bytes::from(text));
        }
    }
}

async fn upgrade(upgrade: WebSocketUpgrade, State(shared): State<Arc<Shared>>) -> Response {
    upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .on_upgrade(move |socket| session(socket, shared))
}

async fn session(mut socket: WebSocket, shared: Arc<Shared>) {
    let mut streams = StreamMap::new();
    loop {
        tokio::select! {
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return };
                if let Message::Text(text) = message {
                    for symbol in shared.symbols.wanted(text.as_bytes()).unwrap_or_default() {
                        streams.insert(symbol, BroadcastStream::new(shared.channels[symbol].subscribe()));
                    }
                }
            }
            Some((_, event)) = streams.next(), if !streams.is_empty() => {
                let mut frame = String::with_capacity(256);
                let mut next = Some(event);
                for _ in 0..FRAME_EVENTS {
                    let Some(event) = next else { break };
                    // A lagging session continues with the oldest event of the channel.
                    if let Ok(event) = event {
                        frame.push(if frame.is_empty() { '[' } else { ',' });
                        frame.push_str(&event);
                    }
                    next = streams.next().now_or_never().flatten().map(|(_, event)| event);
                }
                if frame.is_empty() {
                    continue;
                }
                frame.push(']');
                if socket.send(Message::Text(frame.into())).await.is_err() {
                    return;
                }
            }
        }
    }
}
