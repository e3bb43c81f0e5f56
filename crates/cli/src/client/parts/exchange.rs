
    fn send(&self, request: Request) -> Result<Answer, Error> {
        let header = json!({
            "inputs": request.inputs,
            "parameters": PARAMETERS,
        });
        let mut body = header.to_string().into_bytes();
        let length = body.len();
        body.extend(request.data);
        let mut address = format!("{}/v2/models/{}", self.address, segment(&self.model));
        if let Some(version) = &self.version {
            address.push_str("/versions/");
            address.push_str(&segment(version));
        }
        address.push_str("/infer");
        let mut post = self.agent.post(&address);
        post = post.header("Content-Type", "application/octet-stream");
        post = post.header(HEADER_LENGTH, length.to_string());
        if let Some(token) = &self.token {
            post = post.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = post.send(&body[..])?;
        let status = response.status().as_u16();
        let length = response.headers().get(HEADER_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let body = response.body_mut().with_config();
        let body = body.limit(MOST_BYTES).read_to_vec()?;
        match status {
            200 => Answer::read(body, length),
            _ => Err(refusal(status, &body)),
        }
    }
}

/// Counts the bytes of JSON before the numbers.
const HEADER_LENGTH: &str = "Inference-Header-Content-Length";

/// No longer answer is read.
const MOST_BYTES: u64 = 1 << 32;

fn agent(longest: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    // The body of an error says more than its status.
    let config = config.http_status_as_error(false);
    config.timeout_global(Some(longest)).build().into()
}

/// A name as a part of an address.
fn segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => segment.push(byte.into()),
            b'-' | b'_' | b'.' | b'~' => segment.push(byte.into()),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

fn refusal(status: u16, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = match json.get("error") {
        Some(Value::String(message)) => message.clone(),
        _ => String::from_utf8_lossy(body).chars().take(500).collect(),
    };
    Error::Refused { status, message }
}

/// Why there are no outputs.
#[derive(Debug)]
pub enum Error {
    /// The server cannot be reached, or does not answer in time.
    Connection(Box<ureq::Error>),
    /// The server refuses: its status and what it says.
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The server's message.
        message: String,
    },
    /// The answer is not what the signature says: the model is another one.
    Answer(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connection(error) => write!(f, "no answer: {error}"),
            Error::Refused { status, message } => write!(f, "refused ({status}): {message}"),
            Error::Answer(fault) => write!(f, "not an answer of this model: {fault}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<ureq::Error> for Error {
    fn from(error: ureq::Error) -> Self {
        Error::Connection(Box::new(error))
    }
}

impl From<String> for Error {
    fn from(fault: String) -> Self {
        Error::Answer(fault)
    }
}

#[derive(Default)]
struct Request {
    inputs: Vec<Value>,
    data: Vec<u8>,
}

impl Request {
    fn put<T: Tensor>(&mut self, name: &str, tensor: &T) {
        let start = self.data.len();
        let shape = tensor.write(&mut self.data);
        let size = self.data.len() - start;
        self.inputs.push(json!({
            "name": name,
            "shape": shape,
            "datatype": <T::Element as Element>::DATATYPE,
            "parameters": { "binary_data_size": size },
        }));
    }
}

/// An output of an answer, and where its numbers are.
struct Output {
    name: String,
    datatype: String,
    shape: Vec<usize>,
    place: Range<usize>,
}

struct Answer {
    outputs: Vec<Output>,
    data: Vec<u8>,
}

impl Answer {
    fn read(mut body: Vec<u8>, header: Option<usize>) -> Result<Self, Error> {
        let header = header.unwrap_or(body.len());
        if header > body.len() {
            return Err("it is cut off".to_owned().into());
        }
        let data = body.split_off(header);
        let json: Value = match serde_json::from_slice(&body) {
            Ok(json) => json,
            Err(error) => return Err(error.to_string().into()),
        };
        let mut outputs = Vec::new();
        let mut end = 0_usize;
        for output in json["outputs"].as_array().into_iter().flatten() {
            let name = output["name"].as_str().unwrap_or_default();
            let Some(size) = output["parameters"]["binary_data_size"].as_u64() else {
                return Err(format!("the output {name:?} is not binary").into());
            };
            let start = end;
            end = end.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
            if end > data.len() {
                return Err(format!("the output {name:?} is cut off").into());
            }
            let mut shape = Vec::new();
            for size in output["shape"].as_array().into_iter().flatten() {
                let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
                shape.push(size.unwrap_or(usize::MAX));
            }
            outputs.push(Output {
                // In the order in which their numbers follow each other.
                name: name.to_owned(),
                datatype: output["datatype"].as_str().unwrap_or_default().to_owned(),
                shape,
                place: start..end,
            });
        }
        Ok(Self { outputs, data })
    }

    fn take<T: Tensor>(&self, name: &str) -> Result<T, Error> {
        let Some(output) = self.outputs.iter().find(|output| output.name == name) else {
            return Err(format!("it has no output {name:?}").into());
        };
        let (datatype, shape) = (&output.datatype, &output.shape);
        let wanted = <T::Element as Element>::DATATYPE;
        if datatype != wanted {
            return Err(format!("the output {name:?} is {datatype}, not {wanted}").into());
        }
        let bytes = self.data.get(output.place.clone()).unwrap_or_default();
        match T::read(shape, bytes) {
            Some(tensor) => Ok(tensor),
            None => Err(format!("the output {name:?} has another shape: {shape:?}").into()),
        }
    }
}

/// A number, or an array of numbers of known sizes.
pub trait Element: Sized {
    /// The protocol's name of the numbers' type.
    const DATATYPE: &'static str;
    /// How many bytes it takes in a message.
    const BYTES: usize;
    /// Appends its sizes, outermost first.
    fn dims(dims: &mut Vec<usize>);
    /// Appends its numbers, little-endian.
    fn put(&self, bytes: &mut Vec<u8>);
    /// Takes its numbers from the front.
    fn take(bytes: &mut &[u8]) -> Self;
}
