//! What the listener answers, and what it does not let anybody do to it.

use std::sync::Arc;
use std::time::Duration;

use ecr_operator::domain::rewrite::Mode;
use ecr_operator::server::Limits;
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{Server, post, review_of, rules};

/// Limits that a test can wait for.
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_review_is_answered_by_both_http_versions() {
    let server = Server::ready().await;
    for mut client in [server.client().await, server.client_of_two().await] {
        let (status, body) = client.review(review_of("nginx:1.27")).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["response"]["allowed"], true);
        assert_eq!(answer["response"]["patchType"], "JSONPatch");
    }
}

#[tokio::test]
async fn what_no_api_server_sends_is_refused() {
    let server = Server::ready().await;
    let good = || post("/mutate/prod", review_of("nginx:1.27"));
    let mut get = good();
    *get.method_mut() = Method::GET;
    let mut text = good();
    text.headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    let mut untyped = good();
    untyped.headers_mut().remove("content-type");
    for (request, expected) in [
        (post("/", Vec::new()), StatusCode::NOT_FOUND),
        (post("/mutate/", Vec::new()), StatusCode::NOT_FOUND),
        (post("/mutate/prod/more", Vec::new()), StatusCode::NOT_FOUND),
        (get, StatusCode::METHOD_NOT_ALLOWED),
        (text, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (untyped, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (post("/mutate/prod", Vec::new()), StatusCode::BAD_REQUEST),
        (
            post("/mutate/prod", b"\xff garbage".to_vec()),
            StatusCode::BAD_REQUEST,
        ),
        (
            post("/mutate/prod", vec![b' '; 8 << 20]),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (good(), StatusCode::OK),
    ] {
        let (what, mut client) = (format!("{request:?}"), server.client_of_two().await);
        let (status, _) = client.send(request).await.unwrap();
        assert_eq!(status, expected, "{}", &what[..200]);
    }
}

#[tokio::test]
async fn a_long_body_is_refused_before_it_is_sent() {
    let server = Server::ready().await;
    let head = "POST /mutate/prod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 8388608\r\n\r\n";
    assert_eq!(
        exchange(&server, head).await,
        "HTTP/1.1 413 Payload Too Large"
    );
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_up_to_the_limit() {
    let server = Server::ready().await;
    let mut stream = server.connect(b"http/1.1").await.unwrap();
    let head = "POST /mutate/prod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = tokio::spawn(async move {
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        // The server stops listening before it has all of this; that is the point.
        while writer.write_all(&chunk).await.is_ok() {}
    });
    assert_eq!(
        status_line(&mut reader).await,
        "HTTP/1.1 413 Payload Too Large"
    );
    sending.abort();
}

#[tokio::test]
async fn a_replica_that_has_loaded_nothing_answers_nothing() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let (status, _) = client.review(review_of("nginx:1.27")).await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);

    server
        .admission
        .rules
        .store(Some(Arc::new(rules([("prod", Mode::Rewrite)]))));
    let (status, _) = client.review(review_of("nginx:1.27")).await.unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = Server::start(Limits {
        body: SHORT,
        ..Limits::default()
    })
    .await;
    let half = "POST /mutate/prod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{";
    assert_eq!(
        exchange(&server, half).await,
        "HTTP/1.1 408 Request Timeout"
    );
}

#[tokio::test]
async fn bodies_that_trickle_starve_nobody() {
    let server = Server::ready().await;
    let half = "POST /mutate/prod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{";
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = server.connect(b"http/1.1").await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let (status, _) = server
        .client()
        .await
        .review(review_of("nginx:1.27"))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed() {
    let server = Server::start(Limits {
        handshake: SHORT,
        ..Limits::default()
    })
    .await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(
        silent.read(&mut [0; 1]).await.unwrap(),
        0,
        "no handshake was begun"
    );

    let server = Server::start(Limits {
        first_request: SHORT,
        ..Limits::default()
    })
    .await;
    let mut half = server.connect(b"http/1.1").await.unwrap();
    // On a slow machine it is closed before we have said anything.
    let said = half.write_all(b"POST /mutate/prod HTTP/1.1\r\nhost:").await;
    drop(said);
    let closed = half.read(&mut [0; 1]).await;
    assert!(
        matches!(closed, Ok(0) | Err(_)),
        "no whole head was sent: {closed:?}"
    );
}

#[tokio::test]
async fn open_requests_are_answered_before_the_end_and_new_ones_are_not_taken() {
    let server = Server::ready().await;
    let body = review_of("nginx:1.27");
    let (first, rest) = body.split_at(body.len() / 2);
    let head = format!(
        "POST /mutate/prod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len(),
    );
    let mut open = server.connect(b"http/1.1").await.unwrap();
    open.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: from here on the request is open.
    assert_eq!(status_line(&mut open).await, "HTTP/1.1 100 Continue");
    open.read_exact(&mut [0; 2]).await.unwrap();
    open.write_all(first).await.unwrap();

    server.shutdown.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    open.write_all(rest).await.unwrap();
    assert_eq!(status_line(&mut open).await, "HTTP/1.1 200 OK");
    drop(open);
    server.ended.await.unwrap();
}

/// Sends `request` on a connection of its own, and gives the answer's first line.
async fn exchange(server: &Server, request: &str) -> String {
    let mut stream = server.connect(b"http/1.1").await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    status_line(&mut stream).await
}

async fn status_line(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}
