/** Findings of a folder: each check with a folder that it finds something in, and one that it does not; traps by their numbers. */
import { describe, expect, it } from "vitest";
import { DIAGNOSTICS } from "@bulkhead/model";
import { openDesk } from "../../src/desk/index.ts";
import { lintDesk, type LintOptions } from "../../src/lint/index.ts";
import { isSlip } from "../../src/lint/slips.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");

function lint(text: string, options: Partial<LintOptions> = {}) {
  const desk = openDesk([{ name: "p.yaml", text }], { now: NOW });
  return lintDesk(desk, { now: NOW, ...options });
}

const codes = (text: string): string[] =>
  [...new Set(lint(text).map(({ code }) => code))].toSorted();
/** `BH0720:14` */
const places = (text: string, code: string): number[] =>
  lint(text)
    .filter((one) => one.code === code)
    .map(({ span }) => span.line);

const pod = (name: string, labels = `app: ${name}`, more = "", namespace = "shop"): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { ${labels} } }\n${more}---\n`;
const policy = (
  spec: string,
  name = "np",
  kind = "NetworkPolicy",
  apiVersion = "networking.k8s.io/v1",
): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec:\n${spec.replaceAll(/^/gm, "  ")}\n---\n`;
const denied = policy("podSelector: {}\npolicyTypes: [Ingress]", "default-deny");

describe("findings about needless rules", () => {
  const twice = policy(`podSelector: { matchLabels: { app: db } }
ingress:
- from: [{ podSelector: { matchLabels: { app: web } } }]
  ports: [{ port: 5432 }]
- from: [{ podSelector: {} }]
  ports: [{ port: 5432 }]`);

  it("of a rule that a wider one holds, with the place of the other", () => {
    const [found] = lint(twice).filter(({ code }) => code === "BH0702");
    expect(found?.span.line).toBe(7);
    expect(found?.help).toContain("`NetworkPolicy/shop/np` at p.yaml:9");
  });

  it("says nothing of a rule of which a part is needed", () => {
    const partly = twice.replace(
      "app: web } } }]\n    ports: [{ port: 5432 }",
      "app: web } } }]\n    ports: [{ port: 5432 }, { port: 80 }",
    );
    expect(codes(partly)).not.toContain("BH0702");
  });

  it("of a rule that ours denies before", () => {
    const native = (body: string): string =>
      `apiVersion: bulkhead.dev/v1\nkind: Policy\n${body}---\n`;
    const text = `${native(`metadata: { name: never, namespace: shop }
spec:
  tier: guardrail
  priority: 10
  subject: app=db
  ingress:
  - from: [app=web]
    action: deny
`)}${native(`metadata: { name: later, namespace: shop }
spec:
  tier: guardrail
  priority: 20
  subject: app=db
  ingress:
  - from: ["app=web,tier=front"]
    ports: [5432/tcp]
    action: allow
`)}`;
    expect(lint(text).map(({ code, span, message }) => [code, span.line, message])).toContainEqual([
      "BH0703",
      expect.any(Number),
      "this rule is in vain: whatever it matches, another decides otherwise",
    ]);
  });
});

describe("findings about whom policies are for", () => {
  it("a policy that selects no workload of the files, where there are any", () => {
    const text = policy("podSelector: { matchLabels: { app: dbb } }");
    expect(codes(text)).toEqual([]);
    expect(codes(pod("db") + denied + text)).toEqual(["BH0706"]);
    const istio = (app: string) =>
      policy(
        `selector: { matchLabels: { app: ${app} } }\nrules: [{}]`,
        "ap",
        "AuthorizationPolicy",
        "security.istio.io/v1",
      );
    expect(codes(pod("db") + denied + istio("dbb"))).toContain("BH0706");
    expect(codes(pod("db") + denied + istio("db"))).not.toContain("BH0706");
  });

  it("a peer that is no workload of the files", () => {
    const text = policy(
      "podSelector: {}\ningress:\n- from: [{ podSelector: { matchLabels: { app: wbe } } }]\n  ports: [{ port: 80 }]",
    );
    expect(places(pod("db") + text, "BH0707")).toEqual([11]);
    expect(codes(pod("db") + pod("wbe") + text)).toEqual([]);
  });

  it.each([
    [
      "podSelector: { matchLabels: { app: chekcout } }",
      "did you mean `app=checkout`, for `app=chekcout`?",
    ],
    [
      "podSelector: { matchLabels: { App: checkout } }",
      "did you mean `app=checkout`, for `App=checkout`?",
    ],
    [
      "namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: shopp } }, podSelector: { matchLabels: { app: checkout } }",
      "did you mean `kubernetes.io/metadata.name=shop`, for `kubernetes.io/metadata.name=shopp`?",
    ],
  ])("a peer with a slip of the pen is a warning: %s", (peer, help) => {
    const files = pod("checkout") + denied;
    const asPeer = policy(
      `podSelector: {}\ningress:\n- from: [{ ${peer} }]\n  ports: [{ port: 80 }]`,
    );
    const found = lint(files + asPeer).filter(({ code }) => code === "BH0707");
    expect(found.map((one) => [one.severity, one.help])).toEqual([["warning", help]]);
    if (peer.startsWith("pod")) {
      const [missed] = lint(files + policy(peer)).filter(({ code }) => code === "BH0706");
      expect(missed?.help).toBe(help);
    }
  });

  it("a namespace of ours with a slip of the pen is told, too", () => {
    const text = policy(
      "subject: app=checkout\ningress: [{ from: [{ selector: app=checkout, namespace: shpo }], ports: [80/tcp] }]",
      "p",
      "Policy",
      "bulkhead.dev/v1",
    );
    expect(
      lint(pod("checkout") + denied + text).find(({ code }) => code === "BH0707"),
    ).toMatchObject({
      severity: "warning",
      help: "did you mean `namespace shop`, for `namespace shpo`?",
    });
  });

  it.each([
    ["wbe", "web", true],
    ["payment", "payments", true],
    ["Web", "web", true],
    ["payment_api", "payment-api", true],
    ["bd", "db", true],
    ["web", "web", false],
    ["app", "api", false],
    ["v1", "v2", false],
    ["web-1", "web-2", false],
    ["web", "web1", false],
    ["frontend", "frontend-canary", false],
    ["prod", "dev", false],
    ["abba", "abab", true],
  ])("`%s` may be a slip for `%s`: %s", (written, known, expected) => {
    expect(isSlip(written, known)).toBe(expected);
  });

  it("a peer that is near nobody, or in another namespace, stays what may be right", () => {
    const other = pod("wbe", "app: web", "", "other");
    const text = policy(
      "podSelector: {}\ningress:\n- from: [{ podSelector: { matchLabels: { app: wbe } } }]\n  ports: [{ port: 80 }]",
    );
    const severities = (files: string) =>
      lint(files)
        .filter(({ code }) => code === "BH0707")
        .map(({ severity }) => severity);
    expect(severities(pod("db") + other + text)).toEqual(["info"]);
    expect(severities(pod("db") + pod("web") + text)).toEqual(["warning"]);
  });

  it("says nothing of policies of nodes, nor twice that a rule matches nothing", () => {
    const nodes = policy(
      "nodeSelector: {}\ningress:\n- fromEntities: [cluster]",
      "ccnp",
      "CiliumClusterwideNetworkPolicy",
      "cilium.io/v2",
    );
    expect(codes(pod("db") + denied + nodes)).toEqual(["BH0705", "BH0734"]);
    const nobody = policy(
      "endpointSelector: {}\ningress:\n- {}",
      "cnp",
      "CiliumNetworkPolicy",
      "cilium.io/v2",
    );
    expect(codes(nobody)).not.toContain("BH0704");
  });

  it("a namespace that nothing isolates, and one workload of it", () => {
    expect(codes(pod("db") + pod("web"))).toEqual(["BH0710"]);
    expect(codes(pod("db") + denied)).toEqual([]);
    const some = lint(pod("db") + pod("web") + policy("podSelector: { matchLabels: { app: db } }"));
    expect(some.map(({ message }) => message)).toEqual([
      "no policy isolates `shop/web[Pod]` of namespace `shop`",
    ]);
  });

  it("who may connect and cannot ask for names", () => {
    const out = (ports: string) =>
      policy(
        `podSelector: {}\npolicyTypes: [Ingress, Egress]\negress:\n- to: [{ podSelector: { matchLabels: { app: db } } }]\n  ports: [${ports}]`,
      );
    expect(codes(pod("db") + out("{ port: 5432 }"))).toEqual(["BH0709"]);
    expect(codes(pod("db") + out("{ port: 5432 }, { port: 53, protocol: UDP }"))).toEqual([]);
    expect(codes(pod("db") + policy("podSelector: {}\npolicyTypes: [Ingress, Egress]"))).toEqual(
      [],
    );
  });

  it("a label that one of a kind lacks, and policies ask for", () => {
    const text = policy("podSelector: { matchLabels: { tier: back } }") + denied;
    expect(codes(pod("a", "app: db, tier: back") + pod("b", "app: db") + text)).toContain("BH0711");
    expect(codes(pod("a", "app: db, tier: back") + pod("b", "app: other") + text)).not.toContain(
      "BH0711",
    );
  });

  it("what has expired", () => {
    const text = `apiVersion: bulkhead.dev/v1
kind: Exception
metadata: { name: gone, namespace: shop }
spec: { from: app=a, to: app=b, ports: [80/tcp], owner: me, reason: once, expires: "2020-01-01T00:00:00Z" }
`;
    expect(codes(text)).toContain("BH0303");
  });

  it("rules of equal priority that disagree", () => {
    const cluster = (
      name: string,
      action: string,
      label: string,
    ) => `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: ${name} }
spec:
  tier: Admin
  priority: 5
  subject: { namespaces: {} }
  ingress:
  - action: ${action}
    from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { ${label} } } } }]
---
`;
    expect(
      codes(cluster("a", "Accept", "app: web") + cluster("b", "Deny", "tier: front")),
    ).toContain("BH0708");
    expect(
      codes(cluster("a", "Accept", "app: web") + cluster("b", "Deny", "app: api")),
    ).not.toContain("BH0708");
  });
});

describe("findings about wide rules", () => {
  const from = (peer: string, ports = "") =>
    policy(`podSelector: {}\ningress:\n- from: [${peer}]\n${ports}`);
  it("every port of everybody, of every pod, of a huge network", () => {
    expect(codes(policy("podSelector: {}\ningress:\n- {}"))).toEqual(["BH0403"]);
    expect(codes(from("{ namespaceSelector: {} }"))).toEqual(["BH0705", "BH0721"]);
    expect(codes(from("{ ipBlock: { cidr: 10.0.0.0/8 } }"))).toEqual(["BH0705"]);
    expect(codes(from("{ ipBlock: { cidr: 10.0.0.0/16 } }"))).toEqual([]);
  });
});

describe("traps", () => {
  const ingress = (rules: string) => policy(`podSelector: {}\ningress:\n${rules}`);

  it("trap 1: two selectors in two items widen each other; in one item they narrow", () => {
    const two = ingress(
      "- from:\n  - namespaceSelector: { matchLabels: { team: a } }\n  - podSelector: { matchLabels: { app: web } }\n  ports: [{ port: 80 }]",
    );
    expect(places(two, "BH0720")).toEqual([9]);
    expect(codes(two.replace("  - podSelector", "    podSelector"))).toEqual([]);
  });

  it("trap 1: an empty selector as a peer", () => {
    expect(
      lint(ingress("- from: [{ podSelector: {} }]\n  ports: [{ port: 80 }]")).map(
        ({ message }) => message,
      ),
    ).toEqual(["`podSelector: {}` is every pod of the policy's own namespace, and nobody else"]);
    expect(
      lint(ingress("- from: [{ namespaceSelector: {} }]\n  ports: [{ port: 80 }]")).map(
        ({ message }) => message,
      ),
    ).toEqual(["`namespaceSelector: {}` is every pod of every namespace"]);
  });

  it("trap 2: `- {}` opens everything in Kubernetes, and nothing in Cilium; an empty list is everyone", () => {
    expect(codes(ingress("- {}"))).toEqual(["BH0403"]);
    const cilium = policy(
      "endpointSelector: {}\ningress:\n- {}",
      "cnp",
      "CiliumNetworkPolicy",
      "cilium.io/v2",
    );
    expect(codes(cilium)).toContain("BH0308");
    expect(codes(cilium)).not.toContain("BH0403");
    expect(codes(ingress("- from: []\n  ports: [{ port: 80 }]"))).toEqual(["BH0722"]);
  });

  it("trap 3: an empty selector of Cilium's", () => {
    const cilium = (kind: string) =>
      policy(
        "endpointSelector: {}\ningress:\n- fromEndpoints: [{}]\n  toPorts: [{ ports: [{ port: '80', protocol: TCP }] }]",
        "cnp",
        kind,
        "cilium.io/v2",
      );
    expect(
      lint(cilium("CiliumNetworkPolicy")).find(({ code }) => code === "BH0723")?.message,
    ).toContain("own namespace");
    expect(
      lint(cilium("CiliumClusterwideNetworkPolicy")).find(({ code }) => code === "BH0723")?.message,
    ).toContain("every namespace");
  });

  it("trap 4: DNS without a protocol; a port's name that nobody has, or by another protocol, or as two numbers", () => {
    const out = policy("podSelector: {}\npolicyTypes: [Egress]\negress:\n- ports: [{ port: 53 }]");
    expect(codes(out)).toEqual(["BH0724"]);
    const web = ingress("- ports: [{ port: web }]");
    const having = (name: string, protocol: string, number: number, pod_ = name) =>
      pod(
        pod_,
        `app: ${pod_}`,
        `spec: { containers: [{ name: c, ports: [{ name: ${name}, protocol: ${protocol}, containerPort: ${number} }] }] }\n`,
      );
    expect(codes(pod("db") + web)).toEqual(["BH0725"]);
    expect(codes(having("web", "TCP", 80) + web)).toEqual([]);
    expect(lint(having("web", "UDP", 80) + web)[0]?.help).toContain("the protocol differs");
    expect(
      lint(having("web", "TCP", 80) + having("web", "TCP", 81, "b") + web)[0]?.message,
    ).toContain("different numbers");
  });

  it("trap 4: where a name has no protocol, that of the port is its", () => {
    const db = pod(
      "db",
      "app: db",
      "spec: { containers: [{ name: c, ports: [{ name: metrics, containerPort: 9090 }] }] }\n",
    );
    const admin = (name: string): string =>
      `---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: { name: a }\nspec: { priority: 1, subject: { namespaces: {} }, ingress: [{ action: Allow, from: [{ namespaces: {} }], ports: [{ namedPort: ${name} }] }] }\n`;
    expect(codes(db + admin("metrics"))).not.toContain("BH0725");
    expect(codes(db + admin("metric"))).toContain("BH0725");
  });

  it("trap 4: a port's name cannot go with addresses", () => {
    const out = policy(
      "podSelector: {}\npolicyTypes: [Egress]\negress:\n- to: [{ ipBlock: { cidr: 10.1.0.0/16 } }]\n  ports: [{ port: web }]",
    );
    expect(codes(out)).toEqual(["BH0308"]);
  });

  it("trap 5: an ipBlock that holds pods", () => {
    const text = ingress("- from: [{ ipBlock: { cidr: 10.1.0.0/16 } }]\n  ports: [{ port: 80 }]");
    expect(codes(pod("db", "app: db", "status: { podIP: 10.1.2.3 }\n") + text)).toEqual(["BH0726"]);
    expect(codes(pod("db", "app: db", "status: { podIP: 10.2.2.3 }\n") + text)).toEqual([]);
  });

  it("trap 5: `except` denies nothing that another peer or rule allows", () => {
    const excepting = "{ ipBlock: { cidr: 10.0.0.0/12, except: [10.1.0.0/16] } }";
    expect(codes(ingress(`- from: [${excepting}]\n  ports: [{ port: 80 }]`))).toEqual([]);
    expect(
      codes(
        ingress(
          `- from: [${excepting}, { ipBlock: { cidr: 10.1.2.0/24 } }]\n  ports: [{ port: 80 }]`,
        ),
      ),
    ).toEqual(["BH0727"]);
    expect(
      codes(
        ingress(
          `- from: [${excepting}]\n  ports: [{ port: 80 }]\n- from: [{ ipBlock: { cidr: 10.1.2.0/24 } }]\n  ports: [{ port: 80 }]`,
        ),
      ),
    ).toEqual(["BH0727"]);
    expect(
      codes(
        ingress(
          `- from: [${excepting}]\n  ports: [{ port: 80 }]\n- from: [{ ipBlock: { cidr: 10.1.2.0/24 } }]\n  ports: [{ port: 81 }]`,
        ),
      ),
    ).toEqual([]);
  });

  it("trap 6: a policy that selects pods on their node's network", () => {
    const text = policy("podSelector: { matchLabels: { app: agent } }");
    expect(codes(pod("agent", "app: agent", "spec: { hostNetwork: true }\n") + text)).toContain(
      "BH0728",
    );
    expect(codes(pod("agent") + text)).not.toContain("BH0728");
  });

  it("trap 8: a wildcard of Cilium's is one label; two stars are any", () => {
    const cilium = (pattern: string) =>
      policy(
        `endpointSelector: {}\negress:\n- toFQDNs: [{ matchPattern: '${pattern}' }]\n  toPorts: [{ ports: [{ port: '443', protocol: TCP }] }]`,
        "cnp",
        "CiliumNetworkPolicy",
        "cilium.io/v2",
      );
    expect(codes(cilium("*.example.com"))).toContain("BH0729");
    expect(codes(cilium("**.example.com"))).not.toContain("BH0729");
  });

  it("trap 9: a rule about requests beside one of layer 4", () => {
    const cilium = (port: string) =>
      policy(
        `endpointSelector: {}
ingress:
- fromEndpoints: [{ matchLabels: { app: web } }]
  toPorts: [{ ports: [{ port: '80', protocol: TCP }], rules: { http: [{ method: GET }] } }]
- fromEndpoints: [{ matchLabels: { app: web } }]
  toPorts: [{ ports: [{ port: '${port}', protocol: TCP }] }]`,
        "cnp",
        "CiliumNetworkPolicy",
        "cilium.io/v2",
      );
    expect(places(cilium("80"), "BH0730")).toEqual([7]);
    expect(codes(cilium("81"))).toEqual([]);
  });

  it("trap 7: a peer of a kind that nobody knows fails closed, and is told", () => {
    const text = `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: a }
spec:
  tier: Admin
  priority: 5
  subject: { namespaces: {} }
  ingress:
  - action: Accept
    from: [{ planets: {} }]
`;
    expect(codes(text)).toContain("BH0407");
  });

  it("trap 10: requests of Antrea's are terminal, and Services are met by their ClusterIP alone", () => {
    const antrea = (rule: string) =>
      policy(
        `priority: 5\nappliedTo: [{ podSelector: {} }]\negress:\n- ${rule}`,
        "anp",
        "NetworkPolicy",
        "crd.antrea.io/v1beta1",
      );
    const web = "{ action: Allow, to: [{ podSelector: { matchLabels: { app: web } } }]";
    expect(codes(antrea(`${web}, l7Protocols: [{ http: { path: /x } }] }`))).toContain("BH0737");
    expect(codes(antrea(`${web} }`))).not.toContain("BH0737");
    expect(
      codes(antrea("{ action: Allow, toServices: [{ name: db, namespace: shop }] }")),
    ).toContain("BH0738");
  });

  it("trap 11: proof that is asked for elsewhere counts here too", () => {
    const text = policy(
      `endpointSelector: {}
ingress:
- fromEndpoints: [{ matchLabels: { app: web } }]
  authentication: { mode: required }
- fromEndpoints: [{ matchLabels: { tier: front } }]`,
      "cnp",
      "CiliumNetworkPolicy",
      "cilium.io/v2",
    );
    expect(places(text, "BH0736")).toEqual([9]);
  });

  it("trap 12: HTTP fields on ports that do not speak it, and policies without rules", () => {
    const istio = (spec: string) =>
      policy(spec, "ap", "AuthorizationPolicy", "security.istio.io/v1");
    const service =
      "apiVersion: v1\nkind: Service\nmetadata: { name: db, namespace: shop }\nspec: { selector: { app: db }, ports: [{ name: tcp-db, port: 5432 }] }\n---\n";
    const get = (action: string, ports: string) =>
      istio(`action: ${action}\nrules:\n- to: [{ operation: { methods: [GET]${ports} } }]`);
    expect(codes(service + get("ALLOW", ", ports: ['5432']"))).toContain("BH0731");
    expect(codes(service + get("ALLOW", ", ports: ['80']"))).not.toContain("BH0731");
    expect(codes(get("DENY", ""))).toContain("BH0732");
    expect(codes(get("DENY", ", ports: ['80']"))).not.toContain("BH0732");
    expect(codes(istio("action: ALLOW"))).toContain("BH0733");
  });

  it("trap 13: entity `cluster` holds more than pods", () => {
    const text = policy(
      "endpointSelector: {}\ningress:\n- fromEntities: [cluster]",
      "cnp",
      "CiliumNetworkPolicy",
      "cilium.io/v2",
    );
    expect(codes(text)).toContain("BH0734");
  });

  it("trap 15: a rule for replies", () => {
    expect(
      codes(
        ingress(
          "- from: [{ podSelector: { matchLabels: { app: web } } }]\n  ports: [{ port: 1024, endPort: 65535 }]",
        ),
      ),
    ).toEqual(["BH0735"]);
    expect(
      codes(
        ingress(
          "- from: [{ podSelector: { matchLabels: { app: web } } }]\n  ports: [{ port: 8000, endPort: 9000 }]",
        ),
      ),
    ).toEqual([]);
  });
});

describe("options", () => {
  it("strict makes errors of warnings; disabled codes are not told; every code is in the catalogue", () => {
    const open = pod("db");
    expect(lint(open)[0]?.severity).toBe("warning");
    expect(lint(open, { strict: true })[0]?.severity).toBe("error");
    expect(lint(open, { disabled: ["BH0710"] })).toEqual([]);
    expect(
      [...DIAGNOSTICS.keys()].filter((code) => code.startsWith("BH07")).length,
    ).toBeGreaterThan(25);
  });
});
