//! The `tickcast` command: reads settings, starts the server, ends it in order on SIGTERM and SIGINT; reads its certificate
//! again on SIGHUP.

use std::env::VarError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tickcast::app::{Application, Certificate, Settings, SettingsError, StartError, SystemClock};
use tikv_jemalloc_ctl::{Access, AsName};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Memory that is freed goes back to the system, whatever the load was before.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How soon it does, in milliseconds.
const DECAY_MS: isize = 500;

/// The exit code for bad settings and an address that cannot be listened on.
const EXIT_USAGE: u8 = 2;

/// A real-time stock ticker push service.
///
/// Settings come from the built-in defaults, `config/$TICKCAST_PROFILE.toml`, the file given with `--config`, and the
/// environment (`TICKCAST__SERVER__PORT=9000`), each overriding those before it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A file of settings, see config/default.toml for all of them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The TCP port of HTTP, 0 for a free one; overrides every setting
    #[arg(long)]
    port: Option<u16>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info,actix_server=warn"))
        .format_target(false)
        .init();
    set_decay();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Start(err)) => {
            log::error!("{err}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(Failure::Serve(err)) => {
            log::error!("the server failed: {err}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Start(StartError),
    Serve(std::io::Error),
}

/// Tells the allocator when freed memory goes back to the system: what this thread frees, and the threads to come.
fn set_decay() {
    for name in ["arena.0.dirty_decay_ms\0", "arenas.dirty_decay_ms\0"] {
        if let Err(err) = name.name().write(DECAY_MS) {
            log::warn!("the allocator refuses a setting name={name:?} err={err}");
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let profile = profile().map_err(|err| Failure::Start(err.into()))?;
    let settings = Settings::read(profile.as_deref(), arguments.config.as_deref());
    let mut settings = settings.map_err(|err| Failure::Start(err.into()))?;
    if let Some(port) = arguments.port {
        settings.server.port = port;
    }
    actix_web::rt::System::new().block_on(async {
        let shutdown = shutdown_signal().map_err(Failure::Serve)?;
        let hangup = signal(SignalKind::hangup()).map_err(Failure::Serve)?;
        let application = Application::start(&settings, Arc::new(SystemClock)).map_err(Failure::Start)?;
        reload_on_hangup(hangup, application.certificate());
        application.run(shutdown).await.map_err(Failure::Serve)
    })
}

/// Returns the profile that the environment names; an empty variable counts as not set.
fn profile() -> Result<Option<String>, SettingsError> {
    match std::env::var("TICKCAST_PROFILE") {
        Ok(profile) => Ok(Some(profile).filter(|profile| !profile.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(SettingsError::Value { key: "TICKCAST_PROFILE", complaint: "must be UTF-8" })
        }
    }
}

/// Reads the certificate again on every SIGHUP. Without one there is nothing to read, and the server goes on: a supervisor
/// that reloads all of its services must not end this one.
fn reload_on_hangup(mut hangup: Signal, certificate: Option<Arc<Certificate>>) {
    actix_web::rt::spawn(async move {
        while hangup.recv().await.is_some() {
            match &certificate {
                Some(certificate) => certificate.reload(),
                None => log::info!("SIGHUP: no certificate to read again (server.tls.cert)"),
            }
        }
    });
}

/// Waits for SIGTERM or SIGINT, from now on.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
