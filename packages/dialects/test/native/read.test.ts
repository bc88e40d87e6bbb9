/** What single values of our own resources may be: each bound, and what lies just beyond it. */
import { describe, expect, test } from "vitest";
import { parseFiles } from "../../src/index.ts";

const said = (kind: string, spec: unknown) => {
  const object = { apiVersion: "bulkhead.dev/v1", kind, metadata: { name: "p" }, spec };
  const { diagnostics } = parseFiles([{ name: "x", text: JSON.stringify(object) }]);
  return diagnostics.map(({ code }) => code);
};
const policy = (more: object) => said("Policy", { subject: "app=a", ingress: [], ...more });
const inventory = (workload: object) =>
  said("Inventory", { workloads: [{ name: "a", ...workload }] });
const machine = (more: object) => said("Inventory", { machine: more });

describe("times (RFC 3339)", () => {
  test.each([
    "2030-01-01T00:00:00Z",
    "2030-12-31T23:59:59Z",
    "2028-02-29T12:00:00.123Z",
    "2030-04-30t00:00:00z",
    "2030-01-01 00:00:00+23:59",
    "2030-01-01T00:00:00-00:00",
  ])("%s", (expires) => {
    expect(policy({ expires })).toEqual([]);
  });

  test.each([
    "2030-00-01T00:00:00Z",
    "2030-13-01T00:00:00Z",
    "2030-01-00T00:00:00Z",
    "2030-01-32T00:00:00Z",
    "2030-02-29T00:00:00Z",
    "2030-04-31T00:00:00Z",
    "2030-01-01T24:00:00Z",
    "2030-01-01T00:60:00Z",
    "2030-01-01T00:00:61Z",
    "2030-01-01T00:00:00+24:00",
    "2030-01-01T00:00:00+00:60",
    "2030-01-01T00:00:00",
    "2030-01-01",
    "12030-01-01T00:00:00Z",
    "2030-01-01T00:00:00Z ",
  ])("not %s", (expires) => {
    expect(policy({ expires })).toEqual(["BH0207"]);
  });
});

describe("interfaces, as the kernel takes them", () => {
  test.each(["br0", "veth-web", "a".repeat(15), "...", "é"])("`%s`", (name) => {
    expect(machine({ dhcp: [name] })).toEqual([]);
  });
  test.each(["", ".", "..", "a".repeat(16), "a b", "a/b", "a:b", 'a"b', "a\\b"])(
    "not `%s`",
    (name) => {
      expect(machine({ dhcp: [name] })).toEqual(["BH0107"]);
    },
  );
});

describe("units and control groups", () => {
  test.each([
    "nginx.service",
    "a@b.service",
    "run-1.scope",
    "app.slice",
    `${"a".repeat(240)}.service`,
    "/system.slice/nginx.service",
    "/a/...",
  ])("`%s`", (unit) => {
    expect(inventory({ unit })).toEqual([]);
  });
  test.each([
    "nginx",
    ".service",
    "nginx.timer",
    `${"a".repeat(241)}.service`,
    "a b.service",
    "/",
    "/a/",
    "/a/../b",
    "/a/./b",
    "/a/..",
    "a/b",
    "nginx.service/",
    "//a",
  ])("not `%s`", (unit) => {
    expect(inventory({ unit })).toEqual(["BH0107"]);
  });
});

describe("workloads", () => {
  test.each(["netns", "container", "pod", "vm", "host", "external"])("of kind %s", (kind) => {
    expect(inventory({ kind, addresses: ["192.0.2.1"] })).toEqual([]);
  });
  test.each([
    [{ owner: "Deployment/web" }, []],
    [{ owner: "Deployment" }, ["BH0107"]],
    [{ owner: "/web" }, ["BH0107"]],
    [{ owner: "Deployment/" }, ["BH0107"]],
    [{ owner: "a/b/c" }, ["BH0107"]],
    [{ sockets: [{ port: 80 }] }, ["BH0109"]],
    [{ borrowedSockets: "accepted" }, ["BH0109"]],
  ])("with %j", (more, expected) => {
    expect(inventory({ netns: "a", ...more })).toEqual(expected);
  });
  test.each(["unit", "container"] as const)("a %s has sockets", (binding) => {
    const name = binding === "unit" ? "a.service" : "a";
    expect(inventory({ [binding]: name, sockets: [{ port: 80 }] })).toEqual([]);
  });
});

test.each([
  ["10.0.0.1", []],
  ["10.0.0.1:5353", []],
  ["[fd00::1]:5353", []],
  ["fd00::1", []],
  ["10.0.0.1:0", ["BH0209"]],
  ["10.0.0.1:65536", ["BH0209"]],
  ["10.0.0", ["BH0209"]],
])("a resolver at %s", (address, expected) => {
  expect(machine({ dns: [address] })).toEqual(expected);
});
