/** What a change permits is told of IPv6 and of protocols without ports, too. */
import { expect, test } from "vitest";
import { checkFiles } from "../src/check/check.ts";

const POD = `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
`;
const egress = (rule: string): string => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: p, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: web } }, egress: [${rule}] }
`;

const changes = (rule: string): readonly (readonly string[])[] => {
  const folder = (text: string) => [{ name: "p.yaml", text: `${POD}---\n${egress(text)}` }];
  const checked = checkFiles({
    files: folder(rule),
    base: folder("{}"),
    reading: { now: 0 },
    lint: { strict: false, disabled: [] },
  });
  return (checked.changes ?? []).map(({ kind, destination }) => [kind, destination]);
};

test.each([
  ['{ toCIDR: ["2001:db8::/32"] }', "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff[External]"],
  [
    "{ toCIDR: [8.8.8.8/32], icmps: [{ fields: [{ type: 8, family: IPv4 }] }] }",
    "8.8.8.8-8.8.8.8[External]",
  ],
  ['{ toCIDR: ["0.0.0.0/0", "::/0"] }', "0.0.0.0-255.255.255.255[External]"],
])("%s is one change", (rule, destination) => {
  expect(changes(rule)).toEqual([["added", destination]]);
});
