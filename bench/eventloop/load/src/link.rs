//! A connection of whichever kind, which does not block.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

pub trait Link: Read + Write {
    fn fd(&self) -> RawFd;
}

impl Link for TcpStream {
    fn fd(&self) -> RawFd {
        self.as_raw_fd()
    }
}

impl Link for UnixStream {
    fn fd(&self) -> RawFd {
        self.as_raw_fd()
    }
}

impl Link for StreamOwned<ClientConnection, TcpStream> {
    fn fd(&self) -> RawFd {
        self.sock.as_raw_fd()
    }
}

/// Datagrams as a stream: one is one write and one read.
struct Datagrams(UdpSocket);

impl Read for Datagrams {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.recv(room)
    }
}

impl Write for Datagrams {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.send(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Link for Datagrams {
    fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

pub fn connect(kind: &str, address: &str) -> Result<Box<dyn Link>, Box<dyn Error>> {
    Ok(match kind {
        "tcp" => Box::new(tcp(address)?),
        "unix" => {
            let stream = UnixStream::connect(address)?;
            stream.set_nonblocking(true)?;
            Box::new(stream)
        }
        "udp" => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(address)?;
            socket.set_nonblocking(true)?;
            Box::new(Datagrams(socket))
        }
        "tls" => Box::new(tls(address)?),
        _ => return Err(format!("no kind is called `{kind}`").into()),
    })
}

fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn tls(address: &str) -> Result<StreamOwned<ClientConnection, TcpStream>, Box<dyn Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost")?;
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    let mut stream = tcp(address)?;
    stream.set_nonblocking(false)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    stream.set_nonblocking(true)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Takes every certificate: the server's is made for the run.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PKCS1_SHA256,
        ]
    }
}
