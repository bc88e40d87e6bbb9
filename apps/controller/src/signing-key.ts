/** The controller's Ed25519 key: made once, kept in a file only its owner can read. Agents pin its public half. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

export interface SigningKey {
  /** SPKI DER. */
  readonly publicKey: Uint8Array;
  sign(text: string): Uint8Array;
}

export function loadSigningKey(path: string): SigningKey {
  const privateKey = existsSync(path) ? createPrivateKey(readFileSync(path)) : createKeyFile(path);
  const publicKey = new Uint8Array(
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
  );
  return { publicKey, sign: (text) => new Uint8Array(sign(null, Buffer.from(text), privateKey)) };
}

/** Written whole or not at all: a half-written key would lock every agent out. */
function createKeyFile(path: string): KeyObject {
  const { privateKey } = generateKeyPairSync("ed25519");
  const temporary = `${path}.new`;
  writeFileSync(temporary, privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
    flush: true,
  });
  renameSync(temporary, path);
  return privateKey;
}

export function verifySignature(
  publicKey: Uint8Array,
  text: string,
  signature: Uint8Array,
): boolean {
  const key = createPublicKey({ key: Buffer.from(publicKey), type: "spki", format: "der" });
  return verify(null, Buffer.from(text), key, signature);
}
