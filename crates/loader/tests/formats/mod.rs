//! Files of other formats, made by hand as their pages describe them.

use crate::files::u16s;

/// A Megatron index of sequences of `u16`, and its tokens.
pub(crate) fn megatron(docs: &[Vec<u16>]) -> (Vec<u8>, Vec<u8>) {
    let mut index = b"MMIDIDX\0\0".to_vec();
    index.extend(1_u64.to_le_bytes());
    index.push(8);
    index.extend((docs.len() as u64).to_le_bytes());
    index.extend((docs.len() as u64 + 1).to_le_bytes());
    for doc in docs {
        index.extend((doc.len() as i32).to_le_bytes());
    }
    let mut place = 0_i64;
    for doc in docs {
        index.extend(place.to_le_bytes());
        place += doc.len() as i64 * 2;
    }
    (0..=docs.len() as i64).for_each(|bound| index.extend(bound.to_le_bytes()));
    (index, u16s(docs.concat()))
}

/// A tar archive.
pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    for (name, data) in members {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        seal(&mut header);
        file.extend(header);
        file.extend(*data);
        file.resize(file.len().next_multiple_of(512), 0);
    }
    file.resize(file.len() + 1024, 0);
    file
}

/// Writes the checksum of a header of a tar archive.
pub(crate) fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A file of samples behind their offsets.
pub(crate) fn samples(config: &str, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut file = (samples.len() as u32).to_le_bytes().to_vec();
    let mut place = (4 * (samples.len() + 2) + config.len()) as u32;
    file.extend(place.to_le_bytes());
    for sample in samples {
        place += sample.len() as u32;
        file.extend(place.to_le_bytes());
    }
    file.extend(config.bytes());
    file.extend(samples.concat());
    file
}

/// A safetensors file of `u16` tokens with bounds.
pub(crate) fn safetensors(docs: &[Vec<u16>]) -> Vec<u8> {
    let tokens = u16s(docs.concat());
    let mut bounds = vec![0_i64];
    for doc in docs {
        bounds.push(bounds[bounds.len() - 1] + doc.len() as i64);
    }
    let size = bounds.len() * 8;
    let json = format!(
        r#"{{"tokens.bounds":{{"dtype":"I64","shape":[{}],"data_offsets":[0,{size}]}},"tokens":{{"dtype":"U16","shape":[{}],"data_offsets":[{size},{}]}}}}"#,
        bounds.len(),
        tokens.len() / 2,
        size + tokens.len()
    );
    let json = format!("{json:<width$}", width = json.len().next_multiple_of(8));
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json.bytes());
    for bound in bounds {
        file.extend(bound.to_le_bytes());
    }
    file.extend(tokens);
    file
}

/// A Parquet file of the columns `id` and `tokens`, lists of 32-bit integers, in row groups.
pub(crate) fn parquet(groups: &[&[Vec<i32>]]) -> Vec<u8> {
    use parquet::data_type::Int32Type;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let schema = "message m { required int32 id; \
        optional group tokens (LIST) { repeated group list { optional int32 element; } } }";
    let schema = parse_message_type(schema).unwrap().into();
    let properties = WriterProperties::builder().build().into();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for docs in groups {
        let mut group = writer.next_row_group().unwrap();
        let mut ids = group.next_column().unwrap().unwrap();
        let numbers: Vec<i32> = (0..docs.len() as i32).collect();
        let typed = ids.typed::<Int32Type>();
        typed.write_batch(&numbers, None, None).unwrap();
        ids.close().unwrap();
        let level = |doc: &Vec<i32>| match doc.len() {
            0 => vec![(1, 0)],
            len => (0..len).map(|at| (3, i16::from(at > 0))).collect(),
        };
        let (definitions, repetitions): (Vec<i16>, Vec<i16>) = docs.iter().flat_map(level).unzip();
        let mut tokens = group.next_column().unwrap().unwrap();
        let typed = tokens.typed::<Int32Type>();
        let values = docs.concat();
        typed
            .write_batch(&values, Some(&definitions), Some(&repetitions))
            .unwrap();
        tokens.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}
