//! The reasons for an answer's end, in the providers' words: the token limit, a rule, a failure.

/// Reasons for reaching the token limit, normalized.
pub const CUT: [&str; 12] = [
    "length",
    "max_length",
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "max_new_tokens",
    "model_length",
    "token_limit",
    "output_limit",
    "context_length_exceeded",
    "incomplete",
    "model_context_window_exceeded",
];
/// Reasons for a violation of the provider's rules.
pub const FILTERED: [&str; 14] = [
    "content_filter",
    "content_filtered",
    "filtered",
    "safety",
    "image_safety",
    "sensitive",
    "refusal",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "moderation",
    "guardrail_intervened",
    "policy_violation",
];
/// Reasons for a failure.
pub const FAILED: [&str; 15] = [
    "error",
    "failed",
    "failure",
    "server_error",
    "internal_error",
    "abort",
    "aborted",
    "cancelled",
    "timeout",
    "network_error",
    "insufficient_system_resource",
    "engine_overloaded",
    "malformed_function_call",
    "malformed_response",
    "unexpected_tool_call",
];
