/** Labels given to single workloads: what becomes of the Inventory that holds them, and what is refused. */
import { describe, expect, it } from "vitest";
import { ApiFailure, type LabelRequest } from "@bulkhead/api";
import { labelled, LABELS_KEY } from "../src/policy/labelling.ts";
import { buildWorld } from "../src/world/world.ts";
import { modeNotices } from "../src/policy/relabelled.ts";
import { endpoint, held, NOW, reading, service, surroundings } from "./fixtures.ts";

const AROUND = surroundings(
  [
    endpoint("web", { addresses: ["10.9.0.10"] }),
    endpoint("box", { kind: "container", containerLabels: { app: "box", tier: "a" } }),
    endpoint("@veth9", { interface: "veth9" }),
  ],
  { processes: [service("/system.slice/nginx.service")] },
);
const OWN = {
  name: "own.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: own, namespace: default }
spec: { workloads: [{ name: web, netns: web, labels: { app: web } }] }
`,
};

type Asked = Pick<LabelRequest, "workload" | "set" | "remove">;

/** One after the other, each on what the one before left; the labels in the world after the last. */
function after(requests: readonly Asked[], own: readonly (typeof OWN)[] = []) {
  let file: ReturnType<typeof labelled>;
  for (const request of requests) {
    const now = held([...own, ...(file === undefined ? [] : [file])]);
    const plain = buildWorld(reading(own).declared, AROUND);
    file = labelled(request, now, plain);
  }
  const { declared } = reading([...own, ...(file === undefined ? [] : [file])]);
  const world = buildWorld(declared, AROUND);
  return {
    file,
    of: (id: string) => world.inventory.workloads.find((one) => one.id === id)?.labels,
    ids: world.inventory.workloads.map(({ id }) => id),
  };
}

const NGINX = "host/nginx.service";
const failure = (...given: Parameters<typeof after>): ApiFailure => {
  try {
    after(...given);
  } catch (error) {
    if (error instanceof ApiFailure) return error;
    throw error;
  }
  return expect.unreachable("it was taken");
};

describe("a label", () => {
  it("is given beside what the system says of a unit, and taken back without a trace", () => {
    const set = { workload: NGINX, set: { role: "front" } };
    const given = after([set]);
    expect(given.of(NGINX)).toMatchObject({
      "bulkhead.dev/unit": "nginx.service",
      app: "nginx",
      role: "front",
    });
    expect(held([given.file!]).map(({ stored }) => stored.key)).toEqual([LABELS_KEY]);
    const back = after([set, { workload: NGINX, remove: ["role"] }]);
    expect(back.file).toBeUndefined();
    expect(back.of(NGINX)).toEqual(after([]).of(NGINX));
  });

  it("goes before the discovered one, which shows again when it is taken back", () => {
    const set = { workload: NGINX, set: { app: "front", role: "x" } };
    expect(after([set]).of(NGINX)).toMatchObject({ app: "front" });
    expect(after([set, { workload: NGINX, remove: ["app"] }]).of(NGINX)).toMatchObject({
      app: "nginx",
      role: "x",
    });
  });

  it("leaves a container the labels of its runtime", () => {
    const set = { workload: "default/box", set: { tier: "b" } };
    expect(after([set]).of("default/box")).toEqual({ app: "box", tier: "b" });
    expect(after([set, { workload: "default/box", remove: ["tier"] }]).file).toBeUndefined();
  });

  it("changes nobody's name, and no others' labels", () => {
    const before = after([]);
    const given = after([
      { workload: NGINX, set: { role: "front" } },
      { workload: "default/web", set: { app: "web" } },
    ]);
    expect(given.ids).toEqual(before.ids);
    expect(given.of("default/box")).toEqual(before.of("default/box"));
    expect(given.of("default/web")).toEqual({ app: "web" });
  });
});

describe("is refused:", () => {
  it.each([
    ["a key of the system's", { "bulkhead.dev/unit": "sshd.service" }, "not given by hand"],
    ["a key of Kubernetes'", { "kubernetes.io/metadata.name": "shop" }, "not given by hand"],
    ["a malformed key", { "a b": "c" }, "a b"],
    ["a malformed value", { a: "b c" }, "b c"],
  ])("%s", (_, set, words) => {
    expect(failure([{ workload: NGINX, set }])).toMatchObject({
      code: "bad-request",
      message: expect.stringContaining(words),
    });
  });

  it("to label who has labels from a file, with the place", () => {
    expect(failure([{ workload: "default/web", set: { a: "b" } }], [OWN])).toMatchObject({
      code: "bad-request",
      help: expect.stringContaining("own.yaml:4"),
    });
  });

  it("to label nobody, or somebody who cannot be known again", () => {
    expect(failure([{ workload: "shop/none", set: { a: "b" } }]).code).toBe("unknown-workload");
    expect(failure([{ workload: "default/veth9", set: { a: "b" } }]).help).toContain("netns");
  });

  it("to take back what was not given", () => {
    expect(failure([{ workload: NGINX, remove: ["app"] }]).help).toContain("app=…");
    expect(failure([{ workload: NGINX, remove: ["none"] }]).help).toContain("bulkhead workloads");
  });
});

describe("whom a label brings under enforcement, or out of it", () => {
  const policy = {
    name: "front.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: front, namespace: host }
spec: { subject: role=front, ingress: [] }
`,
  };
  const labels = (role: string) => ({
    name: "labels",
    text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: labels, namespace: default }
spec: { workloads: [{ name: nginx.service, namespace: host, unit: /system.slice/nginx.service, labels: { role: ${role} } }] }
`,
  });
  const side = (role: string, mode: "audit" | "enforce") => {
    const { set, declared } = reading([policy, labels(role)], mode);
    return { set, index: buildWorld(declared, AROUND).index };
  };
  const told = (from: string, to: string, mode: "audit" | "enforce" = "enforce") =>
    modeNotices(side(from, mode), side(to, mode), NOW);

  it("is told, and nothing where it stays as it is", () => {
    expect(told("back", "front")).toEqual([
      expect.stringMatching(/^`host\/nginx.service` is enforced by these labels/),
    ]);
    expect(told("front", "back")).toEqual([
      expect.stringMatching(
        /^`host\/nginx.service` is enforced no longer: no enforced policy selects it/,
      ),
    ]);
    expect(told("front", "front")).toEqual([]);
    expect(told("back", "other")).toEqual([]);
    expect(told("front", "back", "audit")).toEqual([]);
  });
});
