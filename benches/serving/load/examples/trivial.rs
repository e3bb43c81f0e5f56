//! A server that computes nothing: what the load generator reaches against it is its own ceiling.
//! `trivial HTTP_PORT GRPC_PORT` answers every request on one thread with fixed bytes of the
//! length of a real answer.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

fn main() -> io::Result<()> {
    let ports: Vec<u16> = std::env::args().skip(1).filter_map(|port| port.parse().ok()).collect();
    let [http, grpc] = ports[..] else {
        eprintln!("usage: trivial HTTP_PORT GRPC_PORT");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let http = TcpListener::bind(("127.0.0.1", http)).await?;
        let grpc = TcpListener::bind(("127.0.0.1", grpc)).await?;
        loop {
            tokio::select! {
                accepted = http.accept() => {
                    spawn_local(answer_http(accepted?.0));
                }
                accepted = grpc.accept() => {
                    spawn_local(answer_grpc(accepted?.0));
                }
            }
        }
    })
}

/// Ten probabilities of f32 behind a header of JSON, as in the binary tensor extension.
async fn answer_http(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let json = r#"{"model_name":"m","outputs":[{"name":"probabilities","datatype":"FP32","shape":[1,10],"parameters":{"binary_data_size":40}}]}"#;
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: {}\r\nContent-Length: {}\r\n\r\n{json}",
        json.len(),
        json.len() + 40
    )
    .into_bytes();
    answer.extend([0; 40]);
    let mut held = BytesMut::new();
    loop {
        while let Some(size) = request_size(&held) {
            let _ = held.split_to(size);
            stream.write_all(&answer).await?;
        }
        if stream.read_buf(&mut held).await? == 0 {
            return Ok(());
        }
    }
}

/// The bytes of the first request, if it is whole.
fn request_size(held: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(held).ok()? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return None,
    };
    let length =
        request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    let size = head + str::from_utf8(length.value).ok()?.parse::<usize>().ok()?;
    (held.len() >= size).then_some(size)
}

async fn answer_grpc(stream: TcpStream) -> Result<(), h2::Error> {
    let _ = stream.set_nodelay(true);
    let mut connection = h2::server::handshake(stream).await?;
    // Forty bytes of raw_output_contents.
    let mut message = BytesMut::new();
    message.put_slice(&[0, 0, 0, 0, 42, 0x32, 40]);
    message.put_bytes(0, 40);
    let message = message.freeze();
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        spawn_local(answer_stream(request.into_body(), respond, message.clone()));
    }
    Ok(())
}

async fn answer_stream(
    mut incoming: h2::RecvStream,
    mut respond: h2::server::SendResponse<Bytes>,
    message: Bytes,
) -> Result<(), h2::Error> {
    while let Some(data) = incoming.data().await {
        let size = data?.len();
        incoming.flow_control().release_capacity(size)?;
    }
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(head, false)?;
    stream.send_data(message, false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
