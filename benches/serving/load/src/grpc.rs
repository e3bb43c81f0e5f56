//! One connection of gRPC, one request at a time: the messages of Open Inference Protocol over
//! HTTP/2, with the tensors as bytes.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{self, SendRequest};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;

use crate::answer::{self, Answer};
use crate::failure::Failure;
use crate::images::Image;
use crate::protocol::Target;

/// Bytes that a server may send without waiting.
const WINDOW: u32 = 4 << 20;

#[derive(Clone, PartialEq, Message)]
struct ModelInferRequest {
    #[prost(string, tag = "1")]
    model_name: String,
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    raw_input_contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ModelInferResponse {
    #[prost(message, repeated, tag = "5")]
    outputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    raw_output_contents: Vec<Vec<u8>>,
}

/// An input or an output: both have these numbers.
#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    datatype: String,
    #[prost(int64, repeated, tag = "3")]
    shape: Vec<i64>,
    #[prost(message, optional, tag = "5")]
    contents: Option<Contents>,
}

/// A tensor's elements where they are not sent as bytes.
#[derive(Clone, PartialEq, Message)]
struct Contents {
    #[prost(int32, repeated, tag = "2")]
    int: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    int64: Vec<i64>,
    #[prost(float, repeated, tag = "6")]
    fp32: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    fp64: Vec<f64>,
}

/// The message for one image with its prefix of five bytes.
pub fn request(target: &Target, image: &Image) -> Bytes {
    let message = ModelInferRequest {
        model_name: target.model.clone(),
        inputs: vec![Tensor {
            name: target.input.clone(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 28, 28, 1],
            contents: None,
        }],
        raw_input_contents: vec![image.iter().flat_map(|pixel| pixel.to_le_bytes()).collect()],
    };
    let size = message.encoded_len();
    let mut framed = BytesMut::with_capacity(5 + size);
    framed.put_u8(0);
    framed.put_u32(size as u32);
    framed.put(message.encode_to_vec().as_slice());
    framed.freeze()
}

/// The outputs in an answer's message, the prefix of which is read too.
pub fn answer(framed: &[u8]) -> Result<Answer, String> {
    let message = match framed.split_at_checked(5) {
        Some(([0, a, b, c, d], message))
            if message.len() == u32::from_be_bytes([*a, *b, *c, *d]) as usize =>
        {
            message
        }
        _ => return Err("the answer is not one whole message".to_owned()),
    };
    let response = ModelInferResponse::decode(message).map_err(|error| error.to_string())?;
    let mut found = Answer::default();
    for (place, output) in response.outputs.into_iter().enumerate() {
        let bits = match (response.raw_output_contents.get(place), output.contents) {
            (Some(bytes), _) => answer::raw(&output.datatype, bytes)?,
            (None, Some(contents)) => contents.bits(),
            (None, None) => return Err(format!("output `{}` has no elements", output.name)),
        };
        found.0.insert(output.name, bits);
    }
    Ok(found)
}

impl Contents {
    fn bits(&self) -> Vec<u32> {
        let fp32 = self.fp32.iter().copied();
        let fp64 = self.fp64.iter().map(|&number| number as f32);
        let int = self.int.iter().map(|&number| number as f32);
        let int64 = self.int64.iter().map(|&number| number as f32);
        fp32.chain(fp64).chain(int).chain(int64).map(f32::to_bits).collect()
    }
}

/// A connection and the request's head, which is the same each time.
pub struct Connection {
    sender: SendRequest<Bytes>,
    head: Request<()>,
    body: BytesMut,
}

impl Connection {
    /// Opens a connection, of which a task of this thread takes care.
    pub async fn open(address: SocketAddr, target: &Target) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| Failure::Connect(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| Failure::Connect(error.to_string()))?;
        let mut builder = client::Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let shaken = builder.handshake(stream).await;
        let (sender, connection) = shaken.map_err(|error| Failure::Connect(error.to_string()))?;
        tokio::task::spawn_local(async move {
            // The request that waits for it is told too.
            let _ = connection.await;
        });
        let mut head = Request::post(format!(
            "http://{}/inference.GRPCInferenceService/ModelInfer",
            target.host
        ))
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
        if let Some(token) = &target.token {
            head = head.header("authorization", format!("Bearer {token}"));
        }
        let head = head.body(()).map_err(|error| Failure::Connect(error.to_string()))?;
        Ok(Self { sender, head, body: BytesMut::new() })
    }

    /// Sends a request and reads its answer, message and prefix.
    pub async fn ask(&mut self, request: &Bytes) -> Result<&[u8], Failure> {
        let before = |error: h2::Error| of_h2(&error, false);
        let amid = |error: h2::Error| of_h2(&error, true);
        std::future::poll_fn(|cx| self.sender.poll_ready(cx)).await.map_err(before)?;
        let sent = self.sender.send_request(self.head.clone(), false);
        let (answer, mut stream) = sent.map_err(before)?;
        stream.send_data(request.clone(), true).map_err(before)?;
        let (head, mut incoming) = answer.await.map_err(before)?.into_parts();
        if head.status != 200 {
            return Err(Failure::Status(head.status.as_u16().to_string(), "of HTTP".to_owned()));
        }
        self.body.clear();
        while let Some(data) = incoming.data().await {
            let data = data.map_err(amid)?;
            incoming.flow_control().release_capacity(data.len()).map_err(amid)?;
            self.body.extend_from_slice(&data);
        }
        // An error has its status in the head, there being no message.
        let trailers = incoming.trailers().await.map_err(amid)?.unwrap_or(head.headers);
        match text(&trailers, "grpc-status") {
            Some("0") => Ok(&self.body),
            Some(code) => {
                let words = text(&trailers, "grpc-message").unwrap_or_default();
                Err(Failure::Status(code.to_owned(), words.to_owned()))
            }
            None => Err(Failure::Unreadable("an answer without grpc-status".to_owned())),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// A stream that the server refused unread (as it does when it stops) had no answer begun.
fn of_h2(error: &h2::Error, begun: bool) -> Failure {
    match error.get_io() {
        Some(io) => Failure::of_read(io, begun),
        None if error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
            if begun { Failure::Cut } else { Failure::Closed }
        }
        None => Failure::Unreadable(error.to_string()),
    }
}
