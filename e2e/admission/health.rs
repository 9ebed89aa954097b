//! The health port of the real program, which kubelets ask whether it lives: strangers can reach it
//! too. No cluster is needed: the program answers before it has seen one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Duration, timeout};

const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that the port has at one moment.
const MOST: usize = 128;
/// Connections that are opened.
const STRANGERS: usize = 300;

/// A program whose API server is not there.
fn start(folder: &Path, health: SocketAddr, flags: &[&str]) -> Child {
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, KUBECONFIG).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ecr-operator"))
        .args(["run", "--cluster-id=east", "--identity=a"])
        .arg("--webhook-listen=127.0.0.1:0")
        .arg(format!("--health-listen={health}"))
        .args(flags)
        .env("KUBECONFIG", kubeconfig)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn health_port_answers_whoever_else_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().await;
    let _program = start(folder.path(), address, &[]);
    let answered = async {
        while get(address, "/healthz").await.is_err() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, answered).await.unwrap();

    let mut strangers = Vec::new();
    for number in 0..STRANGERS {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stranger.write_all(b"GET /met").await.unwrap();
        }
        strangers.push(stranger);
    }
    for (path, status) in [
        ("/healthz", "HTTP/1.1 200 OK"),
        ("/readyz", "HTTP/1.1 503 Service Unavailable"),
        ("/metrics", "HTTP/1.1 200 OK"),
        ("/", "HTTP/1.1 404 Not Found"),
    ] {
        let answer = timeout(PATIENCE, get(address, path))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with(status), "{path}: {answer}");
    }
    let mut ends = JoinSet::new();
    for mut stranger in strangers {
        ends.spawn(async move { stranger.read(&mut [0; 1]).await.unwrap_or(0) });
    }
    for _ in MOST..STRANGERS {
        let ended = timeout(PATIENCE, ends.join_next()).await;
        assert_eq!(ended.expect("too many stay").unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn missing_client_ca_file_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--client-ca-file=/does/not/exist"];
    let program = start(folder.path(), free_address().await, &flags);
    let ended = timeout(PATIENCE, program.wait_with_output()).await;
    let ended = ended.unwrap().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("/does/not/exist"), "{said}");
}

const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {token: none}}]
current-context: none
"#;
