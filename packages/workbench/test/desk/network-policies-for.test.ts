/** What is proposed in Kubernetes' words allows what was denied, whoever the ends are; what these cannot say stays native. */
import { TCP, UDP } from "@bulkhead/model";
import { expect, test } from "vitest";
import { createEndFinder, explainAtDesk, openDesk } from "../../src/desk/index.ts";

const POD = (namespace: string, name: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${name} } }\n`;
const ISOLATED = (namespace: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: none, namespace: ${namespace} }
spec: { podSelector: {}, policyTypes: [Ingress, Egress] }
`;
const FOLDER = [POD("a", "web"), POD("a", "db"), POD("b", "db"), ISOLATED("a"), ISOLATED("b")];

function ask(texts: readonly string[], from: string, to: string, port: string) {
  const desk = openDesk([{ name: "all.yaml", text: texts.join("---\n") }], { now: 0 });
  expect(desk.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const options = { now: 0, view: "live" } as const;
  const found = explainAtDesk(desk, createEndFinder(desk), { from, to, port }, options);
  if (found.problem !== undefined) throw new Error(found.problem.message);
  return found.value;
}

test.each([
  ["a/web", "a/db", `80/tcp`, TCP],
  ["a/web", "b/db", "53/udp", UDP],
  ["a/web", "world", "443/tcp", TCP],
  ["198.51.100.7", "b/db", "443/tcp", TCP],
  ["a/web", "2001:db8::7", "443/tcp", TCP],
])("from %s to %s %s", (from, to, port, protocol) => {
  const before = ask(FOLDER, from, to, port);
  expect(before).toMatchObject({
    verdict: "drop",
    paths: [{ protocol }, ...before.paths.slice(1)],
  });
  const { text } = before.smallestChange!;
  expect(text).toContain("kind: NetworkPolicy");
  expect(ask([...FOLDER, text], from, to, port).verdict).toBe("allow");
  // And no more than that.
  expect(ask([...FOLDER, text], from, to, "8443/tcp").verdict).toBe("drop");
  expect(ask([...FOLDER, text], to === "world" ? "a/db" : to, from, port).verdict).toBe("drop");
});

const ICMP_ALONE =
  "a NetworkPolicy names ports of TCP, UDP and SCTP alone: only a rule without `ports` allows icmp, and every other protocol and port with it (what networks do with it, Kubernetes leaves open)";
const CILIUM = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: none, namespace: a }
spec: { endpointSelector: {}, ingress: [{ fromEndpoints: [] }], egress: [{ toEndpoints: [] }] }
`;

test("ICMP is nothing that a NetworkPolicy could allow by itself: that is said, and nothing else is proposed", () => {
  const { verdict, smallestChange, inTheWay } = ask(FOLDER, "a/web", "a/db", "icmp");
  expect([verdict, smallestChange, inTheWay]).toEqual(["drop", undefined, ICMP_ALONE]);
  expect(ask([...FOLDER, CILIUM], "a/web", "a/db", "icmp").inTheWay).toBe(
    `${ICMP_ALONE}; a CiliumNetworkPolicy can, with \`icmps\``,
  );
  expect(ask([...FOLDER, CILIUM], "a/web", "a/db", "gre").inTheWay).toBe(
    ICMP_ALONE.replace("icmp", "gre"),
  );
  // As it says.
  const { text } = ask(FOLDER, "a/web", "a/db", "80/tcp").smallestChange!;
  const portless = text.replaceAll(/\n +ports:\n +- protocol: TCP\n +port: 80/g, "");
  expect(portless).not.toContain("ports");
  expect(ask([...FOLDER, portless], "a/web", "a/db", "icmp").verdict).toBe("allow");
});

test("whoever has something of ours is told what to add in our words", () => {
  const ours = `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db, namespace: a }
spec: { from: app=web, to: app=db, ports: [80/tcp] }
`;
  const { smallestChange } = ask([...FOLDER, ours], "a/web", "a/db", "icmp");
  expect(smallestChange?.text).toContain("kind: Intent");
  expect(ask([...FOLDER, ours, smallestChange!.text], "a/web", "a/db", "icmp").verdict).toBe(
    "allow",
  );
});

test("what is denied before any NetworkPolicy is asked is named, and no stand-in is proposed", () => {
  const above = `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: shut }
spec:
  priority: 1
  subject: { namespaces: {} }
  ingress: [{ name: no, action: Deny, from: [{ namespaces: {} }] }]
`;
  const { smallestChange, inTheWay } = ask([...FOLDER, above], "a/web", "a/db", "80/tcp");
  expect(smallestChange).toBeUndefined();
  expect(inTheWay).toMatch(
    /^no NetworkPolicy is asked before rule `[^`]+\/no[^`]*` \(all\.yaml:\d+\): what denies there must change$/,
  );
});
