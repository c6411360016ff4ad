//! Any bytes as a plan: reading gives a pipeline that writes the same plan again, or an error that
//! names a line.

use nexus_data::{ErrorKind, Pipeline};

/// Reads `data` as a plan.
///
/// # Panics
/// When a plan changes on its way through a pipeline.
pub fn run(data: &[u8]) {
    let plan = String::from_utf8_lossy(data);
    match Pipeline::from_toml(&plan) {
        Ok(pipeline) => {
            let written = pipeline
                .to_toml()
                .expect("what is read from a plan has a form in it");
            let again = Pipeline::from_toml(&written).expect("what is written can be read");
            assert_eq!(again.to_toml().expect("as before"), written);
        }
        Err(error) => {
            let is_limit = error.kind() == ErrorKind::LimitReached;
            assert!(
                is_limit || error.to_string().starts_with("plan, line "),
                "{error}"
            );
        }
    }
}
