//! Addresses of objects.

use std::path::Path;

use nexus_data::storage::without_secrets;

use crate::{Error, ErrorKind};

/// Which service holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    Gcs,
    Azure,
    Http,
}

/// Where an object is, or a prefix of objects, or a pattern of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) service: Service,
    /// What has a client of its own: `s3://bucket`; for HTTP, the whole address, with its secrets.
    pub(crate) root: String,
    /// The place below it, not encoded; empty for HTTP.
    pub(crate) key: String,
    /// What is said of it.
    pub(crate) name: String,
}

impl Address {
    /// Whether a path is an address.
    pub(crate) fn is(path: &Path) -> bool {
        path.to_str().and_then(service).is_some()
    }

    /// The address that a path is; `None` for one of this machine.
    pub(crate) fn parse(path: &Path) -> Option<Result<Self, Error>> {
        let text = path.to_str()?;
        let (service, at) = service(text)?;
        let name = without_secrets(text);
        if service == Service::Http {
            return Some(Ok(Self {
                service,
                root: text.to_owned(),
                key: String::new(),
                name,
            }));
        }
        let (scheme, rest) = text.split_at(at + "://".len());
        let (holder, key) = rest.split_once('/').unwrap_or((rest, ""));
        if holder.is_empty() {
            let message = format!("the address `{text}` names no bucket");
            return Some(Err(Error::new(ErrorKind::InvalidInput, message)));
        }
        // That before the @ is a container in Azure's addresses, and no secret.
        Some(Ok(Self {
            service,
            root: format!("{scheme}{holder}"),
            key: key.to_owned(),
            name: text.to_owned(),
        }))
    }

    /// The address of another object below the same root.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            name: format!("{}/{key}", self.root),
            ..self.clone()
        }
    }

    /// The object's path as its client wants it.
    pub(crate) fn path(&self) -> Result<object_store::path::Path, Error> {
        object_store::path::Path::parse(&self.key).map_err(|error| {
            let message = format!("`{}` is no address of an object: {error}", self.name);
            Error::new(ErrorKind::InvalidInput, message)
        })
    }
}

fn service(text: &str) -> Option<(Service, usize)> {
    let at = text.find("://")?;
    let service = match &text[..at] {
        "s3" | "s3a" => Service::S3,
        "gs" => Service::Gcs,
        "az" | "azure" | "adl" | "abfs" | "abfss" => Service::Azure,
        "http" | "https" => Service::Http,
        _ => return None,
    };
    Some((service, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_root_and_a_key() {
        for (text, service, root, key) in [
            ("s3://b/c/d.txt", Service::S3, "s3://b", "c/d.txt"),
            ("s3://b", Service::S3, "s3://b", ""),
            ("gs://b/*.txt", Service::Gcs, "gs://b", "*.txt"),
            ("az://c/a b", Service::Azure, "az://c", "a b"),
            (
                "abfss://c@a.dfs.core.windows.net/x/y",
                Service::Azure,
                "abfss://c@a.dfs.core.windows.net",
                "x/y",
            ),
            (
                "https://a.example/b?c",
                Service::Http,
                "https://a.example/b?c",
                "",
            ),
        ] {
            let address = Address::parse(Path::new(text)).unwrap().unwrap();
            assert_eq!(
                (address.service, address.root.as_str(), address.key.as_str()),
                (service, root, key)
            );
        }
        assert!(Address::parse(Path::new("a/b")).is_none());
        assert!(Address::parse(Path::new("C://b")).is_none());
        assert!(Address::parse(Path::new("s3:///b")).unwrap().is_err());
        let secret = Address::parse(Path::new("https://u:p@a.example/b?sig=1")).unwrap();
        assert_eq!(secret.unwrap().name, "https://a.example/b");
    }
}
