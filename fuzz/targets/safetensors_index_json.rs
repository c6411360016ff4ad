//! Any bytes as `model.safetensors.index.json` beside two files of tensors: refused with the path of
//! what is wrong, or the tensors that the index names, from files inside its folder.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nexus_safetensors::{Checkpoint, Dtype, TensorView, serialize_to_file};

/// Reads `data` as an index.
///
/// # Panics
/// When a tensor comes from elsewhere than the index says, or an error does not name a file.
pub fn run(data: &[u8]) {
    FOLDER.with(|folder| folder.read(data));
}

thread_local! {
    static FOLDER: Folder = Folder::new();
}

/// A folder with a model in it, and with a file beside the model that no index may reach.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nexus-index-{}-{number}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.model().join("parts")).unwrap();
        let files: [(&str, &[&str]); 3] = [
            ("outside.safetensors", &["a", "b", "c"]),
            ("model/1.safetensors", &["a", "b"]),
            ("model/parts/2.safetensors", &["b", "c"]),
        ];
        for (file, names) in files {
            let view =
                |name: &&'static str| (*name, TensorView::new(Dtype::U8, vec![1], &[7]).unwrap());
            serialize_to_file(names.iter().map(view), None, &folder.0.join(file)).unwrap();
        }
        folder
    }

    fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    fn read(&self, data: &[u8]) {
        let model = self.model();
        fs::write(model.join("model.safetensors.index.json"), data).unwrap();
        let checkpoint = match Checkpoint::open(&model) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                let text = error.to_string();
                return assert!(text.contains(&model.display().to_string()), "{text}");
            }
        };
        for file in checkpoint.files() {
            assert!(file.path().unwrap().starts_with(&model));
        }
        // Numbers that no number type holds are skipped by one and refused by the other.
        let Ok(index) = serde_json::from_slice::<serde_json::Value>(data) else {
            return;
        };
        let map = index.get("weight_map").or_else(|| index.get(0)).unwrap();
        let map = map.as_object().unwrap();
        assert!(checkpoint.names().eq(map.keys()));
        for (name, file) in map {
            let expected = model.join(file.as_str().unwrap());
            assert_eq!(checkpoint.file_of(name).unwrap().path().unwrap(), expected);
            assert_eq!(checkpoint.region(name).unwrap().as_ref(), [7]);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
