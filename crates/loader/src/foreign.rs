//! Calls into libraries that read foreign bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Error;

/// Calls a reader of another library. It should not panic on a broken file, but nobody can promise that
/// for it; a panic becomes an error, and what the reader has changed is to be made anew.
pub(crate) fn call<T, E>(
    read: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(&E) -> Error,
) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| failed(&error)),
        Err(panic) => {
            let reason = panic.downcast_ref::<String>().map(String::as_str);
            let reason = reason.or_else(|| panic.downcast_ref::<&str>().copied());
            let reason = reason.unwrap_or("no reason");
            Err(Error::corrupt(format!("the reader gave up: {reason}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_library_is_an_error() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let number = 7;
        let failed = |what: &&str| Error::corrupt(*what);
        let found = [
            call::<(), &str>(|| panic!("at {number}"), failed),
            call(|| Err("refused"), failed),
            call(|| Ok(()), failed),
        ];
        std::panic::set_hook(hook);
        let found = found.map(|result| result.map_err(|error| error.to_string()));
        let expected = [Err("the reader gave up: at 7"), Err("refused"), Ok(())];
        assert_eq!(found, expected.map(|result| result.map_err(str::to_owned)));
    }
}
