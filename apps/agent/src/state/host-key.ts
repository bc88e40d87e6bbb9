/** The host's Ed25519 key: made once, readable by root only. It signs receipts until workload identity takes over. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { Receipt } from "@bulkhead/model";
import { receiptSigningText } from "@bulkhead/wire";
import { readIfThere, writeDurably } from "./agent-directory.ts";

export interface HostKey {
  /** SPKI DER. */
  readonly publicKey: Uint8Array;
  signReceipt(receipt: Omit<Receipt, "signature">): Receipt;
}

export function loadHostKey(path: string): HostKey {
  const found = readIfThere(path);
  const privateKey =
    found === null ? generateKeyPairSync("ed25519").privateKey : createPrivateKey(found);
  if (found === null)
    writeDurably(path, String(privateKey.export({ type: "pkcs8", format: "pem" })), 0o600);
  return {
    publicKey: new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" })),
    signReceipt: (receipt) => ({
      ...receipt,
      signature: sign(null, Buffer.from(receiptSigningText(receipt)), privateKey).toString(
        "base64",
      ),
    }),
  };
}
