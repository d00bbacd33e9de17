//! `docs/container/Dockerfile`, without Docker, which is not there: its stages, what it copies, and that its command starts, is healthy by its
//! own probe, and ends in order.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::spawn_binary;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A stage: its base image, and its instructions with their arguments.
struct Stage {
    base: String,
    instructions: Vec<(String, String)>,
}

impl Stage {
    /// Returns the arguments of an instruction, which the stage has once.
    fn the(&self, name: &str) -> &str {
        let found: Vec<_> = self.instructions.iter().filter(|(each, _)| each == name).collect();
        assert_eq!(found.len(), 1, "{name} of {}", self.base);
        &found[0].1
    }
}

fn stages() -> Vec<Stage> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/container/Dockerfile")).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut stages: Vec<Stage> = Vec::new();
    // A line that ends with a backslash goes on in the next one.
    for line in lines.join("\n").replace("\\\n", " ").lines().filter(|line| !line.trim().is_empty()) {
        let (name, arguments) = line.split_once(' ').unwrap();
        if name == "FROM" {
            stages.push(Stage { base: arguments.to_owned(), instructions: Vec::new() });
        } else {
            let stage = stages.last_mut().expect("FROM comes first");
            stage.instructions.push((name.to_owned(), arguments.trim().to_owned()));
        }
    }
    stages
}

/// Returns an array of JSON, the form of a command without a shell.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap_or_else(|err| panic!("{text}: {err}"))
}

#[test]
fn the_image_has_the_program_alone_and_no_root_and_its_compiler_is_new_enough() {
    let stages = stages();
    let [libraries, build, image] = &stages[..] else { panic!("{} stages", stages.len()) };
    let manifest = std::fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert_eq!(build.base, format!("rust:{wanted}-bookworm AS build"));
    assert!(
        libraries.base.starts_with("node:") && libraries.base.ends_with("-slim AS libraries"),
        "{}",
        libraries.base
    );
    assert_eq!(image.base, "debian:bookworm-slim");
    let copied: Vec<_> =
        image.instructions.iter().filter(|(name, _)| name == "COPY").map(|(_, what)| &**what).collect();
    let files = ["/usr/local/bin/tickcast", "/etc/ssl/certs/ca-certificates.crt"];
    assert_eq!(copied, files.map(|file| format!("--from=build {file} {file}")));
    let mut ids = image.the("USER").split(':').map(|id| id.parse::<u32>().expect("a number: the image has no names"));
    assert!(ids.all(|id| id >= 1_000), "{}", image.the("USER"));
    assert!(!image.instructions.iter().any(|(name, _)| ["RUN", "ADD", "VOLUME", "ENTRYPOINT"].contains(&&**name)));
    assert_eq!(words(image.the("CMD")), ["tickcast"]);
}

#[test]
fn what_is_sent_to_docker_is_enough_for_the_manifest_and_for_the_pages() {
    let ignored = std::fs::read_to_string(Path::new(ROOT).join("docs/container/Dockerfile.dockerignore")).unwrap();
    let ignored: Vec<_> = ignored.lines().collect();
    let context = std::env::temp_dir().join(format!("tickcast-context-{}", std::process::id()));
    std::fs::create_dir(&context).unwrap();
    for entry in std::fs::read_dir(ROOT).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if !ignored.contains(&&*name) {
            symlink(entry.path(), context.join(name)).unwrap();
        }
    }
    for (name, sources) in stages().iter().flat_map(|stage| &stage.instructions) {
        let words: Vec<_> = sources.split_whitespace().collect();
        if name == "COPY" && !words[0].starts_with("--from=") {
            for source in &words[..words.len() - 1] {
                assert!(context.join(source).exists(), "{source} is not sent to Docker");
            }
        }
    }
    // A manifest that names a file of a folder that is left out is refused.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version=1", "--manifest-path"]);
    let output = cargo.arg(context.join("Cargo.toml")).stdin(Stdio::null()).output().unwrap();
    std::fs::remove_dir_all(&context).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""name":"tickcast""#));
}

#[tokio::test]
async fn the_command_of_the_image_starts_and_its_probe_sees_whether_it_serves() {
    let stages = stages();
    let image = stages.last().unwrap();
    let (name, value) = image.the("ENV").split_once('=').unwrap();
    assert_eq!((name, value, image.the("EXPOSE")), ("TICKCAST__SERVER__HOST", "0.0.0.0", "8080"));
    // Here it listens on this machine only; an unknown name would be refused.
    let server = spawn_binary(&[], &[(name, "127.0.0.1")]).await;
    let check = image.the("HEALTHCHECK");
    let port = format!("/{}", server.address.port());
    let probe = words(check).into_iter().map(|word| word.replace("/8080", &port)).collect::<Vec<_>>();
    assert!(probe.iter().any(|word| word.contains(&port)), "{probe:?}");
    let is_healthy = || {
        let output = Command::new(&probe[0]).args(&probe[1..]).stdin(Stdio::null()).output().unwrap();
        output.status.success()
    };
    assert!(is_healthy());
    server.signal("TERM").await;
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(!is_healthy(), "nobody serves");
}
