//! Who may ask: tokens, names, addresses, TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use abeyance_serve::{Error, Models, Server, ServerOptions};
use rustls::pki_types::{CertificateDer, ServerName};

use crate::support::{Folder, agent, base, pack, post, request, rows, serve, wait};

const TOKEN: &str = "a-token-of-a-test-0123456789";

/// The head of an answer to a request as it is written here.
fn head(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(addr: SocketAddr, path: &str, headers: &str) -> String {
    head(addr, &format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"))
}

#[test]
fn a_token_is_asked_for_but_for_health_and_the_page() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, ServerOptions::new().token(TOKEN));
    let (addr, base) = (server.http().unwrap(), base(&server));
    let (status, answer) =
        post(&agent(), &base, "/v2/models/classifier/infer", &request(&rows(1, 0)));
    assert_eq!(status, 401);
    assert!(answer["error"].as_str().unwrap().contains("Authorization: Bearer"), "{answer}");
    let host = "Host: any.name.example\r\n";
    for path in ["/v2", "/metrics", "/api/status", "/v2/models/classifier", "/openapi.json"] {
        let refused = get(addr, path, host);
        assert!(refused.starts_with("HTTP/1.1 401 "), "{path}: {refused}");
        let wrong = get(addr, path, &format!("{host}Authorization: Bearer {TOKEN}x\r\n"));
        assert!(wrong.starts_with("HTTP/1.1 401 "), "{path}: {wrong}");
        let right = get(addr, path, &format!("{host}Authorization: Bearer {TOKEN}\r\n"));
        assert!(right.starts_with("HTTP/1.1 200 "), "{path}: {right}");
    }
    for path in ["/v2/health/live", "/v2/health/ready", "/", "/page/app.js"] {
        let open = get(addr, path, host);
        assert!(open.starts_with("HTTP/1.1 200 "), "{path}: {open}");
    }
}

#[test]
fn without_a_token_only_this_machine_asks_and_no_foreign_page() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, ServerOptions::new().host("box.lan"));
    let addr = server.http().unwrap();
    for host in ["localhost", "127.0.0.1:1", "box.lan:80"] {
        let told = get(addr, "/v2", &format!("Host: {host}\r\n"));
        assert!(told.starts_with("HTTP/1.1 200 "), "{host}: {told}");
    }
    for headers in ["Host: evil.example\r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n"]
    {
        let told = get(addr, "/v2", headers);
        assert!(told.starts_with("HTTP/1.1 403 "), "{headers}: {told}");
    }
    for public in ["0.0.0.0:0", "[::]:0"] {
        let options = ServerOptions::new().http(public);
        let error = Server::start(Models::folder(&folder.0), options).unwrap_err();
        assert!(matches!(error, Error::Public { .. }), "{error}");
        assert!(error.to_string().contains("--allow-public"), "{error}");
        let options = ServerOptions::new().http("127.0.0.1:0").grpc(public);
        assert!(matches!(
            Server::start(Models::folder(&folder.0), options),
            Err(Error::Public { .. })
        ));
    }
    let options = ServerOptions::new().http("0.0.0.0:0").allow_public(true);
    drop(Server::start(Models::folder(&folder.0), options).unwrap());
}

#[test]
fn options_that_do_not_go_together_are_told() {
    let folder = Folder::new();
    let start = |options: ServerOptions| {
        let error = Server::start(Models::folder(&folder.0), options.http("127.0.0.1:0"));
        error.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(start(ServerOptions::new().max_batch(0)).contains("1 to 1024"));
    assert!(start(ServerOptions::new().queue(0)).contains("at least 1"));
    assert!(start(ServerOptions::new().token("short")).contains("at least 16"));
    assert!(start(ServerOptions::new().timeout(Duration::MAX)).contains("day"));
    let missing = folder.0.join("missing");
    let options = ServerOptions::new().http("127.0.0.1:0");
    let error = Server::start(Models::folder(&missing), options.clone()).unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    let error = Server::start(Models::single(&missing, None, None), options).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

/// Asks a server that has this certificate for its metadata. An error if it has another.
fn over_tls(addr: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(addr)?);
    stream.write_all(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    // It may end without saying so.
    let ended = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        ended.map(|_| String::new())
    } else {
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

#[test]
fn tls_is_spoken_with_the_certificate_that_the_files_hold_now() {
    let (folder, secrets) = (Folder::new(), Folder::new());
    pack(&folder.0, "classifier", 1, 1);
    let first = certify(&secrets.0);
    let (certificate, key) = (secrets.0.join("cert.pem"), secrets.0.join("key.pem"));
    let server = serve(&folder.0, ServerOptions::new().tls(&certificate, &key));
    let addr = server.http().unwrap();
    assert!(server.url().starts_with("https://"));
    assert!(over_tls(addr, &first).unwrap().starts_with("HTTP/1.1 200 "));
    // Who speaks no TLS is cut off, and others are served.
    let mut plain = TcpStream::connect(addr).unwrap();
    plain.write_all(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut told = Vec::new();
    let _ = plain.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP"));
    let second = certify(&secrets.0);
    wait("the new certificate is used", || over_tls(addr, &second).is_ok());
    assert!(over_tls(addr, &first).is_err());
    // A file that is broken changes nothing.
    std::fs::write(&certificate, "no certificate").unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    assert!(over_tls(addr, &second).unwrap().starts_with("HTTP/1.1 200 "));
    let options = ServerOptions::new().http("127.0.0.1:0").tls(&certificate, &key);
    let error = Server::start(Models::folder(&folder.0), options).unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{error}");
}
