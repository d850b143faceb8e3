// The nonce of the page's policy, for the style elements that libraries add. Both bundles of scripts have it.
export const nonce = document.querySelector("script[nonce]")?.nonce ?? "";
