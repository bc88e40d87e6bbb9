/** `convert` as it is typed: manifests that can be applied on stdout, everything else on stderr, and nothing that is not proved. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "./call.ts";
import { folder, pod, type Folder } from "./offline-folder.ts";

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 5432 }] }]
`;
const NATIVE = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec:
  subject: app=db
  ingress:
    - { from: [app=web], ports: [5432/tcp] }
    - { from: [{ cidr: 10.0.0.0/8 }], ports: [gre] }
`;
const PODS = `${pod("shop", "web")}${pod("shop", "db")}${pod("dev", "tool")}`;
let here: Folder;
beforeAll(async () => {
  here = await folder({ "pods.yaml": PODS, "db.yaml": POLICY });
});
afterAll(() => here.remove());

const both = (text: string) => ({ stdin: `${PODS}---\n${text}` });

describe("convert", () => {
  it.each([
    ["kubernetes", "NetworkPolicy"],
    ["cilium", "CiliumNetworkPolicy"],
    ["calico", "NetworkPolicy"],
    ["antrea", "NetworkPolicy"],
    ["bulkhead", "Policy"],
    ["anp", "NetworkPolicy"],
  ])("to %s: what can be applied on stdout, the proof on stderr", async (to, kind) => {
    const { stdout, stderr, code } = await call(["convert", here.dir, "--to", to]);
    expect(stdout).toMatch(new RegExp(`^apiVersion: \\S+\nkind: ${kind}\n`));
    expect(stderr).toContain("proved: what is written permits the same\n  over 3 workloads");
    expect(code).toBe(0);
  });

  it("-o json is a List, and what is told of it are lines of JSON", async () => {
    const { stdout, stderr, code } = await call(
      ["convert", "-", "--to", "calico", "-o", "json"],
      both(POLICY),
    );
    const list = JSON.parse(stdout) as { kind: string; items: readonly { kind: string }[] };
    expect([list.kind, list.items.map(({ kind }) => kind)]).toEqual(["List", ["NetworkPolicy"]]);
    const told = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { proof?: { answer: string } });
    expect(told.at(-1)).toMatchObject({ relation: "same", proof: { answer: "yes" } });
    expect(code).toBe(0);
  });

  it("what cannot be said is refused with its place, and nothing is written", async () => {
    const out = join(here.dir, "refused");
    const args = ["convert", "-", "--to", "kubernetes", "--out", out];
    const { stdout, stderr, code } = await call(args, both(NATIVE));
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /-:\d+:\d+: error BH0502: protocol `gre`, which NetworkPolicy cannot say/,
    );
    expect(stderr).toContain("refused: Kubernetes NetworkPolicy cannot say all of it");
    expect(code).toBe(1);
    expect(readdirSync(here.dir)).not.toContain("refused");
  });

  it("an approximation is flagged, and proved to err on the side that was asked for", async () => {
    const args = ["convert", "-", "--to", "kubernetes", "--ip-block", "any", "--approximate"];
    const under = await call([...args, "under"], both(NATIVE));
    expect(under.stderr).toContain("warning BH0502: protocol `gre`");
    expect(under.stderr).toContain(
      "proved: what is written permits nothing that the files do not, and less",
    );
    expect(under.stdout).toContain("port: 5432");
    expect(under.code).toBe(0);
    const over = await call([...args, "over"], both(NATIVE));
    expect(over.stderr).toContain("error BH0502: protocol `gre`");
    expect([over.stdout, over.code]).toEqual(["", 1]);
  });

  it("to istio: TCP of callers with certificates, which are demanded where nobody else may call", async () => {
    const refused = await call(["convert", "-", "--to", "istio"], both(POLICY));
    expect(refused.stderr).toContain("this policy denies other protocols than TCP, which Istio");
    expect([refused.stdout, refused.code]).toEqual(["", 1]);
    const namespaces = POLICY.replace(
      "podSelector: { matchLabels: { app: web } }",
      "namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: dev } }",
    );
    const { stdout, stderr, code } = await call(
      ["convert", "-", "--to", "istio", "--approximate", "over"],
      both(namespaces),
    );
    expect(stderr).toContain("proved: what is written permits all that the files do, and more");
    expect(stdout).toBe(`apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: db
  namespace: shop
spec:
  selector:
    matchLabels:
      app: db
  mtls:
    mode: STRICT
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: db
  namespace: shop
spec:
  selector:
    matchLabels:
      app: db
  action: ALLOW
  rules:
    - from:
        - source:
            namespaces:
              - dev
      to:
        - operation:
            ports:
              - "5432"
`);
    expect(code).toBe(0);
  });

  it("--out: one file an object, never over another unasked", async () => {
    const out = join(here.dir, "out");
    const args = ["convert", here.dir, "--to", "cilium", "--out", out];
    const first = await call(args);
    expect([first.stdout, first.code]).toEqual(["", 0]);
    expect(readdirSync(out)).toEqual(["ciliumnetworkpolicy-shop-db.yaml"]);
    const text = readFileSync(join(out, "ciliumnetworkpolicy-shop-db.yaml"), "utf8");
    expect(text).toContain("kind: CiliumNetworkPolicy");
    // The folder has both now: what was written first is among what is converted.
    const only = ["convert", join(here.dir, "db.yaml"), ...args.slice(2)];
    const again = await call(only);
    expect(again.stderr).toContain("exists already");
    expect(again.code).toBe(2);
    expect((await call([...only, "--overwrite"])).code).toBe(0);
  });

  it("--out: objects whose names come out alike are both there", async () => {
    const out = join(here.dir, "alike");
    const alike = [
      ["a", "b-c"],
      ["a-b", "c"],
    ]
      .map(
        ([namespace, name]) =>
          `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { podSelector: {}, policyTypes: [Ingress] }\n`,
      )
      .join("---\n");
    const args = ["convert", "-", "--to", "cilium", "--overwrite", "--out", out];
    expect((await call(args, { stdin: alike })).code).toBe(0);
    expect(readdirSync(out).toSorted()).toEqual([
      "ciliumnetworkpolicy-a-b-c-2.yaml",
      "ciliumnetworkpolicy-a-b-c.yaml",
    ]);
  });

  it("without anybody in the files the proof is over stand-ins, and says so", async () => {
    const { stderr, code } = await call(["convert", "-", "--to", "cilium"], { stdin: POLICY });
    expect(stderr).toContain("note: nobody is in the files: proved over pods that stand for");
    expect(stderr).toMatch(/over [4-9] workloads/);
    expect(code).toBe(0);
  });

  it("tells how it reads an ipBlock, and what keeps metadata addresses shut", async () => {
    const block = POLICY.replace(/from: .*\]/, "from: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }]");
    const args = ["convert", "-", "--to", "calico"];
    const read = await call(args, both(block));
    expect(read.stderr).toContain("note: ipBlocks are read as holding pods and nodes");
    const world = await call([...args, "--ip-block", "world"], both(block));
    expect(world.stderr).toContain("`10.0.0.0/8` without pods and nodes, which Calico cannot say");
    expect(world.code).toBe(1);
    const wide = NATIVE.replace(
      /ingress:[^]*/,
      "egress: [{ to: [{ any: true }], ports: [443] }]\n",
    );
    const left = await call(["convert", "-", "--to", "cilium"], both(wide));
    expect(left.stderr).toContain("note: Bulkhead keeps metadata addresses (169.254.169.254) shut");
    expect(left.code).toBe(0);
  });

  it.each([
    [["convert", "-"], "`convert` needs `--to`"],
    [["convert", "-", "--to", "calcio"], "did you mean `calico`?"],
    [["convert", "-", "--to", "cilium", "--approximate", "both"], "use over or under"],
  ])("%j is bad input", async (args, told) => {
    const { stderr, stdout, code } = await call(args, both(POLICY));
    expect(stderr).toContain(told);
    expect([stdout, code]).toEqual(["", 2]);
  });

  it("what could not be read is not left out without a word", async () => {
    const broken = both(`${POLICY}---\nkind: NetworkPolcy\n`);
    const { stderr, stdout, code } = await call(["convert", "-", "--to", "cilium"], broken);
    expect(stderr).toContain("not all of it could be read: nothing was written");
    expect([stdout, code]).toEqual(["", 2]);
    const nothing = await call(["convert", "-", "--to", "cilium"], { stdin: PODS });
    expect(nothing.stderr).toContain("no policy in `-`");
    expect(nothing.code).toBe(2);
  });
});
