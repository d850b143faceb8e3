//! The system prompt's parts about Next.js and the template's packages, by name.

pub const PARTS: [(&str, &str); 4] = [
    ("server", include_str!("prompts/server.md")),
    ("components", include_str!("prompts/components.md")),
    ("newer", include_str!("prompts/newer.md")),
    ("practice", include_str!("prompts/practice.md")),
];
