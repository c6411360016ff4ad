//! Parquet files, made by hand.

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
