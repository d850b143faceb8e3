//! The settings of the C library's allocator: memory that a peak of work took goes back to the
//! machine. This module depends on nothing.

/// Makes glibc give memory back, by what it otherwise does for speed: it keeps eight arenas for
/// each processor, each with the holes that work of long ago left, and never again returns large
/// blocks by themselves once one of their size was freed (mallopt(3)). To be called while the
/// process has one thread; a variable such as `MALLOC_ARENA_MAX` has no effect then. Other C
/// libraries do without.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, mallopt};

        /// Enough for threads that seldom meet: small blocks have a cache for each thread.
        const ARENAS: i32 = 2;
        /// In bytes; glibc's own at a process's start.
        const LARGE: i32 = 128 << 10;

        for (setting, value) in [(M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, LARGE)] {
            #[expect(
                unsafe_code,
                reason = "the allocator is set up by a call of the C library"
            )]
            // SAFETY: the call takes numbers, and refuses those that it doesn't know.
            unsafe {
                mallopt(setting, value);
            }
        }
    }
}
