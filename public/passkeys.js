// Passkeys: what the browser asks authenticators, behind `globalThis.codeflowPasskeys`. The sign-in page and the settings load it
// when they are shown. Questions and answers are the JSON of Web Authentication, level 3; browsers that lack its functions get the
// same by hand.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

/** The options of `navigator.credentials`, read from the server's JSON. */
function read(kind, question) {
  const challenge = bytes(question.challenge);
  if (kind === "get")
    return (
      PublicKeyCredential.parseRequestOptionsFromJSON?.(question) ?? {
        ...question,
        challenge,
        allowCredentials: named(question.allowCredentials),
      }
    );
  return (
    PublicKeyCredential.parseCreationOptionsFromJSON?.(question) ?? {
      ...question,
      challenge,
      user: { ...question.user, id: bytes(question.user.id) },
      excludeCredentials: named(question.excludeCredentials),
    }
  );
}

/** The credential as the server reads it. */
function written(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { id, type, authenticatorAttachment, response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const filled = parts.filter((part) => response[part]).map((part) => [part, text(response[part])]);
  return {
    id,
    rawId: id,
    type,
    authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: Object.fromEntries(filled),
  };
}

/** What to tell people; nothing when they cancelled it, which browsers don't tell from what took too long. */
function trouble({ name }) {
  if (name === "NotAllowedError" || name === "AbortError") return undefined;
  if (name === "InvalidStateError") return "This device has a passkey for your account already.";
  if (name === "SecurityError") return "The browser allows no passkeys at this address. Open CodeFlow at the address that its administrator set.";
  return "The browser could not use a passkey here. Try another browser or device.";
}

/** Asks an authenticator, by `navigator.credentials.create` or `get`: `answer`, or what the `trouble` is, or neither. */
async function ask(kind, question) {
  try {
    const publicKey = read(kind, JSON.parse(question));
    const credential = await navigator.credentials[kind]({ publicKey });
    return { answer: JSON.stringify(written(credential)) };
  } catch (error) {
    return { trouble: trouble(error) };
  }
}

globalThis.codeflowPasskeys = {
  ask,
  areThere: () => typeof PublicKeyCredential === "function" && Boolean(navigator.credentials?.create),
};
