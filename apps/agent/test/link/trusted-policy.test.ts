/** Which policies an agent believes, and what it keeps on disk. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import {
  encodeHostPolicy,
  policySigningText,
  receiptSigningText,
  type SignedPolicy,
} from "@bulkhead/wire";
import { openAgentDirectory, type AgentDirectory } from "../../src/state/agent-directory.ts";
import { loadHostKey } from "../../src/state/host-key.ts";
import { digestOf, PolicyTrust, UntrustedError } from "../../src/state/trusted-policy.ts";
import { verify, createPublicKey } from "node:crypto";

let folder: string;
let directory: AgentDirectory;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhk-trust-"));
  directory = openAgentDirectory(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

const controller = generateKeyPairSync("ed25519");
const der = (key: KeyObject) => new Uint8Array(key.export({ type: "spki", format: "der" }));

const POLICY: HostPolicy = {
  revision: 3,
  endpoints: [],
  hostAddresses: ["10.0.0.1"],
  live: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
  shadow: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
  rows: [],
  profile: { nodeExempt: true, hairpinExempt: true },
};

function signed(
  policy = POLICY,
  key = controller.privateKey,
  more: Partial<SignedPolicy> = {},
): SignedPolicy {
  const head = { sequence: 7, revision: policy.revision, digest: digestOf(policy) };
  const signature = new Uint8Array(sign(null, Buffer.from(policySigningText(head)), key));
  return { ...head, policy: encodeHostPolicy(policy), signature, ...more };
}

describe("trust", () => {
  it("pins the first controller, over restarts, and refuses another", () => {
    new PolicyTrust(directory).pin(der(controller.publicKey));
    const again = new PolicyTrust(directory);
    again.pin(der(controller.publicKey));
    expect(() => again.pin(der(generateKeyPairSync("ed25519").publicKey))).toThrow(UntrustedError);
  });

  it("believes what the pinned controller signed, and nothing before it knows one", () => {
    const trust = new PolicyTrust(directory);
    expect(() => trust.check(signed())).toThrow("no controller is known");
    trust.pin(der(controller.publicKey));
    expect(trust.check(signed()).policy).toEqual(POLICY);
  });

  it.each([
    ["another signature", signed(POLICY, generateKeyPairSync("ed25519").privateKey)],
    ["another sequence", signed(POLICY, controller.privateKey, { sequence: 8 })],
    ["another revision", signed(POLICY, controller.privateKey, { revision: 4 })],
    [
      "another digest",
      signed(POLICY, controller.privateKey, { digest: `sha256:${"0".repeat(64)}` }),
    ],
    [
      "another policy",
      signed(POLICY, controller.privateKey, {
        policy: encodeHostPolicy({ ...POLICY, hostAddresses: [] }),
      }),
    ],
    [
      "another revision inside",
      signed(POLICY, controller.privateKey, {
        policy: encodeHostPolicy({ ...POLICY, revision: 9 }),
      }),
    ],
  ])("refuses %s", (_, forged) => {
    const trust = new PolicyTrust(directory);
    trust.pin(der(controller.publicKey));
    expect(() => trust.check(forged)).toThrow(UntrustedError);
  });

  it("finds the last policy on disk again, unless it was changed there", () => {
    const trust = new PolicyTrust(directory);
    expect(trust.load()).toBeNull();
    trust.pin(der(controller.publicKey));
    trust.save(signed());
    const again = new PolicyTrust(directory);
    expect(again.load()).toEqual({ signed: signed(), policy: POLICY });
    expect(statSync(directory.policy).mode & 0o777).toBe(0o600);
    const text = readFileSync(directory.policy, "utf8");
    writeFileSync(directory.policy, text.replace("10.0.0.1", "10.0.0.2"));
    expect(() => again.load()).toThrow(UntrustedError);
    writeFileSync(directory.policy, text.slice(0, 40));
    expect(() => again.load()).toThrow("unreadable");
  });

  it("keeps what holds after a restart of the machine: rules by address, no word about links", () => {
    const endpoint = { workload: "shop/db", interface: "v-db", mac: "02:00:00:00:00:01" };
    const attached = {
      ...POLICY,
      endpoints: [{ ...endpoint, ifindex: 7, addresses: ["10.0.0.9"], mode: "enforce" as const }],
      ports: [{ interface: "eth0", ifindex: 2 }],
    };
    const trust = new PolicyTrust(directory, "first");
    trust.pin(der(controller.publicKey));
    trust.save(signed(attached));
    expect(trust.load()).toEqual({ signed: signed(attached), policy: attached });

    const later = new PolicyTrust(directory, "second");
    const loaded = later.load();
    expect(loaded).toMatchObject({ boot: "first", signed: signed(attached) });
    expect(loaded?.policy.endpoints.map(({ addresses, mode }) => [addresses, mode])).toEqual([
      [["10.0.0.9"], "observe"],
    ]);
    expect(loaded?.policy.ports).toBeUndefined();
    // Saved again because it took effect: it stays one of the first boot.
    if (loaded !== null) later.save(loaded.signed, loaded.boot);
    expect(new PolicyTrust(directory, "second").load()).toMatchObject({ boot: "first" });
  });
});

describe("host key", () => {
  it("is made once, is root's alone, and signs receipts that verify", () => {
    const key = loadHostKey(directory.hostKey);
    expect(loadHostKey(directory.hostKey).publicKey).toEqual(key.publicKey);
    expect(statSync(directory.hostKey).mode & 0o777).toBe(0o600);
    const unsigned = {
      revision: 1,
      digest: "sha256:a",
      driver: "nftables" as const,
      readAt: 5,
      entries: 2,
    };
    const receipt = key.signReceipt(unsigned);
    const publicKey = createPublicKey({
      key: Buffer.from(key.publicKey),
      type: "spki",
      format: "der",
    });
    const holds = (text: string) =>
      verify(null, Buffer.from(text), publicKey, Buffer.from(receipt.signature, "base64"));
    expect(holds(receiptSigningText(unsigned))).toBe(true);
    expect(holds(receiptSigningText({ ...unsigned, entries: 3 }))).toBe(false);
  });
});
