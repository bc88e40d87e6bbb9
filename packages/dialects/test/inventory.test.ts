import { describe, expect, test } from "vitest";
import { DEFAULT_PROFILE, formatInvariant } from "@bulkhead/model";
import { buildPolicySet, parseFiles } from "../src/index.ts";

const inventory = (text: string) => {
  const { resources, diagnostics } = parseFiles([{ name: "x.yaml", text }]);
  const built = buildPolicySet(resources, { now: 0, strict: false, mode: "audit" });
  return {
    ...built.inventory,
    codes: [...diagnostics, ...built.diagnostics].map(({ code }) => code),
  };
};

describe("native Inventory", () => {
  const found = inventory(`
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: {name: hosts, namespace: shop}
spec:
  namespaces: [{name: shop, labels: {team: a, kubernetes.io/metadata.name: forged}}]
  workloads:
    - name: web
      labels: {app: web}
      netns: web-ns
      ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: udp}]
      owner: Deployment/web
    - {name: cache, container: shop-cache-1}
    - {name: mainframe, namespace: legacy, addresses: ["2001:DB8::1", 10.9.0.1, 10.9.0.1], kind: vm}
`);
  test("workloads, completed and canonical", () => {
    expect(found.codes).toEqual([]);
    expect(found.workloads.map((one) => ({ ...one, source: undefined }))).toEqual([
      {
        id: "shop/web",
        namespace: "shop",
        name: "web",
        kind: "netns",
        labels: { app: "web" },
        addresses: [],
        namedPorts: [
          { name: "http", protocol: 6, port: 80 },
          { name: "dns", protocol: 17, port: 53 },
        ],
        hostNetwork: false,
        owner: { kind: "Deployment", name: "web" },
      },
      {
        id: "shop/cache",
        namespace: "shop",
        name: "cache",
        kind: "container",
        labels: {},
        addresses: [],
        namedPorts: [],
        hostNetwork: false,
      },
      {
        id: "legacy/mainframe",
        namespace: "legacy",
        name: "mainframe",
        kind: "vm",
        labels: {},
        addresses: ["10.9.0.1", "2001:db8::1"],
        namedPorts: [],
        hostNetwork: false,
      },
    ]);
    expect(found.workloads[0]?.source).toMatchObject({ file: "x.yaml", line: 8 });
  });
  test("bindings for whoever discovers network namespaces and containers", () => {
    expect(found.bindings).toEqual([
      { workload: "shop/web", kind: "netns", name: "web-ns" },
      { workload: "shop/cache", kind: "container", name: "shop-cache-1" },
    ]);
  });
  test("every namespace is there, and its name label is its name (CVE-2023-39347)", () => {
    expect(found.namespaces).toEqual([
      { name: "shop", labels: { team: "a", "kubernetes.io/metadata.name": "shop" } },
      { name: "legacy", labels: { "kubernetes.io/metadata.name": "legacy" } },
    ]);
  });
});

describe("units of the machine", () => {
  const workloads = (text: string) =>
    inventory(
      `apiVersion: bulkhead.dev/v1\nkind: Inventory\nmetadata: {name: a, namespace: host}\nspec: {workloads: ${text}}\n`,
    );

  test("are processes, with a control group where the file says it", () => {
    const { codes, bindings, ...found } = workloads(
      "[{name: nginx, unit: nginx.service, labels: {app: nginx}}, {name: jobs, unit: /jobs.slice}]",
    );
    expect(codes).toEqual([]);
    expect(
      found.workloads.map(({ id, kind, cgroup, addresses }) => [id, kind, cgroup, addresses]),
    ).toEqual([
      ["host/nginx", "process", undefined, []],
      ["host/jobs", "process", "/jobs.slice", []],
    ]);
    expect(bindings).toEqual([
      { workload: "host/nginx", kind: "unit", name: "nginx.service" },
      { workload: "host/jobs", kind: "unit", name: "/jobs.slice" },
    ]);
  });

  test.each([
    ["{name: a, unit: nginx}", "BH0107"],
    ["{name: a, unit: /}", "BH0107"],
    ["{name: a, unit: /system.slice/}", "BH0107"],
    ["{name: a, unit: /system.slice/../etc}", "BH0107"],
    [`{name: a, unit: '/x"; drop'}`, "BH0107"],
    ["{name: a, unit: a.socket}", "BH0107"],
    ["{name: a, unit: a.service, netns: a}", "BH0109"],
    ["{name: a, unit: a.service, addresses: [10.0.0.1]}", "BH0109"],
    ["{name: a, unit: a.service, kind: vm}", "BH0109"],
    ["{name: a, unit: a.service}, {name: b, unit: a.service}", "BH0108"],
    ["{name: a, unit: /a.slice}, {name: b, unit: /a.slice/b.service}", "BH0108"],
    ["{name: a}", "BH0103"],
  ])("%s is refused", (text, code) => {
    expect(workloads(`[${text}]`).codes).toEqual([code]);
  });

  test("a name that begins with another one's is not inside it", () => {
    expect(workloads("[{name: a, unit: /a.slice}, {name: b, unit: /a.slice2}]").codes).toEqual([]);
  });
});

describe("the machine", () => {
  const profile = (...specs: readonly string[]) => {
    const text = specs
      .map(
        (spec, i) =>
          `apiVersion: bulkhead.dev/v1\nkind: Inventory\nmetadata: {name: i${i}}\nspec: ${spec}\n`,
      )
      .join("---\n");
    const { resources, diagnostics } = parseFiles([{ name: "x.yaml", text }]);
    const built = buildPolicySet(resources, { now: 0, strict: false, mode: "enforce" });
    return {
      ...built.set.profile,
      said: [...diagnostics, ...built.diagnostics].map(({ code, message, help }) => [
        code,
        message,
        help,
      ]),
    };
  };

  test("without a word about it everything is as it was", () => {
    expect(profile("{machine: {}}")).toEqual({ ...DEFAULT_PROFILE, said: [] });
  });

  test("switches are set, lists of several Inventories add up, each once and in order", () => {
    expect(
      profile(
        '{machine: {nodeExempt: false, dhcp: [veth-b, br0], dns: ["[FD00::1]:5353", 10.0.0.1]}}',
        "{machine: {hairpinExempt: false, nodeExempt: false, dhcp: [br0], dns: ['10.0.0.1:53']}}",
      ),
    ).toEqual({
      nodeExempt: false,
      hairpinExempt: false,
      default: "allow",
      dhcp: ["br0", "veth-b"],
      dns: [
        { address: "10.0.0.1", port: 53 },
        { address: "fd00::1", port: 5353 },
      ],
      said: [],
    });
  });

  test("what the machine must be able to do adds up, with its place and the usual ports", () => {
    const declared = (...specs: readonly string[]) => {
      const text = specs
        .map(
          (spec, index) =>
            `apiVersion: bulkhead.dev/v1\nkind: Inventory\nmetadata: {name: m${index}}\nspec: {machine: {invariants: ${spec}}}\n`,
        )
        .join("---\n");
      const { resources, diagnostics } = parseFiles([{ name: "x.yaml", text }]);
      const built = buildPolicySet(resources, { now: 0, strict: false, mode: "audit" });
      return {
        found: built.invariants.map((one) => `${formatInvariant(one)} at ${one.source.line}`),
        said: diagnostics.map(({ code, message, help }) => [code, message, help]),
      };
    };
    expect(
      declared(
        '{dns: [10.0.0.1, "[FD00::1]:5353"], connect: ["10.0.0.9:443"]}',
        "{dns: ['10.0.0.1:53'], ssh: ['192.0.2.7:2222'], ntp: [10.0.0.2], dhcp: [10.0.0.3], metadata: [169.254.169.254]}",
      ),
    ).toEqual({
      found: [
        "connect 10.0.0.9 443/tcp at 4",
        "dhcp 10.0.0.3 at 9",
        "dns 10.0.0.1 at 4",
        "dns fd00::1 5353/udp at 4",
        "metadata 169.254.169.254 at 9",
        "ntp 10.0.0.2 at 9",
        "ssh from 192.0.2.7 2222/tcp at 9",
      ],
      said: [],
    });
    expect(declared("{connect: [10.0.0.9], dns: [nine]}").said).toEqual([
      [
        "BH0209",
        "`10.0.0.9` is not an address with a port",
        "for example `10.0.0.9:443` or `[fd00::9]:443`",
      ],
      [
        "BH0209",
        "`nine` is not an address",
        "for example `10.0.0.1` or `10.0.0.1:1053` or `[fd00::1]:1053`",
      ],
    ]);
  });

  test("a contradiction names both places; a misspelt field, the right one", () => {
    expect(profile("{machine: {nodeExempt: false}}", "{machine: {nodeExempt: true}}").said).toEqual(
      [
        [
          "BH0309",
          "`machine.nodeExempt` is `true` here and `false` in another Inventory",
          "first at x.yaml:4:30; there is one machine, so say it once",
        ],
      ],
    );
    expect(profile("{machine: {nodeExemt: false}}").said).toEqual([
      ["BH0102", expect.stringContaining("nodeExemt"), "did you mean `nodeExempt`?"],
    ]);
  });
});

describe("Kubernetes objects", () => {
  const pod = (name: string, rest: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop${rest}\n`;
  const only = (text: string) => {
    const { workloads, codes } = inventory(text);
    expect(codes).toEqual([]);
    expect(workloads).toHaveLength(1);
    const [workload] = workloads;
    if (workload === undefined) throw new Error("no workload");
    return workload;
  };

  test("a Pod: labels, both addresses, named ports, owner", () => {
    const { source: _, ...workload } = only(
      pod(
        "web-1",
        `, labels: {app: web}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, controller: true, uid: x}]}
spec: {containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}, {containerPort: 9090}, {name: dns, containerPort: 53, protocol: UDP}]}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "2001:DB8::1"}]}`,
      ),
    );
    expect(workload).toEqual({
      id: "shop/web-1",
      namespace: "shop",
      name: "web-1",
      kind: "pod",
      labels: { app: "web", ":service-account": "default" },
      addresses: ["10.0.0.1", "2001:db8::1"],
      namedPorts: [
        { name: "http", protocol: 6, port: 8080 },
        { name: "dns", protocol: 17, port: 53 },
      ],
      hostNetwork: false,
      owner: { kind: "ReplicaSet", name: "web" },
    });
  });

  test.each(["Succeeded", "Failed"])("a pod that has %s owns no address any more", (phase) => {
    expect(only(pod("job-1", `}\nstatus: {phase: ${phase}, podIP: 10.0.0.1}`)).addresses).toEqual(
      [],
    );
  });

  test("trap 6: a hostNetwork pod is known as one", () => {
    expect(
      only(pod("agent", "}\nspec: {hostNetwork: true}\nstatus: {podIP: 192.0.2.1}")).hostNetwork,
    ).toBe(true);
  });

  test("a static pod belongs to nobody", () => {
    expect(
      only(pod("etcd", ", ownerReferences: [{kind: Node, name: n, controller: true}]}")).owner,
    ).toBeUndefined();
  });

  test.each([
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "ReplicationController",
  ])("a %s is one workload with its template's labels", (kind) => {
    const workload = only(
      `apiVersion: apps/v1\nkind: ${kind}\nmetadata: {name: web, labels: {app: not-these}}\nspec: {replicas: 3, template: {metadata: {labels: {app: web}}, spec: {containers: [{ports: [{name: http, containerPort: 80}]}]}}}\n`,
    );
    expect(workload).toMatchObject({
      id: "default/web",
      labels: { app: "web" },
      owner: { kind, name: "web" },
      namedPorts: [{ name: "http", port: 80 }],
    });
  });

  test("a CronJob's template is one deeper", () => {
    expect(
      only(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: night}\nspec: {jobTemplate: {spec: {template: {metadata: {labels: {app: night}}}}}}\n",
      ).labels,
    ).toEqual({ app: "night", ":service-account": "default" });
  });

  test("a controller whose pods are there gives none of its own", () => {
    const deployment =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {}}\n";
    const set =
      "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-1, namespace: shop, ownerReferences: [{kind: Deployment, name: web, controller: true}]}\nspec: {template: {}}\n";
    const one = pod(
      "web-1-a",
      ", ownerReferences: [{kind: ReplicaSet, name: web-1, controller: true}]}",
    );
    expect(inventory([deployment, set, one].join("---\n")).workloads.map(({ id }) => id)).toEqual([
      "shop/web-1-a",
    ]);
  });

  test("two of one name are two workloads", () => {
    const of = (kind: string) =>
      `apiVersion: apps/v1\nkind: ${kind}\nmetadata: {name: db}\nspec: {template: {}}\n`;
    expect(
      inventory([of("Deployment"), of("StatefulSet")].join("---\n")).workloads.map(({ id }) => id),
    ).toEqual(["default/db", "default/statefulset.db"]);
  });

  test("lists of any kind, in YAML or JSON, with and without the kind of their items", () => {
    const list = (head: object, items: readonly object[]) =>
      JSON.stringify({ ...head, metadata: {}, items });
    const bare = { metadata: { name: "a" }, spec: {} };
    const full = { apiVersion: "v1", kind: "Pod", ...bare };
    expect(inventory(list({ apiVersion: "v1", kind: "List" }, [full])).workloads).toHaveLength(1);
    expect(inventory(list({ apiVersion: "v1", kind: "PodList" }, [bare])).workloads).toHaveLength(
      1,
    );
    expect(
      inventory(list({ apiVersion: "v1", kind: "NamespaceList" }, [{ metadata: { name: "n" } }]))
        .namespaces,
    ).toHaveLength(1);
    const policies = list({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicyList" }, [
      { metadata: { name: "p" }, spec: { podSelector: {} } },
    ]);
    expect(parseFiles([{ name: "x", text: policies }]).resources).toHaveLength(1);
  });

  test("a Namespace of the cluster gives its labels", () => {
    expect(
      inventory(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {team: a}, creationTimestamp: null}\nspec: {}\n",
      ).namespaces,
    ).toEqual([{ name: "n", labels: { team: "a", "kubernetes.io/metadata.name": "n" } }]);
  });

  test("ConfigMap and the like are ignored, and that is said", () => {
    expect(
      inventory("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {}\n").codes,
    ).toEqual(["BH0401"]);
  });
});

test("says how a list is written where there is none", () => {
  const help = (machine: string) =>
    parseFiles([
      {
        name: "x.yaml",
        text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: x }
spec: { machine: { ${machine} } }
`,
      },
    ]).diagnostics.map((one) => `${one.code} ${one.help}`);
  expect(help("dhcp: br0")).toEqual(["BH0104 write it as a list: [br0]"]);
  expect(help("dns: true")).toEqual(["BH0104 for example [10.0.0.1]"]);
});
