//! The environment variables that all containers have.

use crate::{
    config,
    sandbox_host::{
        bundle::{CACHE, HOME},
        envd,
        rootfs::Rootfs,
    },
};

/// Where programs keep their notes and downloads: below [`CACHE`], because the home is the app.
/// Without its variable, pnpm puts its store at the root of the app's disk, which is the app's
/// folder.
const CACHES: [(&str, &str); 14] = [
    ("npm_config_cache", "npm"),
    (envd::PNPM_STORE, "pnpm-store"),
    ("PNPM_HOME", "pnpm"),
    ("YARN_CACHE_FOLDER", "yarn"),
    ("YARN_GLOBAL_FOLDER", "yarn-global"),
    ("BUN_INSTALL", "bun"),
    ("BUN_INSTALL_CACHE_DIR", "bun/cache"),
    ("COREPACK_HOME", "corepack"),
    ("DENO_DIR", "deno"),
    ("TURBO_CACHE_DIR", "turbo"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_STATE_HOME", "state"),
];
/// Entries as `NAME=value`.
pub(super) fn of_all(settings: &config::SandboxHost, rootfs: &Rootfs) -> Vec<String> {
    let proxy = format!("http://127.0.0.1:{}", envd::PROXY_PORT);
    let mut env = vec![
        format!("PATH={}", rootfs.path()),
        format!("HOME={HOME}"),
        format!("SANDBOX_DOMAIN={}", settings.domain),
        format!("CODEFLOW_URL={}", settings.public_url),
    ];
    env.extend(
        [
            "USER=user",
            "LOGNAME=user",
            "SHELL=/bin/bash",
            "LANG=C.UTF-8",
            "TMPDIR=/tmp",
            "E2B_SANDBOX=true",
        ]
        .map(str::to_owned),
    );
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        env.push(format!("{name}={proxy}"));
    }
    env.extend(["NO_PROXY", "no_proxy"].map(|name| format!("{name}=localhost,127.0.0.1,::1")));
    // Turns off network requests that are of no use to the user.
    env.extend(
        [
            "NEXT_TELEMETRY_DISABLED=1",
            "npm_config_update_notifier=false",
            "npm_config_fund=false",
            "npm_config_audit=false",
        ]
        .map(str::to_owned),
    );
    env.extend(CACHES.map(|(name, folder)| format!("{name}={CACHE}/{folder}")));
    env.extend(Rootfs::certificates().map(|path| format!("NODE_EXTRA_CA_CERTS={path}")));
    env
}
