//! Calls into libraries that read foreign bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a reader of another library. It should not panic on a broken file, but nobody can promise
/// that for it; such a panic becomes a reason to set the file aside.
pub(crate) fn call<T, E: std::fmt::Display>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!(
                "the reader gave up: {}",
                reason.unwrap_or("no reason")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_of_a_library_is_a_reason() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let number = 7;
        let failed = [
            super::call::<(), String>(|| panic!("at {number}")),
            super::call(|| Err("refused".to_owned())),
        ];
        std::panic::set_hook(hook);
        let expected = ["the reader gave up: at 7", "refused"];
        assert_eq!(failed, expected.map(|reason| Err(reason.to_owned())));
    }
}
