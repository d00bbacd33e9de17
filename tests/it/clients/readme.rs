//! The examples in the READMEs of the client libraries run as they stand, except for the address.

use std::path::Path;

use super::busy_server;
use super::program::Language;
use crate::command::ended;

/// Returns the first example of a README.
fn example(readme: &str, language: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(readme)).unwrap();
    let code = text.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    let lines = code.lines().filter(|line| !line.is_empty()).count();
    assert!((5..=15).contains(&lines), "{lines} lines");
    code.to_owned()
}

#[tokio::test]
async fn the_example_of_the_javascript_client_runs() {
    let server = busy_server().await;
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js/tickcast.js");
    let code = example("clients/js/README.md", "js")
        .replace("127.0.0.1:8080", &server.address.to_string())
        .replace("./tickcast.js", module.to_str().unwrap());
    // With a WebSocket, and as in Node 20 without one.
    for flags in [&["--experimental-websocket"][..], &[]] {
        let mut command = tokio::process::Command::new("node");
        command.args(flags).args(["--no-warnings", "--input-type=module", "--eval", &code]).kill_on_drop(true);
        let ended = ended(&mut command).await;
        assert!(ended.status.success(), "{}", ended.stderr);
        assert_eq!(ended.stdout.lines().count(), 10, "{}", ended.stdout);
    }
}

#[tokio::test]
async fn the_example_of_the_python_client_runs() {
    let server = busy_server().await;
    let code = example("clients/python/README.md", "python").replace("127.0.0.1:8080", &server.address.to_string());
    let mut command = Language::Python.command();
    command.args(["-c", &code]).kill_on_drop(true);
    let ended = ended(&mut command).await;
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 10, "{}", ended.stdout);
}

#[tokio::test]
async fn the_types_of_the_python_client_are_strict() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Language::Python.command();
    command.args(["-m", "mypy", "--strict", "--cache-dir"]).arg(root.join("target/tmp/mypy"));
    command.current_dir(root.join("clients/python")).env("MYPYPATH", ".");
    command.args([
        "tickcast",
        "tests/test_client.py",
        "tests/test_cursor.py",
        "tests/test_end.py",
        "tests/test_lines.py",
        "tests/test_pace.py",
        "tests/test_token.py",
    ]);
    command.arg("../../tests/clients/watch.py").kill_on_drop(true);
    let ended = ended(&mut command).await;
    assert!(ended.status.success(), "{}", ended.stdout);
}

#[tokio::test]
async fn the_parts_of_the_python_client_pass_their_own_tests() {
    let mut command = Language::Python.command();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/tests");
    command.args(["-m", "unittest", "discover", "-s"]).arg(tests).kill_on_drop(true);
    let ended = ended(&mut command).await;
    assert!(ended.status.success(), "{}", ended.stderr);
}
