/** Names in a list: what is permitted to the addresses that a domain stands for, and to no others. */
import { expect, test } from "vitest";
import { connectivityOf, cutWorld, openDesk, pairFormats, pairsOf } from "../../src/desk/index.ts";

const pod = (name: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }\n---\n`;
const cilium = (subject: string, egress: string): string => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: ${subject}, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: ${subject} } }, egress: [${egress}] }
---
`;
const https = 'toPorts: [{ ports: [{ port: "443", protocol: TCP }] }]';
const listed = (...texts: readonly string[]): readonly string[] => {
  const desk = openDesk([{ name: "a.yaml", text: texts.join("") }], { now: 0 });
  expect(desk.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const lines = [...pairFormats.txt(pairsOf(connectivityOf(desk, 0), cutWorld(desk.set)))];
  return lines
    .filter((line) => line.startsWith("shop/web[Pod] =>"))
    .map((line) => line.trim().slice(17));
};

test("a name, and nothing else of the world", () => {
  expect(
    listed(pod("web"), cilium("web", `{ toFQDNs: [{ matchName: api.example.com }], ${https} }`)),
  ).toEqual(["api.example.com[Domain] : TCP 443"]);
});

test("what a wider pattern permits, a name within it has, too", () => {
  const wide = `{ toFQDNs: [{ matchPattern: "*.example.com" }], toPorts: [{ ports: [{ port: "80", protocol: TCP }] }] }`;
  const narrow = `{ toFQDNs: [{ matchName: api.example.com }], ${https} }`;
  expect(listed(pod("web"), cilium("web", `${wide}, ${narrow}`))).toEqual([
    "*.example.com[Domain] : TCP 80",
    "api.example.com[Domain] : TCP 80,443",
  ]);
});

test("a name that permits no more than every address is not told again", () => {
  const all = `{ toEntities: [world], ${https} }`;
  const named = `{ toFQDNs: [{ matchName: api.example.com }], ${https} }`;
  expect(
    listed(pod("web"), cilium("web", `${all}, ${named}`)).filter((line) => line.includes("Domain")),
  ).toEqual([]);
});

test("who no policy governs reaches names as everything else", () => {
  const named = `{ toFQDNs: [{ matchName: api.example.com }], ${https} }`;
  expect(listed(pod("web"), pod("db"), cilium("db", named))).toEqual([
    "0.0.0.0-255.255.255.255[External] : All Connections",
    "shop/db[Pod] : All Connections",
  ]);
});
