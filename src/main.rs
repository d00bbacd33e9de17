//! The `tickcast` command: reads the settings, starts the server, shuts it down on SIGTERM and SIGINT, and reloads its
//! certificate on SIGHUP.

use std::env::VarError;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use env_logger::WriteStyle;
use tickcast::app::{
    Application, ConvertCommand, DEFAULT_FILTER, KeyCommand, LogConfig, LogFilter, LogLines, NewKey, RecordCommand,
    ReplayCommand, ServerControls, ServerLog, Settings, SettingsError, StartError, check_open_files, raise_open_files,
    report_panics,
};
use tickcast::domain::SystemClock;
use tickcast::record::remote::Recorded;
use tickcast::transport::Controls;
use tikv_jemalloc_ctl::{Access, AsName};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// jemalloc returns freed memory to the system after a peak load.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Delay of that return, in milliseconds.
const DECAY_MS: isize = 500;

/// A shell reports a process that was ended by a signal with this number plus the signal's.
const EXIT_SIGNAL: i32 = 128;
/// Exit code for bad settings, an address that is in use, or a lack of threads.
const EXIT_USAGE: u8 = 2;
/// Exit code for every other failure.
const EXIT_FAILURE: u8 = 1;
/// The variable with the secret or token of a recorder.
const TOKEN_VARIABLE: &str = "TICKCAST_TOKEN";
/// How long the process waits at its end for the last lines of the log to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A real-time stock ticker push service.
///
/// Settings come from the built-in defaults, `config/$TICKCAST_PROFILE.toml`, the file given with `--config`, and the
/// environment (`TICKCAST__SERVER__PORT=9000`), each overriding those before it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A file of settings, see config/default.toml for all of them
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The TCP port of HTTP, 0 for a free one; overrides every setting
    #[arg(long, global = true)]
    port: Option<u16>,
    /// Refuse to start when the limit of open files is too low for all sessions promised, instead of serving fewer
    #[arg(long, global = true)]
    strict: bool,
}

/// Commands beside the server itself.
#[derive(Subcommand)]
enum Command {
    /// Makes keys of clients
    #[command(subcommand)]
    Key(KeyCommand),
    Replay(ReplayCommand),
    Convert(ConvertCommand),
    Record(RecordCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Key(KeyCommand::New(key))) => return print_key(key),
        Some(Command::Convert(files)) => return print_report(files, &arguments),
        Some(Command::Record(command)) => return record(command.clone()),
        Some(Command::Replay(_)) | None => {}
    }
    let settings = read_settings(&arguments);
    let lines = match begin_log(settings.as_ref().map_or_else(|_| LogConfig::default(), |settings| settings.log)) {
        Ok(lines) => lines,
        Err(err) => {
            eprintln!("tickcast: no thread for the log: {err}");
            return ExitCode::FAILURE;
        }
    };
    report_panics();
    set_decay();
    let result = settings.map_err(|err| Failure::Start(err.into())).and_then(|settings| run(&arguments, &settings));
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Start(err)) => {
            log::error!("{err}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(Failure::Serve(err)) => {
            log::error!("the server failed: {err}");
            ExitCode::FAILURE
        }
    };
    lines.finish(LAST_LINES);
    code
}

fn print_key(key: &NewKey) -> ExitCode {
    match key.make() {
        Ok((secret, entry)) => {
            // The entry may be appended to the key file, and the secret must not get there.
            eprintln!("the secret, which is shown once: {secret}");
            print!("{entry}");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("tickcast key new: {complaint}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn print_report(files: &ConvertCommand, arguments: &Arguments) -> ExitCode {
    let unused = [("--port", arguments.port.is_some()), ("--strict", arguments.strict)];
    let report = match unused.into_iter().find(|(_, is_given)| *is_given) {
        Some((argument, _)) => Err(format!("{argument} is for the server and not for a conversion")),
        None => read_settings(arguments)
            .map_err(|err| err.to_string())
            .and_then(|settings| files.run(&settings).map_err(|err| err.to_string())),
    };
    match report {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("tickcast convert: {complaint}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Records the stream of a server.
fn record(command: RecordCommand) -> ExitCode {
    let lines = match begin_log(LogConfig::default()) {
        Ok(lines) => lines,
        Err(err) => {
            eprintln!("tickcast: no thread for the log: {err}");
            return ExitCode::FAILURE;
        }
    };
    let recorded = actix_web::rt::System::new().block_on(async {
        let stop = shutdown_signal().map_err(|err| (EXIT_FAILURE, err.to_string()))?;
        let recorded = command.run(std::env::var(TOKEN_VARIABLE).ok(), stop).await;
        recorded.map_err(|err| (if err.is_of_arguments() { EXIT_USAGE } else { EXIT_FAILURE }, err.to_string()))
    });
    let code = match recorded {
        Ok(Recorded { events, files, gaps, omissions }) => {
            println!("{events} events recorded in {files} files, {gaps} gaps");
            if !omissions.is_empty() {
                println!("{omissions}");
            }
            ExitCode::SUCCESS
        }
        Err((code, complaint)) => {
            log::error!("{complaint}");
            ExitCode::from(code)
        }
    };
    lines.finish(LAST_LINES);
    code
}

fn read_settings(arguments: &Arguments) -> Result<Settings, SettingsError> {
    let profile = profile()?;
    let mut settings = Settings::read(profile.as_deref(), arguments.config.as_deref())?;
    if let Some(Command::Replay(replay)) = &arguments.command {
        replay.apply(&mut settings)?;
    }
    if let Some(port) = arguments.port {
        settings.server.port = port;
    }
    Ok(settings)
}

/// Directs the log to standard error through a queue and a thread of its own.
fn begin_log(config: LogConfig) -> std::io::Result<LogLines> {
    let lines = LogLines::start(config, std::io::stderr())?;
    let style = if std::io::stderr().is_terminal() { WriteStyle::Always } else { WriteStyle::Never };
    let mut builder = env_logger::Builder::new();
    builder.write_style(style);
    if let Ok(wanted) = std::env::var("RUST_LOG_STYLE") {
        builder.parse_write_style(&wanted);
    }
    // `LogFilter` decides, so that an operator can change it.
    let logger = builder
        .filter_level(log::LevelFilter::Trace)
        .format_target(false)
        .target(env_logger::Target::Pipe(Box::new(lines.clone())))
        .build();
    log::set_boxed_logger(Box::new(ServerLog::new(logger, Some(lines.clone())))).map_err(std::io::Error::other)?;
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    if let Err(err) = LogFilter::of_process().set(&filter) {
        // The default, so that the line is seen.
        log::set_max_level(log::LevelFilter::Info);
        log::warn!("RUST_LOG is no filter, {DEFAULT_FILTER} it is: {err}");
    }
    Ok(lines)
}

enum Failure {
    Start(StartError),
    Serve(std::io::Error),
}

/// Sets the delay after which the allocator returns freed memory, for this thread and all later ones.
fn set_decay() {
    for name in ["arena.0.dirty_decay_ms\0", "arenas.dirty_decay_ms\0"] {
        if let Err(err) = name.name().write(DECAY_MS) {
            log::warn!("the allocator refuses a setting name={name:?} err={err}");
        }
    }
}

fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if let Err(err) = raise_open_files() {
        log::warn!("the limit of open files was not raised: {err}");
    }
    if arguments.strict {
        check_open_files(settings).map_err(Failure::Start)?;
    }
    actix_web::rt::System::new().block_on(async {
        let shutdown = shutdown_signal().map_err(Failure::Serve)?;
        let hangup = signal(SignalKind::hangup()).map_err(Failure::Serve)?;
        let application = Application::start(settings, Arc::new(SystemClock)).map_err(Failure::Start)?;
        reload_on_hangup(hangup, application.controls());
        application.run(shutdown).await.map_err(Failure::Serve)
    })
}

/// Returns the profile from the environment; an empty variable counts as not set.
fn profile() -> Result<Option<String>, SettingsError> {
    match std::env::var("TICKCAST_PROFILE") {
        Ok(profile) => Ok(Some(profile).filter(|profile| !profile.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(SettingsError::Value { key: "TICKCAST_PROFILE", complaint: "must be UTF-8" })
        }
    }
}

/// Reloads the certificate and the keys on every SIGHUP. Without either the signal is ignored: a supervisor that reloads all
/// its services must not end this one.
fn reload_on_hangup(mut hangup: Signal, controls: Arc<ServerControls>) {
    actix_web::rt::spawn(async move {
        while hangup.recv().await.is_some() {
            if controls.reload().is_empty() {
                log::info!(
                    "SIGHUP: no certificate to read again (server.tls.cert), and no keys (auth.keys_file, auth.jwt)"
                );
            }
        }
    });
}

/// Waits for SIGTERM or SIGINT. A second signal ends the process at once, for an operator who does not want to wait for
/// the drain.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    Ok(async move {
        next().await;
        actix_web::rt::spawn(async move {
            let second = next().await;
            std::process::exit(EXIT_SIGNAL + second.as_raw_value());
        });
    })
}
