//! `tickcast-compare`: the same events over WebSocket, server-sent events, long poll and short poll, and what each costs.

fn main() -> std::process::ExitCode {
    tickcast_bench::compare::main()
}
