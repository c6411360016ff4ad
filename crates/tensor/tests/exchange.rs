//! `DLPack` and NumPy's array interface: there and back, and bad structures from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nexus_tensor::dlpack::{DLDataType, DLManagedTensorVersioned, Managed, VERSION};
use nexus_tensor::numpy::{ArrayInterface, layout_of};
use nexus_tensor::{DType, ErrorKind, Layout, Tensor, TensorRef};
use proptest::prelude::*;

/// Owner that counts how often it is dropped.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

fn counted(layout: Layout, len: usize) -> (Tensor, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let owner = Arc::new(Counted((0..len as u8).collect(), drops.clone()));
    (
        Tensor::from_owner(DType::I16, layout, owner).unwrap(),
        drops,
    )
}

fn reimport(managed: Managed, legacy: bool) -> Managed {
    // SAFETY: the pointers have just been exported, and nobody else has them.
    unsafe {
        if legacy {
            Managed::from_legacy_raw(managed.into_legacy_raw())
        } else {
            Managed::from_raw(managed.into_raw())
        }
    }
}

#[test]
fn an_exported_tensor_comes_back_equal_and_is_freed_once() {
    for legacy in [false, true] {
        let layout = Layout::strided([3, 2], [-4, 1], 9).unwrap();
        let (tensor, drops) = counted(layout, 24);
        let expected = tensor.view().to_contiguous();
        let address = tensor.view().element_bytes(&[0, 0]).unwrap().as_ptr();
        let managed = tensor.to_dlpack().unwrap();
        drop(tensor);
        let back = reimport(managed, legacy).into_tensor().unwrap();
        assert_eq!(
            back.view().element_bytes(&[0, 0]).unwrap().as_ptr(),
            address,
            "no copy"
        );
        assert_eq!(
            back.view().to_contiguous().as_slice::<i16>(),
            expected.as_slice::<i16>()
        );
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(back);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn an_export_that_nobody_takes_is_freed() {
    let (tensor, drops) = counted(Layout::contiguous([2]).unwrap(), 4);
    let managed = tensor.to_dlpack().unwrap();
    drop(tensor);
    drop(managed);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn bad_structures_are_refused_and_freed() {
    let check = |kind: ErrorKind, words: &str, spoil: fn(&mut DLManagedTensorVersioned)| {
        let (tensor, drops) = counted(Layout::contiguous([2, 2]).unwrap(), 8);
        let raw = tensor.to_dlpack().unwrap().into_raw();
        drop(tensor);
        // SAFETY: the structure has just been exported; the spoilt fields are what is tested.
        let managed = unsafe {
            spoil(&mut *raw);
            Managed::from_raw(raw)
        };
        let error = managed.into_tensor().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    };
    check(ErrorKind::Unsupported, "version 2", |m| {
        m.version.major = 2;
    });
    check(ErrorKind::Unsupported, "device 2", |m| {
        m.dl_tensor.device.device_type = 2;
    });
    check(ErrorKind::Unsupported, "4 lanes", |m| {
        m.dl_tensor.dtype.lanes = 4;
    });
    check(ErrorKind::Unsupported, "of 128 bits", |m| {
        m.dl_tensor.dtype.bits = 128;
    });
    check(ErrorKind::InvalidInput, "-1 axes", |m| {
        m.dl_tensor.ndim = -1;
    });
    check(ErrorKind::LimitReached, "at most", |m| {
        m.dl_tensor.ndim = i32::MAX;
    });
    check(ErrorKind::InvalidInput, "without a shape", |m| {
        m.dl_tensor.shape = std::ptr::null_mut();
    });
    check(ErrorKind::InvalidInput, "null pointer", |m| {
        m.dl_tensor.data = std::ptr::null_mut();
    });
    check(ErrorKind::InvalidInput, "dimension -2", |m| {
        set(m.dl_tensor.shape, -2);
    });
    check(ErrorKind::LimitReached, "overflow", |m| {
        set(m.dl_tensor.shape, i64::MAX);
    });
    check(ErrorKind::LimitReached, "overflow", |m| {
        set(m.dl_tensor.strides, i64::MAX);
    });
}

fn set(array: *mut i64, value: i64) {
    // SAFETY: the array belongs to a structure that has just been exported and has two entries.
    unsafe { *array = value };
}

#[test]
fn missing_strides_mean_dense() {
    let (tensor, _) = counted(Layout::contiguous([2, 2]).unwrap(), 8);
    let raw = tensor.to_dlpack().unwrap().into_raw();
    // SAFETY: the structure has just been exported; null strides are allowed.
    let managed = unsafe {
        (*raw).dl_tensor.strides = std::ptr::null_mut();
        Managed::from_raw(raw)
    };
    assert_eq!(
        managed.into_tensor().unwrap().as_slice::<i16>(),
        tensor.as_slice::<i16>()
    );
}

#[test]
fn types_round_trip() {
    for dtype in DType::ALL {
        assert_eq!(DType::from_dlpack(dtype.to_dlpack()), Ok(dtype));
        if let Some(typestr) = dtype.typestr() {
            assert_eq!(DType::from_typestr(typestr), Ok(dtype));
        }
    }
    assert_eq!(VERSION.major, 1);
    assert_eq!(
        DType::F32.to_dlpack(),
        DLDataType {
            code: 2,
            bits: 32,
            lanes: 1
        }
    );
    assert_eq!(DType::from_typestr(">u1"), Ok(DType::U8));
    for unknown in [">f4", "<f16", "|V2", "", "<", "é", "|O", "<U3", "|u2"] {
        assert_eq!(
            DType::from_typestr(unknown).unwrap_err().kind(),
            ErrorKind::Unsupported,
            "{unknown}"
        );
    }
}

#[test]
fn the_array_interface_shows_strides_only_where_needed() {
    let bytes = [0_u8; 24];
    let view = TensorRef::new(DType::F32, [2, 3], &bytes).unwrap();
    let dense = ArrayInterface::of(&view).unwrap();
    assert_eq!(
        (dense.typestr, dense.strides_bytes, dense.address),
        ("<f4", None, bytes.as_ptr().addr())
    );
    let turned = ArrayInterface::of(&view.flip(0).unwrap().transpose()).unwrap();
    assert_eq!(turned.shape, [3, 2]);
    assert_eq!(turned.strides_bytes, Some(vec![4, -12]));
    assert_eq!(turned.address, bytes.as_ptr().addr() + 12);
    let brain = TensorRef::new(DType::BF16, [12], &bytes).unwrap();
    assert_eq!(
        ArrayInterface::of(&brain).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
}

#[test]
fn strides_that_begin_behind_all_memory_reach_a_limit() {
    let refused = layout_of(DType::F64, &[1 << 62], Some(&[-8])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitReached);
}

proptest! {
    #[test]
    fn foreign_strides_in_bytes_never_panic(
        shape in prop::collection::vec(prop_oneof![0..4_usize, any::<usize>()], 0..4),
        strides in prop::collection::vec(prop_oneof![-9..9_isize, any::<isize>()], 0..4),
    ) {
        for dtype in DType::ALL {
            if let Ok((layout, before)) = layout_of(dtype, &shape, Some(&strides)) {
                prop_assert_eq!(before, layout.offset() * dtype.size_bytes().unwrap());
                prop_assert!(layout.element_count() == 0 || layout.places().start == 0);
            }
        }
    }
}
