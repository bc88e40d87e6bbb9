/**
 * Folders with objects of every kind and dialect, sound or not: no verb ends with an exception, and what is listed is what is
 * decided, whatever the dialect that decides it.
 */
import { decide } from "@bulkhead/engine";
import { familyOf, formatPort, hasPort, ICMP, TCP, UDP } from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkFiles } from "../../src/check/index.ts";
import { fixFiles } from "../../src/lint/index.ts";
import {
  blastAt,
  connectivityOf,
  createAsker,
  createEndFinder,
  cutWorld,
  explainAtDesk,
  openDesk,
  pairFormats,
  pairsOf,
  parseStatement,
  prove,
  WHOLE_WORLD,
  workloadName,
  type Desk,
} from "../../src/desk/index.ts";
import { roughObject, soundObject } from "./object-arbitrary.ts";

const NOW = 0;
const INVENTORY = `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {env: prod, istio-injection: enabled}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: dev, labels: {env: dev}}}
- {apiVersion: v1, kind: Node, metadata: {name: node, labels: {app: node}}, status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop, labels: {app: web, env: prod}}
  spec: {nodeName: node, serviceAccountName: web, containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}
  status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "2001:db8::1"}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: db, namespace: shop, labels: {app: db}}
  spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
- {apiVersion: v1, kind: Pod, metadata: {name: tool, namespace: dev, labels: {app: web}}, spec: {containers: [{name: c}]}}
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}}
`;
const PORTS = [
  { protocol: TCP, port: 80 },
  { protocol: TCP, port: 8443 },
  { protocol: UDP, port: 53 },
  { protocol: ICMP, port: 8 * 256 },
];

const istio = (when: string): string =>
  `{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"one","namespace":"shop"},"spec":{"rules":[{"when":[${when}]}]}}`;

/** What was found once, as small as it became; asked first. */
const FOUND: [string[]][] = [
  // Words where addresses are expected ended every verb with a TypeError.
  [[istio('{"key":"remote.ip","notValues":["web"]}')]],
  [[istio('{"key":"remote.ip","values":["web"],"notValues":["web"]}')]],
  // Two workloads that a list calls alike.
  [
    [
      '{"apiVersion":"bulkhead.dev/v1","kind":"Inventory","metadata":{"name":"one"},"spec":{"workloads":[{"name":"web","namespace":"shop","kind":"pod"}]}}',
      '{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"one","namespace":"dev"},"spec":{"podSelector":{},"egress":[{"ports":[{"port":80}]}]}}',
    ],
  ],
  // A policy that lists all protocols but one, and whatever says them as all but that one.
  [[istio('{"key":"destination.port","values":["82"]}')]],
];

const folder = fc.array(
  fc.oneof({ weight: 4, arbitrary: soundObject }, { weight: 1, arbitrary: roughObject }),
  { minLength: 1, maxLength: 4 },
);
const filesOf = (objects: readonly string[]) => [
  { name: "inventory.yaml", text: INVENTORY },
  ...objects.map((text, at) => ({ name: `${at}.json`, text })),
];
const read = { now: NOW } as const;
const live = { now: NOW, view: "live" } as const;

function askEverything(objects: readonly string[]): void {
  const files = filesOf(objects);
  const desk = openDesk(files, read);
  const find = createEndFinder(desk);
  checkFiles({ files, base: filesOf(objects.slice(1)), reading: read, lint: {} });
  fixFiles(files, read);
  for (const write of Object.values(pairFormats))
    [...write(pairsOf(connectivityOf(desk, NOW), cutWorld(desk.set)))].join("");
  const question = { from: "shop/web", to: "shop/db", port: "80/tcp" };
  explainAtDesk(desk, find, question, live);
  createAsker(desk, live).ask(question);
  blastAt(desk, "dev/tool", { ...live, hops: 3 });
  for (const that of ["no path from 'app=web' to 'app=db'", "implies OTHER"]) {
    const parsed = parseStatement(that);
    if (parsed.problem !== undefined) throw new Error(parsed.problem.message);
    const options = { ...live, transitive: true, allowEmpty: true };
    prove(desk, parsed.value, openDesk(filesOf([]), read), options);
  }
}

test("no verb ends with an exception", () => {
  fc.assert(
    fc.property(folder, (objects) => {
      expect(() => askEverything(objects)).not.toThrow();
    }),
    { numRuns: 80, examples: FOUND },
  );
});

const decides = (desk: Desk, from: string, to: string, at: (typeof PORTS)[number]): boolean => {
  const addresses = (end: string) => (end.includes("/") ? desk.addressesOf(end) : [end]);
  return addresses(from).some((source) =>
    addresses(to).some(
      (destination) =>
        familyOf(source) === familyOf(destination) &&
        decide(desk.set, desk.index, { source, destination, ...at }, live).verdict === "allow",
    ),
  );
};

test("list is all pairs of decide, of every dialect", () => {
  fc.assert(
    fc.property(folder, (objects) => {
      const desk = openDesk(filesOf(objects), read);
      const pairs = [...pairsOf(connectivityOf(desk, NOW), WHOLE_WORLD)];
      // Of who is called alike a list tells as one.
      const named = Map.groupBy(desk.workloads.values(), workloadName);
      const everybody = [...named.values()].flatMap((alike) => (alike.length > 1 ? [] : alike));
      for (const from of everybody)
        for (const to of everybody) {
          if (from === to) continue;
          const listed = pairs.find(
            ({ source, destination }) =>
              source === workloadName(from) && destination === workloadName(to),
          );
          for (const port of PORTS) {
            const question = `${from.id} → ${to.id} ${formatPort(port.protocol, port.port)}`;
            const told = listed !== undefined && hasPort(listed.ports, port.protocol, port.port);
            const decided = decides(desk, from.id, to.id, port);
            expect({ question, told }).toEqual({ question, told: decided });
          }
        }
    }),
    { numRuns: 400, examples: FOUND },
  );
});
