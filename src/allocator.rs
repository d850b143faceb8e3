//! Configures the C library's allocator to return memory to the machine after a peak. This module
//! depends on nothing.

/// Makes glibc return memory that it otherwise keeps for speed: it has eight arenas per processor,
/// each with holes from old work, and stops returning large blocks separately once a block of their
/// size was freed (mallopt(3)). Call this while the process has one thread. Variables such as
/// `MALLOC_ARENA_MAX` then have no effect. Other C libraries don't need it.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, mallopt};

        /// Enough for threads that seldom contend: small blocks have a cache per thread.
        const ARENAS: i32 = 2;
        /// In bytes; glibc's initial value.
        const LARGE: i32 = 128 << 10;

        for (setting, value) in [(M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, LARGE)] {
            #[expect(
                unsafe_code,
                reason = "the allocator is set up by a call of the C library"
            )]
            // SAFETY: the call takes numbers, and refuses unknown ones.
            unsafe {
                mallopt(setting, value);
            }
        }
    }
}
