//! Hugepages that go with their owner. DPDK takes them from a pool of the whole kernel, which is empty unless somebody filled it.
//!
//! Every reservation adds its pages to the pool and takes the same number away again, so that threads and processes need not know
//! of one another. No hugetlbfs is mounted: all of the daemons here run with `--in-memory` and have their pages from memfds.

use std::{
    fs::{self, File},
    io,
};

const POOL: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
const SURPLUS: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages";

/// A part of the kernel's pool of 2 MiB pages.
#[derive(Debug)]
pub struct Hugepages {
    pages: u64,
}

impl Hugepages {
    /// Adds pages for `mib` MiB to the pool; a kernel that has not got them fails the test.
    pub fn reserve(mib: u64) -> Self {
        Self::try_reserve(mib).unwrap_or_else(|error| panic!("reserve {mib} MiB of hugepages: {error}"))
    }

    /// The same, with the failure as a value.
    pub fn try_reserve(mib: u64) -> io::Result<Self> {
        let pages = mib.div_ceil(2);
        let _locked = lock()?;
        let before = read()?;
        for free in [None, Some("compact_memory"), Some("drop_caches"), Some("compact_memory")] {
            // Pages lie scattered after much has been built; the file cache goes only when that did not help.
            if let Some(file) = free {
                let _ = fs::write(format!("/proc/sys/vm/{file}"), "1");
            }
            write(before + pages)?;
            // A kernel that has fewer gives those, without an error.
            if read()? >= before + pages {
                return Ok(Self { pages });
            }
        }
        write(before)?;
        Err(io::Error::new(io::ErrorKind::OutOfMemory, "the kernel has too little unbroken memory"))
    }
}

impl Drop for Hugepages {
    fn drop(&mut self) {
        // Without the lock two threads could put back the same number.
        let Ok(_locked) = lock() else {
            return;
        };
        if let Ok(now) = read() {
            let _ = write(now.saturating_sub(self.pages));
        }
    }
}

/// Keeps others from reading the number before this one has written it. The kernel's own file serves: nothing is left of the lock.
fn lock() -> io::Result<File> {
    let file = File::open(POOL)?;
    file.lock()?;
    Ok(file)
}

/// The pages that the pool is meant to have. The kernel's number has those too that it will drop as soon as their last user has
/// gone, such as a vswitchd that still maps the memory of an application which has ended.
fn read() -> io::Result<u64> {
    let [all, surplus] = [POOL, SURPLUS].map(|path| -> io::Result<u64> {
        fs::read_to_string(path)?.trim().parse().map_err(io::Error::other)
    });
    Ok(all?.saturating_sub(surplus?))
}

fn write(pages: u64) -> io::Result<()> {
    fs::write(POOL, pages.to_string())
}
