/** A folder at the desk: everybody has an address that decides nothing, and one broken document takes no other along. */
import { decide } from "@bulkhead/engine";
import { TCP } from "@bulkhead/model";
import { expect, test } from "vitest";
import { openDesk } from "../../src/desk/index.ts";

const NOW = 0;
const pod = (name: string, more = ""): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }\n${more}`;
const open = (...texts: readonly string[]) =>
  openDesk(
    texts.map((text, at) => ({ name: `${at}.yaml`, text })),
    { now: NOW },
  );
const denies = (peer: string): string => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  tier: emergency
  subject: app=web
  egress: [{ action: deny, to: [${peer}] }]
`;

const verdict = (desk: ReturnType<typeof open>, from: string, to: string): readonly string[] =>
  desk.addressesOf(from).map((source, at) => {
    const destination = desk.addressesOf(to)[at] ?? "";
    const query = { source, destination, protocol: TCP, port: 80 };
    return decide(desk.set, desk.index, query, { now: NOW, view: "live" }).verdict;
  });

test("who has no address in the files has one of either family, and nobody's twice", () => {
  const desk = open(pod("web"), pod("db"), pod("dns", "status: { podIP: 10.0.0.1 }"));
  const all = ["shop/web", "shop/db", "shop/dns"].flatMap((id) => desk.addressesOf(id));
  expect(all).toHaveLength(5);
  expect(new Set(all).size).toBe(5);
  expect(all.filter((address) => !desk.isStandIn(address))).toEqual(["10.0.0.1"]);
  expect(desk.addressesOf("shop/nobody")).toEqual([]);
});

test.each([
  ["cidr: 240.0.0.0/4", ["allow", "allow"]],
  ["cidr: 10.0.0.0/8", ["allow", "allow"]],
  ["cidr: 100::/8", ["allow", "allow"]],
  // Whatever its address is, it lies in these.
  ["cidr: 0.0.0.0/0", ["drop", "allow"]],
  ["cidr: ::/0", ["allow", "drop"]],
  ["cidr: 0.0.0.0/0, except: [240.0.0.0/5]", ["drop", "allow"]],
])("a stand-in is in no prefix but those that hold everything: %s", (peer, expected) => {
  expect(
    verdict(open(pod("web"), pod("db"), denies(`{ ${peer} }`)), "shop/web", "shop/db"),
  ).toEqual(expected);
});

test("prefixes that leave no address out leave stand-ins all the same", () => {
  const halves = "{ cidr: 0.0.0.0/1 }, { cidr: 128.0.0.0/1 }, { cidr: ::/1 }, { cidr: 8000::/1 }";
  expect(verdict(open(pod("web"), pod("db"), denies(halves)), "shop/web", "shop/db")).toEqual([
    "drop",
    "drop",
  ]);
});

test("an address that two pods claim is neither's", () => {
  const twice = "status: { podIP: 10.0.0.1 }";
  const desk = open(pod("web", twice), pod("db", twice));
  expect(desk.index.contested).toEqual([]);
  expect(desk.addressesOf("shop/web").every(desk.isStandIn)).toBe(true);
});

test("trap 6: who is on the node's network has the node's addresses, unless told to be a pod", () => {
  const files = [
    pod("web"),
    pod("agent", "spec: { hostNetwork: true }\nstatus: { podIP: 10.0.0.9 }"),
  ];
  const desk = open(...files);
  expect(desk.index.workloads.has("shop/agent")).toBe(false);
  expect(desk.workloads.has("shop/agent")).toBe(true);
  const kinds = desk.addressesOf("shop/agent").map((one) => desk.index.at(one).kind);
  expect(kinds).toEqual(["host", "host"]);
  const asPods = openDesk(
    files.map((text, at) => ({ name: `${at}.yaml`, text })),
    { now: NOW, hostNetwork: "pod" },
  );
  const [address = ""] = asPods.addressesOf("shop/agent");
  expect(asPods.index.at(address).kind).toBe("workload");
});

test("one broken document among many: told with its place, and the others are read", () => {
  const desk = open(`${pod("web")}---\nkind: [\n---\n${pod("db")}`, "values: 3\n", "- a\n- b\n");
  expect([...desk.workloads.keys()]).toEqual(["shop/web", "shop/db"]);
  expect(desk.diagnostics.map(({ code, severity, span }) => [code, severity, span.file])).toEqual([
    ["BH0001", "error", "0.yaml"],
    ["BH0006", "warning", "1.yaml"],
    ["BH0006", "warning", "2.yaml"],
  ]);
});

test("metadata addresses are kept shut by native policies, and not by a cluster's", () => {
  const cluster = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: open, namespace: shop }
spec: { podSelector: {}, policyTypes: [Egress], egress: [{}] }
`;
  const native = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec: { subject: app=web, egress: [{ action: allow, to: [any] }] }
`;
  const verdictOf = (desk: ReturnType<typeof open>) => {
    const [source = ""] = desk.addressesOf("shop/web");
    const query = { source, destination: "169.254.169.254", protocol: TCP, port: 80 };
    return decide(desk.set, desk.index, query, { now: NOW, view: "live" }).verdict;
  };
  expect(verdictOf(open(pod("web"), cluster))).toBe("allow");
  expect(verdictOf(open(pod("web"), native))).toBe("drop");
});

test("limits are configurable and named", () => {
  const deep = `${"{a: ".repeat(9)}1${"}".repeat(9)}`;
  const file = { name: "deep.yaml", text: deep };
  const limits = { depth: 4, aliasedNodes: 10, yamlSize: 1000, option: "--limit" };
  const { diagnostics } = openDesk([file], { now: NOW, limits });
  expect(diagnostics.map(({ code, message, help }) => [code, message, help])).toEqual([
    ["BH0007", "nested more than 4 deep", "`--limit depth=…` for more"],
  ]);
});

test("metadata addresses: wide rules of ours do not open them, and documents of ours shut nobody else's", () => {
  const imported = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }] }
`;
  const ours = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec: { owner: a, subject: { selector: app=db }, egress: [{ to: [{ entity: world }], ports: [80/tcp] }] }
`;
  const expectations = `apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: t, namespace: shop }
spec: { tests: [{ from: web, to: 198.51.100.7, port: 80/tcp, expect: allow }] }
`;
  const from = (desk: ReturnType<typeof open>, name: string, destination: string): string => {
    const source = desk.addressesOf(name).find((one) => !one.includes(":"))!;
    const query = { source, destination, protocol: TCP, port: 80 };
    return decide(desk.set, desk.index, query, { now: NOW, view: "live" }).verdict;
  };
  const METADATA = "169.254.169.254";
  for (const more of [[], [expectations], [ours], [ours, expectations]]) {
    const desk = open(pod("web"), pod("db"), imported, ...more);
    expect(from(desk, "shop/web", METADATA)).toBe("allow");
    expect(from(desk, "shop/db", METADATA)).toBe(more.includes(ours) ? "drop" : "allow");
    expect(from(desk, "shop/db", "198.51.100.7")).toBe("allow");
  }
});
