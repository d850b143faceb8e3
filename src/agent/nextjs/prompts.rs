//! What the system prompt says of Next.js and of the template's packages, each part by its name.

pub const PARTS: [(&str, &str); 4] = [
    ("server", include_str!("prompts/server.md")),
    ("components", include_str!("prompts/components.md")),
    ("newer", include_str!("prompts/newer.md")),
    ("practice", include_str!("prompts/practice.md")),
];
