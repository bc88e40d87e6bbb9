/** Who is there, and who is led where, by the objects of a cluster. */
import { TCP, UDP } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import { buildPolicySet, parseFiles } from "../src/index.ts";

const built = (text: string, file = "x.yaml") => {
  const { resources, diagnostics } = parseFiles([{ name: file, text }]);
  const found = buildPolicySet(resources, { now: 0, strict: false, mode: "enforce" });
  const said = [...diagnostics, ...found.diagnostics].map(({ code }) => code);
  return { ...found, resources, said };
};
const documents = (...texts: readonly string[]) => texts.join("\n---\n");
const pod = (name: string, spec = "{}", namespace = "shop") =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}\nspec: ${spec}`;
const service = (name: string, spec: string, namespace = "shop") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}`;

describe("who a pod is", () => {
  const labels = (text: string) => built(text).inventory.workloads[0]?.labels;

  test.each([
    ["{serviceAccountName: robot}", "robot"],
    ["{serviceAccount: robot}", "robot"],
    ["{serviceAccountName: robot, serviceAccount: other}", "robot"],
    ['{serviceAccountName: ""}', "default"],
    ["{}", "default"],
  ])("%s runs as %s", (spec, account) => {
    expect(labels(pod("web", spec))).toEqual({ app: "web", ":service-account": account });
    const set = `apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {template: {spec: ${spec}}}`;
    expect(labels(set)).toEqual({ ":service-account": account });
  });

  describe("labels that controllers give, and no template has", () => {
    const set = (spec: string) =>
      `apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {${spec}, template: {metadata: {labels: {app: db}}}}`;
    const asking = (labels: string) =>
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: {podSelector: {${labels}}}`;
    const NAMED = "matchLabels: {statefulset.kubernetes.io/pod-name: db-1}";
    const NUMBERED = "matchExpressions: [{key: apps.kubernetes.io/pod-index, operator: Exists}]";
    const names = (...texts: readonly string[]) =>
      built(documents(...texts)).inventory.workloads.map(({ id, owner }) => `${id} ${owner?.name}`);

    test.each([NAMED, NUMBERED])("a StatefulSet's pods are told apart by %s", (asked) => {
      expect(names(set("replicas: 2"), asking(asked))).toEqual(["shop/db-0 db", "shop/db-1 db"]);
      expect(names(set("replicas: 2"), asking("matchLabels: {app: db}"))).toEqual(["shop/db db"]);
    });

    test("they are numbered from where the set begins, one if nothing is said", () => {
      const found = built(documents(set("replicas: 2, ordinals: {start: 4}"), asking(NAMED)));
      expect(found.inventory.workloads.map(({ labels: own }) => own)).toEqual(
        ["4", "5"].map((at) => ({
          app: "db",
          ":service-account": "default",
          "statefulset.kubernetes.io/pod-name": `db-${at}`,
          "apps.kubernetes.io/pod-index": at,
        })),
      );
      expect(names(set("replicas: null"), asking(NAMED))).toEqual(["shop/db-0 db"]);
      expect(names(set("replicas: 0"), asking(NAMED))).toEqual(["shop/db-0 db"]);
    });

    test("a number alone does not fill the memory, and that is said where a policy asks for one", () => {
      const said = (replicas: string, asked: string) =>
        built(documents(set(replicas), asking(asked))).said;
      expect(names(set("replicas: 1000"), asking(NAMED))).toHaveLength(1000);
      expect(said("replicas: 1000", NAMED)).toEqual([]);
      expect(said("replicas: 1001", "matchLabels: {app: db}")).toEqual([]);
      expect(names(set("replicas: 2147483647"), asking(NAMED))).toEqual(["shop/db db"]);
      expect(said("replicas: 2147483647", NAMED)).toEqual(["BH0404"]);
    });

    const MACHINE =
      "metadata: {labels: {app: vm}}, spec: {domain: {devices: {interfaces: [{name: default, masquerade: {}, ports: [{name: http, port: 80}, {port: 22}]}]}}}";

    test.each([
      ["VirtualMachine", `spec: {runStrategy: Always, template: {${MACHINE}}}`, "db"],
      [
        "VirtualMachineInstance",
        MACHINE.replace("metadata: {", "metadata: {name: db, namespace: shop, "),
        "db",
      ],
    ])("a %s is the pod that it runs in", (kind, body, name) => {
      const meta = kind === "VirtualMachine" ? "metadata: {name: db, namespace: shop}, " : "";
      const [machine] = built(`{apiVersion: kubevirt.io/v1, kind: ${kind}, ${meta}${body}}`)
        .inventory.workloads;
      expect(machine).toMatchObject({
        id: "shop/db",
        labels: { app: "vm", "kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": name },
        namedPorts: [{ name: "http", protocol: TCP, port: 80 }],
        owner: { kind, name: "db" },
      });
      const other = `{apiVersion: vmoperator.vmware.com/v1alpha3, kind: ${kind}, metadata: {name: a}}`;
      expect(built(other).inventory.workloads).toEqual([]);
    });

    test("a Job's pods have its name", () => {
      const job =
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: shop}\nspec: {template: {metadata: {labels: {app: m}}}}";
      expect(labels(job)).toEqual({
        app: "m",
        "job-name": "migrate",
        "batch.kubernetes.io/job-name": "migrate",
        ":service-account": "default",
      });
    });
  });

  test("no label makes it another: who forges one is refused", () => {
    const { inventory, said } = built(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {":service-account": admin}}',
    );
    expect(inventory.workloads).toEqual([]);
    expect(said).toEqual(["BH0202"]);
  });

  test("containers that only prepare the others name no port; those that stay do", () => {
    const of = (policy: string) =>
      pod(
        "web",
        `{initContainers: [{name: i, ${policy}ports: [{name: http, containerPort: 80}]}], containers: [{name: c}]}`,
      );
    expect(built(of("")).inventory.workloads[0]?.namedPorts).toEqual([]);
    expect(built(of("restartPolicy: Always, ")).inventory.workloads[0]?.namedPorts).toEqual([
      { name: "http", protocol: TCP, port: 80 },
    ]);
  });

  test("an empty namespace is none", () => {
    const text = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ""}';
    expect(built(text).inventory.workloads.map(({ id }) => id)).toEqual(["default/a"]);
  });

  test("a name that the server completes stands as far as it is given", () => {
    const text = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: migrate-}\nspec: {}";
    expect(built(text).inventory.workloads.map(({ id }) => id)).toEqual(["default/migrate"]);
    const nameless = built(text.replace("migrate-", '"--"'));
    expect([nameless.inventory.workloads, nameless.said]).toEqual([[], ["BH0103"]]);
  });

  test.each([
    ["", TCP],
    [", protocol: TCP", TCP],
    [", protocol: UDP", UDP],
    [", protocol: nonsense", TCP],
  ])("a named port's protocol is TCP unless it says another: %j", (more, protocol) => {
    const ofPod = `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{ports: [{name: p, containerPort: 80${more}}]}]}`;
    const ofMachine = `apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\nspec: {domain: {devices: {interfaces: [{ports: [{name: p, port: 80${more}}, {port: 81}, {name: q}]}, {}]}}}`;
    for (const text of [ofPod, ofMachine]) {
      const [workload] = built(text).inventory.workloads;
      expect(workload?.namedPorts).toEqual([{ name: "p", protocol, port: 80 }]);
    }
  });
});

test.each([
  ["apps.openshift.io/v1", "DeploymentConfig", ["default/web"]],
  ["argoproj.io/v1alpha1", "Rollout", ["default/web"]],
  ["elsewhere.example/v1", "Rollout", []],
])("a controller of another maker: %s %s", (version, kind, ids) => {
  const of = (spec: string) =>
    built(`apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: web}\nspec: ${spec}`);
  const found = of("{template: {metadata: {labels: {app: web}}}}");
  expect(found.inventory.workloads.map(({ id }) => id)).toEqual(ids);
  expect(found.said).toEqual(ids.length === 0 ? ["BH0401"] : []);
});

test("a Rollout without a spec makes no pods", () => {
  const { inventory, said } = built(
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}",
  );
  expect([inventory.workloads, said]).toEqual([[], []]);
});

test("a Rollout that refers to a Deployment is that one", () => {
  const text =
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {workloadRef: {kind: Deployment, name: web}}";
  expect(built(text).inventory.workloads).toEqual([]);
  expect(built(text).said).toEqual([]);
});

describe("nodes", () => {
  const node = `apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: Hostname, address: n1}, {type: ExternalIP, address: "2001:DB8::1"}]}`;

  test("are workloads of a namespace that nobody can declare", () => {
    const { inventory, said } = built(documents(node, pod("web", "{nodeName: n1}")));
    const [machine, web] = inventory.workloads.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect({ ...machine, source: undefined }).toEqual({
      id: ":nodes/n1",
      namespace: ":nodes",
      name: "n1",
      kind: "node",
      labels: { zone: "a" },
      addresses: ["192.0.2.1", "2001:db8::1"],
      namedPorts: [],
      hostNetwork: false,
    });
    expect(web?.node).toBe(":nodes/n1");
    expect(inventory.namespaces.map(({ name }) => name)).toEqual(["shop"]);
    expect(said).toEqual([]);
  });

  test("no namespace is called so, and no pod lives there", () => {
    expect(built("apiVersion: v1\nkind: Namespace\nmetadata: {name: ':nodes'}").said).toEqual([
      "BH0107",
    ]);
    expect(built(pod("fake", "{}", "':nodes'")).said).toEqual(["BH0107"]);
  });
});

describe("Services", () => {
  const named = (name: string, port: number) =>
    `{containers: [{name: c, ports: [{name: ${name}, containerPort: ${port}}]}]}`;
  const backends = (spec: string, ...more: readonly string[]) => {
    const { services, said } = built(
      documents(
        pod("web", named("http", 8080)),
        pod("other", named("http", 9090)),
        pod("web", named("http", 7070), "bank"),
        service("s", spec),
        ...more,
      ),
    );
    expect(said).toEqual([]);
    const found = services.named("shop", "s");
    if (found === undefined) throw new Error("no service");
    return services.backends(found).map((one) => [one.workload.id, one.protocol, one.port]);
  };

  test.each([
    ["the same port", "{port: 80}", [["shop/web", TCP, 80]]],
    ["a number", "{port: 80, targetPort: 8081}", [["shop/web", TCP, 8081]]],
    ["a name of the pod's", "{port: 80, targetPort: http}", [["shop/web", TCP, 8080]]],
    ["a name that the pod lacks", "{port: 80, targetPort: admin}", []],
    ["a name of another protocol", "{port: 80, protocol: UDP, targetPort: http}", []],
    ["another protocol", "{port: 53, protocol: UDP}", [["shop/web", UDP, 53]]],
  ])("lead to the pods they select, of their own namespace: %s", (_, port, expected) => {
    expect(backends(`{selector: {app: web}, ports: [${port}]}`)).toEqual(expected);
  });

  test("without a selector, with an empty one, or as an alias they lead nowhere that files tell of", () => {
    expect(backends("{ports: [{port: 80}]}")).toEqual([]);
    expect(backends("{selector: {}, ports: [{port: 80}]}")).toEqual([]);
    expect(
      backends(
        "{type: ExternalName, externalName: a.example, selector: {app: web}, ports: [{port: 80}]}",
      ),
    ).toEqual([]);
  });

  test("every address that they are met at", () => {
    const { services } = built(
      `${service("s", '{clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "FD00::1"], externalIPs: [198.51.100.1]}')}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.1}, {hostname: lb.example}]}}`,
    );
    expect(services.named("shop", "s")).toMatchObject({
      clusterIps: ["10.96.0.1", "fd00::1"],
      externalIps: ["198.51.100.1"],
      balancerIps: ["203.0.113.1"],
      headless: false,
    });
    const headless = built(service("s", "{clusterIP: None}")).services.named("shop", "s");
    expect(headless).toMatchObject({ clusterIps: [], headless: true });
  });

  test("their ports, as they are given", () => {
    const { services, said } = built(
      service(
        "s",
        "{type: NodePort, clusterIP: 10.96.0.1, ports: [{name: a, port: 80, targetPort: http, nodePort: 30080}, {port: 53, protocol: UDP, nodePort: 0}]}",
      ),
    );
    expect(said).toEqual([]);
    expect(services.named("shop", "s")).toMatchObject({
      type: "NodePort",
      clusterIps: ["10.96.0.1"],
      ports: [
        { name: "a", protocol: TCP, port: 80, target: "http", nodePort: 30080 },
        { protocol: UDP, port: 53, target: 53 },
      ],
    });
    expect(services.named("shop", "s")?.ports[1]).not.toHaveProperty("nodePort");
    expect(services.named("shop", "t")).toBeUndefined();
    expect(services.named("default", "s")).toBeUndefined();
  });

  test("nothing is said of one without a spec", () => {
    const { services, said } = built(service("s", "{}").replace("spec: {}", "status: {}"));
    expect(said).toEqual([]);
    const found = services.named("shop", "s");
    expect(found).toMatchObject({ type: "ClusterIP", ports: [], clusterIps: [], headless: false });
    expect(found).not.toHaveProperty("selector");
  });

  test("of another API are not Services", () => {
    const knative = service("s", "{}").replace("v1", "serving.knative.dev/v1");
    expect(built(knative).services.all).toEqual([]);
  });
});

describe("ways in from outside", () => {
  const world = documents(
    pod("web", "{containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}"),
    service(
      "web",
      "{selector: {app: web}, ports: [{name: www, port: 80, targetPort: http}, {name: adm, port: 9000}]}",
    ),
  );
  const ways = (...texts: readonly string[]) => {
    const { waysIn, said } = built(documents(world, ...texts));
    const found = waysIn.map(({ by, service: to, backends }) => [
      `${by.kind} ${by.namespace}/${by.name} → ${to.namespace}/${to.name}`,
      ...backends.map(({ workload, port }) => `${workload}:${port}`),
    ]);
    return said.length === 0 ? found : [...found, said];
  };
  const ingress = (backend: string, version = "networking.k8s.io/v1") =>
    `apiVersion: ${version}\nkind: Ingress\nmetadata: {name: in, namespace: shop}\nspec: {rules: [{host: a.example, http: {paths: [{path: /, backend: ${backend}}]}}]}`;
  const IN = "Ingress shop/in → shop/web";

  test.each([
    ["by number", "{service: {name: web, port: {number: 80}}}", [[IN, "shop/web:8080"]]],
    ["by name", "{service: {name: web, port: {name: adm}}}", [[IN, "shop/web:9000"]]],
    ["none", "{service: {name: web}}", [[IN, "shop/web:8080", "shop/web:9000"]]],
    ["unknown", "{service: {name: web, port: {number: 81}}}", [["BH0405"]]],
    ["of a resource", "{resource: {apiGroup: x, kind: Bucket, name: b}}", []],
  ])("an Ingress and its port: %s", (_, backend, expected) => {
    expect(ways(ingress(backend))).toEqual(expected);
  });

  test("an Ingress in the words of extensions/v1beta1, and with a default backend", () => {
    expect(ways(ingress("{serviceName: web, servicePort: www}", "extensions/v1beta1"))).toEqual([
      [IN, "shop/web:8080"],
    ]);
    expect(
      ways(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: in, namespace: shop}\nspec: {defaultBackend: {service: {name: web, port: {number: 80}}}}",
      ),
    ).toEqual([[IN, "shop/web:8080"]]);
  });

  test("OpenShift's Route speaks of the pods' port", () => {
    const route = (port: string) =>
      `apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: r, namespace: shop}\nspec: {to: {kind: Service, name: web}${port}}`;
    const name = "Route shop/r → shop/web";
    expect(ways(route(", port: {targetPort: http}"))).toEqual([[name, "shop/web:8080"]]);
    expect(ways(route(", port: {targetPort: 9000}"))).toEqual([[name, "shop/web:9000"]]);
    expect(ways(route(""))).toEqual([[name, "shop/web:8080", "shop/web:9000"]]);
    const led = (spec: string) => ways(route("").replace(/spec: .*$/, `spec: ${spec}`));
    expect(led("{to: {name: web}}")).toEqual([[name, "shop/web:8080", "shop/web:9000"]]);
    expect(led("{to: {kind: Bucket, name: web}, port: {targetPort: http}}")).toEqual([]);
    expect(
      led(
        "{to: {kind: Bucket, name: web}, alternateBackends: [{name: web}], port: {targetPort: 9000}}",
      ),
    ).toEqual([[name, "shop/web:9000"]]);
  });

  test("an Ingress leads nowhere by rules without paths, or by paths without backends", () => {
    const bare = (spec: string) => ways(ingress("{}").replace(/spec: .*$/, spec));
    expect(bare("status: {}")).toEqual([]);
    expect(bare("spec: {rules: [{host: a.example}]}")).toEqual([]);
    expect(bare("spec: {rules: [{http: {}}, {http: {paths: [{path: /}]}}]}")).toEqual([]);
    expect(bare("spec: {backend: {serviceName: web, servicePort: 9000}}")).toEqual([
      [IN, "shop/web:9000"],
    ]);
  });

  const route = (kind: string, parents: string, namespace = "shop", target = "") =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: {name: r, namespace: ${namespace}}\nspec: {parentRefs: ${parents}, rules: [{backendRefs: [{name: web, port: 80${target}}]}]}`;
  const gateway = (listeners: string) =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw, namespace: edge}\nspec: {gatewayClassName: c, listeners: ${listeners}}`;
  const TO_EDGE = "[{name: gw, namespace: edge}]";

  test.each(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"])(
    "a %s by a Gateway that is not in the files",
    (kind) => {
      expect(ways(route(kind, TO_EDGE))).toEqual([[`${kind} shop/r → shop/web`, "shop/web:8080"]]);
    },
  );

  test("a mirror of requests is led there, too", () => {
    expect(
      ways(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: shop}\nspec: {parentRefs: [{name: gw}], rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 9000}}}]}]}",
      ),
    ).toEqual([["HTTPRoute shop/r → shop/web", "shop/web:9000"]]);
  });

  const LED = [["HTTPRoute shop/r → shop/web", "shop/web:8080"]];
  test.each([
    ["takes its own namespace unless it says more", "[{name: a, port: 80}]", "", []],
    ["takes all", "[{name: a, port: 80, allowedRoutes: {namespaces: {from: All}}}]", "", LED],
    [
      "takes some by label",
      "[{name: a, port: 80, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}}}]",
      "",
      LED,
    ],
    [
      "takes others by label",
      "[{name: a, port: 80, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: bank}}}}}]",
      "",
      [],
    ],
    ["takes none", "[{name: a, port: 80, allowedRoutes: {namespaces: {from: None}}}]", "", []],
    [
      "takes all at another listener",
      "[{name: a, port: 80, allowedRoutes: {namespaces: {from: All}}}, {name: b, port: 81}]",
      ", sectionName: b",
      [],
    ],
    [
      "takes all at another port",
      "[{name: a, port: 80, allowedRoutes: {namespaces: {from: All}}}, {name: b, port: 81}]",
      ", port: 81",
      [],
    ],
  ])("a Gateway %s", (_, listeners, more, expected) => {
    const parents = `[{name: gw, namespace: edge${more}}]`;
    expect(ways(gateway(listeners), route("HTTPRoute", parents))).toEqual(expected);
  });

  test("a Gateway without listeners admits nobody", () => {
    const bare = gateway("[]").replace(/spec: .*$/, "status: {}");
    expect(ways(bare, route("HTTPRoute", TO_EDGE))).toEqual([]);
    expect(ways(gateway("[]"), route("HTTPRoute", TO_EDGE))).toEqual([]);
  });

  test("a route of a mesh is no way in", () => {
    expect(ways(route("HTTPRoute", "[{kind: Service, group: '', name: web}]"))).toEqual([]);
  });

  test("into another namespace only where that has granted it", () => {
    const grant = (from: string, to: string, namespace = "shop") =>
      `apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: ${namespace}}\nspec: {from: [{group: gateway.networking.k8s.io, ${from}}], to: [{group: "", ${to}}]}`;
    const abroad = route("HTTPRoute", "[{name: gw}]", "edge", ", namespace: shop");
    const led = [["HTTPRoute edge/r → shop/web", "shop/web:8080"]];
    const http = "kind: HTTPRoute, namespace: edge";
    expect(ways(abroad)).toEqual([["BH0406"]]);
    expect(ways(abroad, grant(http, "kind: Service"))).toEqual(led);
    expect(ways(abroad, grant(http, "kind: Service, name: web"))).toEqual(led);
    expect(ways(abroad, grant(http, "kind: Service, name: db"))).toEqual([["BH0406"]]);
    expect(ways(abroad, grant(http, "kind: Secret"))).toEqual([["BH0406"]]);
    expect(ways(abroad, grant("kind: TCPRoute, namespace: edge", "kind: Service"))).toEqual([
      ["BH0406"],
    ]);
    expect(ways(abroad, grant("kind: HTTPRoute, namespace: bank", "kind: Service"))).toEqual([
      ["BH0406"],
    ]);
    expect(ways(abroad, grant(http, "kind: Service", "edge"))).toEqual([["BH0406"]]);
  });
});

/** Objects as sparse as the API server takes them, or as a person who is not done writes them. */
test.each([
  ["v1", "Pod", ""],
  ["v1", "Pod", "spec: {containers: [{}]}\nstatus: {podIPs: [{}]}"],
  ["v1", "Service", ""],
  ["v1", "Service", "spec: {}\nstatus: {loadBalancer: {}}"],
  ["v1", "ServiceAccount", "secrets: []"],
  ["v1", "Node", ""],
  ["v1", "Node", "status: {addresses: [{address: 192.0.2.1}, {type: InternalIP}]}"],
  ["v1", "Namespace", ""],
  ["apps/v1", "Deployment", ""],
  ["apps/v1", "Deployment", "spec: {}"],
  ["apps/v1", "Deployment", "spec: {template: {}}"],
  ["batch/v1", "CronJob", ""],
  ["batch/v1", "CronJob", "spec: {}"],
  ["batch/v1", "CronJob", "spec: {jobTemplate: {}}"],
  ["batch/v1", "CronJob", "spec: {jobTemplate: {spec: {}}}"],
  ["networking.k8s.io/v1", "Ingress", ""],
  ["networking.k8s.io/v1", "Ingress", "spec: {rules: [{}, {http: {}}, {http: {paths: [{}]}}]}"],
  ["networking.k8s.io/v1", "Ingress", "spec: {defaultBackend: {}}"],
  ["gateway.networking.k8s.io/v1", "Gateway", ""],
  ["gateway.networking.k8s.io/v1", "Gateway", "spec: {listeners: [{}, {allowedRoutes: {}}]}"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", ""],
  [
    "gateway.networking.k8s.io/v1",
    "HTTPRoute",
    "spec: {parentRefs: [{name: g}], rules: [{}, {filters: [{}, {requestMirror: {}}]}]}",
  ],
])("%s %s with nothing in it that could be left out: %s", (version, kind, rest) => {
  const { resources, said } = built(
    `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: a}\n${rest}`,
  );
  expect(said).toEqual([]);
  expect(resources).toHaveLength(1);
});

test.each([
  ["v1", "Service", "spec: {ports: [{}]}"],
  ["networking.k8s.io/v1", "Ingress", "spec: {defaultBackend: {service: {}}}"],
  ["route.openshift.io/v1", "Route", "spec: {}"],
  ["route.openshift.io/v1", "Route", "spec: {to: {}}"],
  ["route.openshift.io/v1", "Route", "spec: {to: {name: s}, port: {}}"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {rules: [{backendRefs: [{port: 80}]}]}"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {parentRefs: [{}]}"],
  ["gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "spec: {from: []}"],
  ["gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "spec: {to: []}"],
  [
    "gateway.networking.k8s.io/v1beta1",
    "ReferenceGrant",
    "spec: {from: [{kind: HTTPRoute}], to: []}",
  ],
  ["gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "spec: {from: [], to: [{}]}"],
])("%s %s without what it needs: %s", (version, kind, rest) => {
  const { resources, said } = built(
    `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: a}\n${rest}`,
  );
  expect(said).toEqual(["BH0103"]);
  expect(resources).toEqual([]);
});

describe("what other tools print", () => {
  const lists = ["Service", "ServiceAccount", "Node", "Deployment", "Ingress"];
  test.each(lists)("a %sList is its items", (kind) => {
    const version =
      kind === "Deployment" ? "apps/v1" : kind === "Ingress" ? "networking.k8s.io/v1" : "v1";
    const text = `{"apiVersion": "${version}", "kind": "${kind}List", "metadata": {}, "items": [{"metadata": {"name": "a"}, "spec": {}}]}`;
    expect(built(text).resources).toHaveLength(1);
    expect(built(text).said).toEqual([]);
  });

  test("a List in a List, and one with nothing in it", () => {
    const inner = `{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]}`;
    expect(
      built(`{apiVersion: v1, kind: List, items: [${inner}]}`).inventory.workloads,
    ).toHaveLength(1);
    expect(built("{apiVersion: v1, kind: List, items: []}").said).toEqual([]);
    expect(built("---\n---\n# nothing\n---\n").said).toEqual([]);
    expect(built("").said).toEqual([]);
  });

  test.each([
    ["kustomization.yaml", "resources: [a.yaml]"],
    ["base/kustomization.yml", "namePrefix: x-"],
    ["C:\\x\\Kustomization", "resources: []"],
    ["chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0"],
    ["chart/values.yaml", "replicas: 3"],
    ["x.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component"],
  ])("%s says how manifests are made", (file, text) => {
    const { diagnostics } = parseFiles([{ name: file, text }]);
    expect(diagnostics.map(({ code, severity, help }) => [code, severity, help])).toEqual([
      [
        "BH0401",
        "info",
        expect.stringMatching(/^give what `(helm template|kustomize build)` prints$/),
      ],
    ]);
  });

  test("an object in a file of that name is one all the same", () => {
    expect(built(pod("a"), "values.yaml").inventory.workloads).toHaveLength(1);
  });
});
