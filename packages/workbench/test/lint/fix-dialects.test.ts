/** Fixes in every dialect: what is written plainer, that the same is said by it, and what is left to people. */
import { formatPorts } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { connectivityOf, createAsker, openDesk } from "../../src/desk/index.ts";
import { pairsOf } from "../../src/desk/pairs.ts";
import { nameEdits } from "../../src/lint/fix-names.ts";
import { fixFiles, lintDesk } from "../../src/lint/index.ts";

const reading = { now: Date.parse("2026-11-20T12:00:00Z") };
const desk = (text: string) => openDesk([{ name: "p.yaml", text }], reading);
const fixed = (text: string): string =>
  fixFiles([{ name: "p.yaml", text }], reading)[0]?.text ?? text;
/** Errors would keep every fix away. */
const sound = (text: string): string => {
  expect(desk(text).diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  return text;
};

const CASES: readonly (readonly [dialect: string, before: string, after: string])[] = [
  [
    "Cilium",
    `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress:
    # the web
    - fromEndpoints: [{ matchLabels: { app: web } }, { matchLabels: { app: web } }]
      toPorts:
        - ports:
            - port: "80" # of any protocol
    - fromEndpoints: [{ matchLabels: { app: web } }, { matchLabels: { app: web } }]
      toPorts:
        - ports:
            - port: "80"
  egress:
    - toCIDRSet: [{ cidr: 10.1.2.3/8, except: [] }]
    - toFQDNs: [{ matchName: a.example.com }, { matchName: a.example.com }]
`,
    `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress:
    # the web
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts:
        - ports:
            - protocol: ANY
              port: "80" # of any protocol
  egress:
    - toCIDRSet: [{ cidr: 10.0.0.0/8 }]
    - toFQDNs: [{ matchName: a.example.com }]
`,
  ],
  [
    "Istio",
    `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p, namespace: shop }
spec:
  rules:
    - from: [{ source: { namespaces: [web, web] } }] # both ways
      to: [{ operation: { methods: [GET, HEAD, GET], paths: [/a] } }]
    - from: [{ source: { ipBlocks: [10.1.2.3/8] } }]
`,
    `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p, namespace: shop }
spec:
  rules:
    - from: [{ source: { namespaces: [web] } }] # both ways
      to: [{ operation: { methods: [GET, HEAD], paths: [/a] } }]
    - from: [{ source: { ipBlocks: [10.0.0.0/8] } }]
`,
  ],
  [
    "Antrea",
    `apiVersion: crd.antrea.io/v1beta1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  priority: 5
  appliedTo: [{ podSelector: {} }]
  ingress:
    - name: a
      action: Allow
      from: [{ ipBlock: { cidr: 10.1.2.3/8 } }]
      ports: [{ port: 80 }, { port: 80 }]
    - { name: b, action: Drop }
`,
    `apiVersion: crd.antrea.io/v1beta1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  priority: 5
  appliedTo: [{ podSelector: {} }]
  ingress:
    - name: a
      action: Allow
      from: [{ ipBlock: { cidr: 10.0.0.0/8 } }]
      ports: [{ protocol: TCP, port: 80 }]
    - { name: b, action: Drop }
`,
  ],
  [
    "Calico",
    `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  selector: app == 'db'
  egress:
    - action: Allow
      protocol: TCP
      destination: { nets: [10.1.2.3/8], ports: [80, 80] } # out
`,
    `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  types: [Egress]
  selector: app == 'db'
  egress:
    - action: Allow
      protocol: TCP
      destination: { nets: [10.0.0.0/8], ports: [80] } # out
`,
  ],
  [
    "policies of administrators",
    `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: p }
spec:
  priority: 5
  subject: { namespaces: {} }
  egress:
    - { name: a, action: Deny, to: [{ networks: [10.0.0.0/8, 10.0.0.0/8] }] }
    - { name: b, action: Deny, to: [{ networks: [10.0.0.0/8] }] } # a again
    - { name: c, action: Deny, to: [{ networks: [10.2.0.0/16] }] }
`,
    `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: p }
spec:
  priority: 5
  subject: { namespaces: {} }
  egress:
    - { name: a, action: Deny, to: [{ networks: [10.0.0.0/8] }] }
    - { name: b, action: Deny, to: [{ networks: [10.0.0.0/8] }] } # a again
`,
  ],
  [
    "ours",
    `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  subject: app=db
  ingress:
    - from: [app=web, app=web]
      ports: [5432, 8000-8100, 53/udp] # three
    - from: ["app=web,tier=front"]
      ports: [5432/tcp]
  egress:
    - { to: [{ cidr: "2001:DB8::/32", except: [] }], ports: ["443"] }
`,
    `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  subject: app=db
  ingress:
    - from: [app=web]
      ports: [5432/tcp, 8000-8100/tcp, 53/udp] # three
  egress:
    - { to: [{ cidr: "2001:db8::/32" }], ports: ["443/tcp"] }
`,
  ],
  [
    "Kubernetes",
    `apiVersion: v1
kind: List
items:
  - apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: { name: p, namespace: shop }
    spec:
      podSelector: {}
      policyTypes: [Ingress]
      ingress:
        - from:
            - ipBlock:
                cidr: 10.1.0.0/16
                except: []
          ports: [{ protocol: TCP, port: 80 }, { protocol: TCP, port: 443 }]
        - from: [{ ipBlock: { cidr: 10.1.2.0/24 } }]
          ports: [{ protocol: TCP, port: 443 }]
`,
    `apiVersion: v1
kind: List
items:
  - apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: { name: p, namespace: shop }
    spec:
      podSelector: {}
      policyTypes: [Ingress]
      ingress:
        - from:
            - ipBlock:
                cidr: 10.1.0.0/16
          ports: [{ protocol: TCP, port: 80 }, { protocol: TCP, port: 443 }]
`,
  ],
];

describe.each(CASES)("in %s", (_dialect, before, after) => {
  it("is written plainer, with comments and layout as they were, and nothing is left to write", () => {
    expect(fixed(sound(before))).toBe(after);
    expect(fixed(sound(after))).toBe(after);
  });
});

const PODS = ["db", "web", "other"]
  .map(
    (name) =>
      `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }\n---\n`,
  )
  .join("");

it.each(CASES)(
  "in %s whoever could reach whom still can, and nobody else",
  (_dialect, before, after) => {
    const told = (text: string) =>
      [...pairsOf(connectivityOf(desk(PODS + text), reading.now))].map(
        ({ source, destination, ports }) => `${source} ${destination} ${formatPorts(ports)}`,
      );
    expect(told(before).length).toBeGreaterThan(3);
    expect(told(after)).toEqual(told(before));
  },
);

const POLICY = (rules: string, more = ""): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
${rules}${more}`;
const WEB = `    - { from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ protocol: TCP, port: 80 }] }\n`;

describe("left to people", () => {
  it.each([
    ["what another policy says", `${POLICY(WEB)}---\n${POLICY(WEB).replace("name: p", "name: q")}`],
    [
      "what only something doubtful makes needless",
      POLICY(
        WEB,
        "    - from: [{ namespaceSelector: {} }]\n      ports: [{ protocol: TCP, port: 80 }]\n",
      ),
    ],
    ["what opens everything", POLICY(WEB, "    - {}\n")],
    [
      "what is in vain",
      `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  subject: app=db
  ingress:
    - { action: deny, from: [app=web], ports: [80/tcp] }
    - { from: ["app=web,tier=front"], ports: [80/tcp] }
`,
    ],
    [
      "a rule of another order",
      `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  tier: guardrail
  subject: app=db
  ingress:
    - { action: log, from: [app=web], ports: [80/tcp] }
    - { action: deny, from: [app=web], ports: [80/tcp] }
    - { action: log, from: [app=web], ports: [80/tcp] }
`,
    ],
    [
      "what ends later than what says it now",
      `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec: { subject: app=db, ingress: [{ from: [app=web], ports: [80/tcp] }] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: q, namespace: shop }
spec: { subject: app=db, expires: 2027-01-01T00:00:00Z, ingress: [{ from: [app=web], ports: [80/tcp] }] }
`,
    ],
  ])("%s", (_what, text) => {
    expect(fixed(sound(text))).toBe(text);
  });
});

const DNS = (namespace: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: dns, namespace: ${namespace}, labels: { k8s-app: kube-dns } }\n---\n`;
const AT = { from: "shop/web", to: "kube-system/dns" };
const OUT: Readonly<Record<string, string>> = {
  kubernetes: `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: db } } }]
      ports: [{ protocol: TCP, port: 5432 }] # the database
# the end
`,
  flow: `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: p, namespace: shop }, spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [{ ports: [{ protocol: TCP, port: 443 }] }] } }`,
  cilium: `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  egress:
    - toFQDNs: [{ matchName: a.example.com }]
      toPorts: [{ ports: [{ port: "443", protocol: TCP }] }]
`,
  ours: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: p, namespace: shop }
spec:
  subject: app=web
  egress:
  - { to: [app=db], ports: [5432/tcp] }
`,
};

describe("names that cannot be asked for", () => {
  const asked = (text: string, port: string): string => {
    const found = createAsker(desk(text), { now: reading.now, view: "live" }).ask({ ...AT, port });
    return found.problem === undefined ? found.value.decision : found.problem.message;
  };
  const codes = (text: string) => lintDesk(desk(text), reading).map(({ code }) => code);

  it.each(Object.entries(OUT))(
    "are allowed where the files have the cluster's DNS: %s",
    (_what, policy) => {
      const before = sound(`${PODS}${DNS("kube-system")}${policy}`);
      expect(codes(before)).toContain("BH0709");
      const after = fixed(before);
      expect(codes(after)).not.toContain("BH0709");
      expect(codes(after)).not.toContain("BH0413");
      expect(["53/udp", "53/tcp", "54/udp", "80/tcp"].map((port) => asked(after, port))).toEqual([
        "allow",
        "allow",
        "deny",
        "deny",
      ]);
      expect(after).toContain(policy.split("\n").at(-2) ?? "");
      expect(fixed(after)).toBe(after);
      // Nothing but names.
      const told = (text: string) =>
        [...pairsOf(connectivityOf(desk(text), reading.now))]
          .filter(({ destination }) => destination !== "kube-system/dns[Pod]")
          .map(
            ({ source, destination, ports }) => `${source} ${destination} ${formatPorts(ports)}`,
          );
      expect(told(after)).toEqual(told(before));
    },
  );

  it.each([
    ["nobody is it", ""],
    ["two may be it", DNS("kube-system") + DNS("shop")],
  ])("are left to people where %s", (_what, dns) => {
    const text = `${PODS}${dns}${OUT["ours"]}`;
    expect(fixed(text)).toBe(text);
  });

  it.each([
    [
      "another port",
      "{ to: [{ selector: k8s-app=kube-dns, namespace: kube-system }], ports: [53/udp, 80/tcp] }",
    ],
    ["everybody", "{ to: [{ entity: world }], ports: [53/udp] }"],
    ["another workload", "{ to: [app=db], ports: [53/udp] }"],
    [
      "a denial",
      "{ action: deny, to: [{ selector: k8s-app=kube-dns, namespace: kube-system }], ports: [53/udp] }",
    ],
    [
      "something else besides",
      "{ to: [{ selector: k8s-app=kube-dns, namespace: kube-system }], ports: [53/udp] }",
      "5433/tcp",
    ],
  ])("are not allowed by a rule for %s", (_what, rule, port = "5432/tcp") => {
    const text = `${PODS}${DNS("kube-system")}${OUT["ours"]}`;
    const start = text.indexOf("5432/tcp");
    const propose = () => [
      { start, end: text.length, text: `${port}] }\n  - ${rule}\n`, what: "wrong" },
    ];
    const found = nameEdits([{ name: "p.yaml", text }], reading, propose);
    expect([...found]).toEqual([]);
    const right = rule.replace("80/tcp", "53/tcp");
    if (right === rule) return;
    const good = () => [
      { start, end: text.length, text: `${port}] }\n  - ${right}\n`, what: "right" },
    ];
    expect([...nameEdits([{ name: "p.yaml", text }], reading, good).keys()]).toEqual(["p.yaml"]);
  });

  it("are not allowed at the cost of what was allowed", () => {
    const text = `${PODS}${DNS("kube-system")}${OUT["ours"]}`;
    const start = text.indexOf("{ to: [app=db]");
    const rule =
      "{ to: [{ selector: k8s-app=kube-dns, namespace: kube-system }], ports: [53/udp] }\n";
    const propose = () => [{ start, end: text.length, text: rule, what: "wrong" }];
    expect([...nameEdits([{ name: "p.yaml", text }], reading, propose)]).toEqual([]);
  });

  it("are left to people where order counts, and in what has no rules", () => {
    const antrea = `apiVersion: crd.antrea.io/v1beta1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec:
  priority: 5
  appliedTo: [{ podSelector: { matchLabels: { app: web } } }]
  egress: [{ action: Allow, ports: [{ protocol: TCP, port: 80 }] }, { action: Drop }]
`;
    const intent = `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: p, namespace: shop }
spec: { from: app=web, to: app=db, ports: [80/tcp] }
`;
    for (const text of [antrea, intent]) {
      const files = `${PODS}${DNS("kube-system")}${text}`;
      expect(fixed(sound(files))).toBe(files);
    }
  });
});
