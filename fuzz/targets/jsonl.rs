//! Any bytes as a JSONL record: its fields are JSON, and the record can be written and read again.

use nexus_data::Record;
use serde_json::{Value, json};

/// Reads each line of `data`.
///
/// # Panics
/// When a record is not what it is after having been written and read.
pub fn run(data: &[u8]) {
    for line in data.split(|&byte| byte == b'\n') {
        let Ok(record) = Record::parse(line) else {
            continue;
        };
        // Numbers beyond f64 and nesting beyond its limit are JSON that serde_json's values lack.
        let Ok(fields) = serde_json::from_str::<Value>(&record.fields) else {
            continue;
        };
        assert!(fields.is_object());
        let written = json!({"id": record.id.clone(), "text": record.text, "fields": fields});
        let written = match &record.id {
            Some(_) => written.to_string(),
            None => written.to_string().replacen("\"id\":null,", "", 1),
        };
        let again = Record::parse(written.as_bytes()).expect("what is written can be read");
        assert_eq!((&again.id, &again.text), (&record.id, &record.text));
        assert_eq!(
            serde_json::from_str::<Value>(&again.fields).ok(),
            Some(fields)
        );
    }
}
