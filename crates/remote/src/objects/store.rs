//! The clients of the services, by the environment and by options.

use std::fmt::Display;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;

use super::address::{Address, Service};
use crate::connect::{Patience, install_tls};
use crate::guard::Guard;
use crate::{Error, ErrorKind};

/// How long the service that gives machines of a cloud their credentials is waited for.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether any service has an option of this name.
pub(super) fn is_option(key: &str) -> bool {
    AmazonS3ConfigKey::from_str(key).is_ok()
        || GoogleConfigKey::from_str(key).is_ok()
        || AzureConfigKey::from_str(key).is_ok()
}

/// The settings of a service: those of the environment, then those given.
fn settings<K: FromStr>(prefix: &str, options: &[(String, String)]) -> Vec<(K, String)> {
    let environment = std::env::vars_os().filter_map(|(key, value)| {
        let key = key.to_str()?.strip_prefix(prefix).map(|_| key.to_str())??;
        Some((key.to_ascii_lowercase(), value.to_str()?.to_owned()))
    });
    environment
        .chain(options.iter().cloned())
        .filter_map(|(key, value)| Some((K::from_str(&key).ok()?, value)))
        .collect()
}

/// The client of an address.
pub(super) fn build(
    address: &Address,
    options: &[(String, String)],
    patience: Patience,
) -> Result<Arc<dyn ObjectStore>, Error> {
    install_tls();
    let failed = |error: &dyn Display| {
        let message = format!("cannot reach `{}`: {error}", address.name);
        Error::new(ErrorKind::InvalidInput, message)
    };
    // Servers of one's own are named by their addresses: who writes http:// means it.
    let is_plain = |value: &String| value.starts_with("http://");
    let client = |is_plain: bool| patience.client().with_allow_http(is_plain);
    Ok(match address.service {
        Service::S3 => {
            let settings = settings::<AmazonS3ConfigKey>("AWS_", options);
            let client = client(settings.iter().any(|(_, value)| is_plain(value)));
            let mut builder = AmazonS3Builder::new().with_client_options(client);
            for (key, value) in settings {
                builder = builder.with_config(key, value);
            }
            check_s3(&builder, address)?;
            let builder = builder.with_url(&address.root).with_retry(patience.retry());
            let store = builder.with_http_connector(Guard::brief()).build();
            Arc::new(store.map_err(|error| failed(&error))?)
        }
        Service::Gcs => {
            let settings = settings::<GoogleConfigKey>("GOOGLE_", options);
            let client = client(settings.iter().any(|(_, value)| is_plain(value)));
            let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client);
            for (key, value) in settings {
                builder = builder.with_config(key, value);
            }
            check_gcs(&builder, address)?;
            let builder = builder.with_url(&address.root).with_retry(patience.retry());
            let store = builder.with_http_connector(Guard::brief()).build();
            Arc::new(store.map_err(|error| failed(&error))?)
        }
        Service::Azure => {
            let settings = settings::<AzureConfigKey>("AZURE_", options);
            let client = client(settings.iter().any(|(_, value)| is_plain(value)));
            let mut builder = MicrosoftAzureBuilder::new().with_client_options(client);
            for (key, value) in settings {
                builder = builder.with_config(key, value);
            }
            if let Ok(endpoint) = std::env::var("IDENTITY_ENDPOINT") {
                builder = builder.with_msi_endpoint(endpoint);
            }
            check_azure(&builder, address)?;
            let builder = builder.with_url(&address.root).with_retry(patience.retry());
            let store = builder.with_http_connector(Guard::brief()).build();
            Arc::new(store.map_err(|error| failed(&error))?)
        }
        Service::Http => {
            let store = HttpBuilder::new()
                .with_url(&address.root)
                .with_client_options(client(true))
                .with_retry(patience.retry())
                .with_http_connector(Guard::silent())
                .build();
            // The error may repeat the address, with what is secret in it.
            Arc::new(store.map_err(|_| failed(&"it is no address"))?)
        }
    })
}

fn check_s3(builder: &AmazonS3Builder, address: &Address) -> Result<(), Error> {
    use AmazonS3ConfigKey as Key;
    let keys = [
        Key::AccessKeyId,
        Key::SecretAccessKey,
        Key::WebIdentityTokenFile,
        Key::ContainerCredentialsRelativeUri,
        Key::ContainerCredentialsFullUri,
        Key::MetadataEndpoint,
    ];
    let has = keys
        .iter()
        .any(|key| builder.get_config_value(key).is_some());
    if has || is_true(builder.get_config_value(&Key::SkipSignature)) || has_metadata() {
        return Ok(());
    }
    Err(without_credentials(
        address,
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (`aws configure export-credentials --format \
         env` prints those of a profile), or AWS_SKIP_SIGNATURE=true for a public bucket",
    ))
}

fn check_gcs(builder: &GoogleCloudStorageBuilder, address: &Address) -> Result<(), Error> {
    use GoogleConfigKey as Key;
    let keys = [
        Key::ServiceAccount,
        Key::ServiceAccountKey,
        Key::ApplicationCredentials,
        Key::BearerToken,
    ];
    let has = keys
        .iter()
        .any(|key| builder.get_config_value(key).is_some());
    let default = std::env::home_dir()
        .map(|home| home.join(".config/gcloud/application_default_credentials.json"));
    if has
        || is_true(builder.get_config_value(&Key::SkipSignature))
        || default.is_some_and(|path| path.exists())
        || ("metadata.google.internal", 80)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.next().is_some())
    {
        return Ok(());
    }
    Err(without_credentials(
        address,
        "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, or \
         GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    ))
}

fn check_azure(builder: &MicrosoftAzureBuilder, address: &Address) -> Result<(), Error> {
    use AzureConfigKey as Key;
    let keys = [
        Key::AccessKey,
        Key::SasKey,
        Key::Token,
        Key::ClientSecret,
        Key::FederatedTokenFile,
        Key::FabricSessionToken,
        Key::MsiEndpoint,
    ];
    let has = keys
        .iter()
        .any(|key| builder.get_config_value(key).is_some());
    let switches = [Key::UseEmulator, Key::UseAzureCli, Key::SkipSignature];
    let is_on = |key: &Key| is_true(builder.get_config_value(key));
    // `abfss://container@account.host` names its account.
    let has_account = builder.get_config_value(&Key::AccountName).is_some()
        || address.root.contains('@')
        || is_on(&Key::UseEmulator);
    if has_account && (has || switches.iter().any(is_on) || has_metadata()) {
        return Ok(());
    }
    Err(without_credentials(
        address,
        "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or \
         AZURE_SKIP_SIGNATURE=true for a public container",
    ))
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes"))
}

/// Whether this machine is one of a cloud that gives it credentials.
fn has_metadata() -> bool {
    let address = SocketAddr::from(([169, 254, 169, 254], 80));
    TcpStream::connect_timeout(&address, METADATA_TIMEOUT).is_ok()
}

fn without_credentials(address: &Address, hint: &'static str) -> Error {
    let message = format!("cannot reach `{}`: there are no credentials", address.name);
    Error::new(ErrorKind::Denied, message).with_hint(hint)
}
