
/// A model on a server.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    address: String,
    model: String,
    version: Option<String>,
    token: Option<String>,
}

impl Client {
    /// The model on the server at an address such as `http://127.0.0.1:8000`. A request may take a
    /// minute: see [`Client::timeout`].
    pub fn new(address: &str) -> Self {
        Self {
            // Keeps connections open between requests.
            agent: agent(Duration::from_secs(60)),
            address: address.trim_end_matches('/').to_owned(),
            model: MODEL.to_owned(),
            version: None,
            token: None,
        }
    }

    /// The same by another name.
    pub fn model(mut self, name: &str) -> Self {
        self.model = name.to_owned();
        self
    }

    /// A version of the model instead of the one that the server chooses.
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// The token that the server asks for.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// How long a request may take.
    pub fn timeout(mut self, longest: Duration) -> Self {
        self.agent = agent(longest);
        self
    }
