//! The default home of sandboxes: an HTTP server of the E2B protocol on this machine, whose sandboxes are OCI containers.
