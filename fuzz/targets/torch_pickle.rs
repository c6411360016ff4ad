//! Any bytes as the pickle of a torch checkpoint whose archive is sound: refused, or tensors of the
//! declared size.

use nexus_convert::{OpenOptions, Source};

/// What a tensor may take here; larger ones are real, but slow.
const SIZE_MAX: usize = 1 << 20;

/// How many storages the archive has.
const STORAGES: usize = 20;

/// Reads an archive around `data`.
///
/// # Panics
/// When a tensor has another size than its shape asks for.
pub fn run(data: &[u8]) {
    let storage = [0x5A; 64];
    let mut archive = Archive::default();
    archive.add("a/data.pkl", data);
    for key in 0..STORAGES {
        archive.add(&format!("a/data/{key}"), &storage);
    }
    let Ok(source) = Source::from_bytes(archive.finish(), OpenOptions::default()) else {
        return;
    };
    for (index, entry) in source.entries().iter().enumerate() {
        if entry.size_bytes <= SIZE_MAX {
            let bytes = source.read(index).unwrap();
            assert_eq!(bytes.len(), entry.size_bytes, "{}", entry.name);
        }
    }
}

/// A zip archive of stored files.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Archive {
    fn add(&mut self, name: &str, data: &[u8]) {
        let at = self.bytes.len() as u32;
        let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend(crc32(data).to_le_bytes());
        fields.extend((data.len() as u32).to_le_bytes());
        fields.extend((data.len() as u32).to_le_bytes());
        fields.extend((name.len() as u32).to_le_bytes());
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&fields);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(data);
        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&fields);
        self.directory.extend([0; 10]);
        self.directory.extend(at.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let at = self.bytes.len() as u32;
        let size = self.directory.len() as u32;
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend(at.to_le_bytes());
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

/// The checksum of zip, bit by bit.
fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
    !data.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc))
    })
}
