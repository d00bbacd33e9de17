//! `tickcast-load`: makes load on a WebSocket server of this machine and measures how well it serves.

fn main() -> std::process::ExitCode {
    tickcast_bench::load::main()
}
