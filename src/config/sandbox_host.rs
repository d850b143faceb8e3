//! Settings of the local sandbox host.

/// How sandboxes of this machine are built and limited.
#[derive(Debug, Clone)]
pub struct SandboxHost {}
