/** Verbs over a folder as people and programs meet them: what is printed where, exit codes, and what cannot be read. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diffAnswerSchema, exposureAnswerSchema, listAnswerSchema } from "../src/schemas.ts";
import { call } from "./call.ts";

const deployment = (name: string, app = name): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec: { template: { metadata: { labels: { app: ${app} } } } }
`;
const policy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress, Egress]
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 5432 }] }]
`;
const LINES = [
  "0.0.0.0-255.255.255.255[External] => shop/web[Deployment] : All Connections",
  "shop/web[Deployment] => 0.0.0.0-255.255.255.255[External] : All Connections",
  "shop/web[Deployment] => shop/db[Deployment] : TCP 5432",
];
let folder = "";
const put = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-list-"));
  mkdirSync(join(folder, "shop", "deep"), { recursive: true });
  put("shop/web.yaml", deployment("web"));
  put(
    "shop/deep/db.yml",
    `kind: List\napiVersion: v1\nitems:\n- ${deployment("db").trim().replaceAll("\n", "\n  ")}\n`,
  );
  put("shop/policy.yaml", policy);
  put("shop/notes.yaml", "replicas: 3\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("list", () => {
  it("prints lines that diff can compare, from files below a folder", async () => {
    const { code, stdout, stderr } = await call(["list", join(folder, "shop")]);
    expect(stdout).toBe(`${LINES.join("\n")}\n`);
    expect(stderr).toBe(
      `warning BH0006: a document that is no resource (${join(folder, "shop", "notes.yaml")}:1)\n`,
    );
    expect(code).toBe(0);
  });

  it("warnings are told once each, with their first place and how many there are", async () => {
    const notes = put("notes.yaml", "replicas: 3\n---\n\nreplicas: 4\n");
    expect((await call(["list", notes])).stderr).toContain(
      `warning BH0006: a document that is no resource (2 times, first at ${notes}:1)\n`,
    );
  });

  it("reads standard input", async () => {
    const { stdout } = await call(["list", "-"], {
      stdin: [deployment("web"), deployment("db"), policy].join("---\n"),
    });
    expect(stdout).toBe(`${LINES.join("\n")}\n`);
  });

  it.each([
    ["csv", "src,dst,conn\n"],
    ["md", "| src | dst | conn |\n|-----|-----|------|\n"],
    ["dot", "digraph {\n"],
    ["svg", "<svg "],
  ])("-o %s", async (format, begin) => {
    const { stdout, code } = await call(["list", join(folder, "shop"), "-o", format]);
    expect(stdout.startsWith(begin)).toBe(true);
    expect(stdout).toContain("TCP 5432");
    expect(code).toBe(0);
  });

  it("-o json holds every family and protocol", async () => {
    const { stdout } = await call(["list", join(folder, "shop"), "-o", "json"]);
    const found = listAnswerSchema.parse(JSON.parse(stdout));
    expect(found.map(({ src, dst, ports }) => [src, dst, ports])).toContainEqual([
      "shop/web[Deployment]",
      "shop/db[Deployment]",
      "5432/tcp",
    ]);
    expect(found.some(({ src }) => src.startsWith("::-ffff:"))).toBe(true);
  });

  it("one broken document: told with its place, the rest is listed, and the exit code says so", async () => {
    const broken = put("broken.yaml", `${deployment("web")}---\nkind: NetworkPolcy\n`);
    const { code, stdout, stderr } = await call(["list", broken]);
    expect(stdout).toBe(`${LINES.slice(0, 2).join("\n")}\n`);
    expect(stderr).toContain(`${broken}:6:1: error BH0006`);
    expect(code).toBe(2);
  });

  it("limits can be set, and are named", async () => {
    const deep = put("deep.yaml", `a: ${"[".repeat(70)}${"]".repeat(70)}\n`);
    const refused = await call(["list", deep]);
    expect(refused.stderr).toContain("nested more than 64 deep");
    expect(refused.stderr).toContain("`--limit depth=…` for more");
    expect(refused.code).toBe(2);
    expect((await call(["list", deep, "--limit", "depth=100"])).code).toBe(0);
    const large = await call(["list", deep, "--limit", "file-size=100"]);
    expect(large.stderr).toContain("larger than the 0.0001 MB that are read of one file");
    expect(large.stderr).toContain("`--limit file-size=…` for more");
    const many = await call(["list", join(folder, "shop"), "--limit", "files=2"]);
    expect(many.stderr).toContain("4 files below it, and at most 2 are read");
    const yaml = await call([
      "list",
      put("web.yaml", deployment("web")),
      "--limit",
      "yaml-size=10",
    ]);
    expect(yaml.stderr).toContain(
      "web.yaml:1:1: error BH0007: more than 0.00001 MB of YAML in one file",
    );
    expect(yaml.stderr).toContain("`--limit yaml-size=…` for more");
    const deepest = await call(["list", deep, "--limit", "depth=1000000"]);
    expect(deepest.stderr).toContain("at most 1000");
    const unknown = await call(["list", deep, "--limit", "deph=3"]);
    expect(unknown.stderr).toContain("did you mean `depth`?");
  });

  it("pods on the node's network: listed as others beside the other tool's, and as what they are in JSON", async () => {
    const agent = put(
      "agent.yaml",
      `${deployment("web")}---\n${deployment("agent", "web").trim().replace("} } } }", "} }, spec: { hostNetwork: true } } }")}\n---\n${policy.replaceAll("app: db", "app: web")}`,
    );
    const txt = await call(["list", agent]);
    expect(txt.stdout).not.toContain("shop/agent[Deployment] => 0.0.0.0");
    expect(txt.stderr).toContain("1 workload on the node's network listed as other pods");
    const apart = await call(["list", agent, "--host-network", "node"]);
    expect(apart.stdout).toContain(
      "shop/agent[Deployment] => 0.0.0.0-255.255.255.255[External] : All",
    );
    expect(apart.stderr).toBe("");
    const json = listAnswerSchema.parse(
      JSON.parse((await call(["list", agent, "-o", "json"])).stdout),
    );
    expect(json.some(({ src, dst }) => src.includes("agent") && dst.startsWith("0.0.0.0"))).toBe(
      true,
    );
  });

  it("says what lines cannot tell", async () => {
    const istio = put(
      "istio.yaml",
      `${deployment("web")}---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a, namespace: shop }\nspec: { action: ALLOW, rules: [{ to: [{ operation: { methods: [GET] } }] }] }\n`,
    );
    const { stderr, code } = await call(["list", istio]);
    expect(stderr).toBe(
      "warning: 1 rule with conditions beyond address and port: taken to be met\n",
    );
    expect(code).toBe(0);
    const nobody = await call(["list", put("policy-alone.yaml", policy)]);
    expect(nobody).toEqual({
      code: 0,
      stdout: "",
      stderr: "warning: no workload in these files\n",
    });
  });

  it("pods of one owner whose labels differ are one line, and it is said", async () => {
    const pod = (name: string, tier: string): string =>
      `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { app: db, tier: ${tier} }, ownerReferences: [{ kind: ReplicaSet, name: db }] }\n`;
    const torn = put(
      "torn.yaml",
      [
        pod("db-1", "a"),
        pod("db-2", "b"),
        deployment("web"),
        policy.replace("app: db", "tier: a"),
      ].join("---\n"),
    );
    const { stdout, stderr } = await call(["list", torn]);
    expect(stdout).toContain("shop/web[Deployment] => shop/db[ReplicaSet] : All Connections\n");
    expect(stderr).toContain("lines of shop/db[ReplicaSet] hold for some of its pods");
  });
});

describe("diff", () => {
  const before = () =>
    put("before.yaml", [deployment("web"), deployment("db"), policy].join("---\n"));
  const after = () =>
    put(
      "after.yaml",
      [
        deployment("web"),
        deployment("db"),
        deployment("till", "web"),
        deployment("spare", "db"),
        policy
          .replace("5432", "5433")
          .replace("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]"),
      ].join("---\n"),
    );

  it("tells what changed, what is new, what is gone, and exits 1", async () => {
    const { code, stdout, stderr } = await call(["diff", before(), after()]);
    const lines = stdout.split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "Connectivity diff:",
      "diff-type: changed, source: shop/web[Deployment], destination: shop/db[Deployment], dir1: TCP 5432, dir2: TCP 5433",
    ]);
    expect(lines).toContain(
      "diff-type: added, source: shop/till[Deployment], destination: shop/spare[Deployment], dir1: No Connections, dir2: TCP 5433, workloads-diff-info: workload shop/till[Deployment] and shop/spare[Deployment] added",
    );
    expect(lines).toContain(
      "diff-type: added, source: shop/db[Deployment], destination: 0.0.0.0-255.255.255.255[External], dir1: No Connections, dir2: All Connections",
    );
    expect(stderr).toBe("");
    expect(code).toBe(1);
    const back = await call(["diff", after(), before()]);
    const kinds = back.stdout
      .split("\n")
      .slice(1, -1)
      .map((line) => line.split(",")[0]);
    expect(kinds.slice(0, 2)).toEqual(["diff-type: changed", "diff-type: removed"]);
    expect(back.stdout).toContain(
      "workload shop/till[Deployment] and shop/spare[Deployment] removed",
    );
  });

  it("prints nothing of equal folders, and exits 0", async () => {
    expect(await call(["diff", before(), before()])).toEqual({ code: 0, stdout: "", stderr: "" });
    const json = await call(["diff", before(), before(), "-o", "json"]);
    expect(json.stdout).toBe("[]\n");
  });

  it.each([
    ["csv", "diff-type,source,destination,dir1,dir2,workloads-diff-info\n"],
    [
      "md",
      "| diff-type | source | destination | dir1 | dir2 | workloads-diff-info |\n|-----------|",
    ],
    ["dot", "digraph {\n"],
  ])("-o %s", async (format, begin) => {
    const { stdout, code } = await call(["diff", before(), after(), "-o", format]);
    expect(stdout.startsWith(begin)).toBe(true);
    expect(stdout).toContain("TCP 5433");
    expect(code).toBe(1);
  });

  it("-o json holds every family and protocol", async () => {
    const { stdout } = await call(["diff", before(), after(), "-o", "json"]);
    const found = diffAnswerSchema.parse(JSON.parse(stdout));
    expect(found[0]).toMatchObject({ diff: "changed", ports1: "5432/tcp", ports2: "5433/tcp" });
    expect(found.some(({ dst }) => dst.startsWith("::-ffff:"))).toBe(true);
  });

  it("a document that cannot be read is exit code 2, whatever differs", async () => {
    const broken = put("broken.yaml", "kind: NetworkPolcy\n---\n" + deployment("web"));
    expect((await call(["diff", before(), broken])).code).toBe(2);
    expect((await call(["diff", "-", "-"])).code).toBe(2);
    expect((await call(["diff", before(), after(), after()])).code).toBe(2);
  });
});

describe("exposure", () => {
  it("tells who is not in the folder, in sections", async () => {
    const { code, stdout } = await call(["exposure", join(folder, "shop")]);
    expect(code).toBe(0);
    expect(stdout).toContain("Egress Exposure:\nshop/web[Deployment] \t=> \t0.0.0.0-255.");
    expect(stdout).toContain("shop/web[Deployment] \t<= \tentire-cluster : All Connections\n");
    expect(stdout).toContain("shop/web[Deployment] is not protected on Ingress\n");
    expect(stdout).not.toContain("shop/db[Deployment] \t");
  });

  it("-o md, -o json", async () => {
    const { stdout } = await call(["exposure", join(folder, "shop"), "-o", "md"]);
    expect(stdout).toContain(
      "| dst | src | conn |\n|-----|-----|------|\n| shop/web[Deployment] |",
    );
    const json = await call(["exposure", join(folder, "shop"), "-o", "json"]);
    const { exposures, unprotected } = exposureAnswerSchema.parse(JSON.parse(json.stdout));
    expect(exposures.map(({ peer }) => peer)).toContain("entire-cluster");
    expect(unprotected).toHaveLength(2);
  });
});

describe("what lines cannot tell", () => {
  const closed = [
    deployment("web"),
    deployment("db"),
    policy.replace("{ matchLabels: { app: db } }\n  policy", "{}\n  policy"),
  ];
  const opened = (egress: string): string => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: more, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: web } }, egress: [${egress}] }
`;
  const SIX = opened(
    '{ toCIDR: ["::/0"], toPorts: [{ ports: [{ port: "443", protocol: TCP }] }] }',
  );
  const BOTH = opened(
    '{ toCIDR: ["0.0.0.0/0", "::/0"], toPorts: [{ ports: [{ port: "443", protocol: TCP }] }] }',
  );
  const FEW = BOTH.replace("0.0.0.0/0", "198.51.100.0/24");
  const PING = opened(
    '{ toCIDR: ["8.8.8.8/32"], icmps: [{ fields: [{ type: 8, family: IPv4 }] }] }',
  );
  const SIX_LINE = "shop/web[Deployment], destination: ::-ffff:ffff:";
  const diff = (more: string, format: string) => {
    const before = put("closed.yaml", closed.join("---\n"));
    const after = put("opened.yaml", [...closed, more].join("---\n"));
    return call(["diff", before, after, "-o", format]);
  };

  it.each(["txt", "csv", "md", "dot", "json"])(
    "diff -o %s ends with 1 all the same",
    async (format) => {
      const [six, ping] = [await diff(SIX, format), await diff(PING, format)];
      expect(six.stdout).toMatch(/::-ffff:ffff:[^\n]*TCP 443/);
      expect([six.code, six.stderr]).toEqual([1, ""]);
      expect(ping.code).toBe(1);
      if (["txt", "dot"].includes(format)) {
        expect(ping.stderr).toContain("1 more difference that these lines cannot tell");
        expect(ping.stdout).not.toContain("8.8.8.8");
      } else {
        expect(ping.stderr).toBe("");
        expect(ping.stdout).toContain("icmp/echo-request");
      }
    },
  );

  it("IPv6 has a line of its own only where it goes another way than IPv4 at large", async () => {
    const [both, few] = [await diff(BOTH, "txt"), await diff(FEW, "txt")];
    expect(both.stdout).toContain("destination: 0.0.0.0-255.255.255.255[External]");
    expect(both.stdout).not.toContain("ffff:ffff");
    expect(both.stderr).toBe("");
    expect(few.stdout).toContain("destination: 198.51.100.0-198.51.100.255[External]");
    expect(few.stdout).toContain(SIX_LINE);
  });

  it.each(["list", "exposure"])("%s says that there is more", async (verb) => {
    const stderr = async (...more: readonly string[]): Promise<string> =>
      (await call([verb, put("more.yaml", [...closed, ...more].join("---\n"))])).stderr;
    for (const more of [SIX, FEW, PING]) {
      expect(await stderr(more)).toContain("more is permitted than lines can tell");
    }
    expect(await stderr(BOTH)).toBe("");
    const nothing = "no connection is permitted: 2 workloads, and the world outside\n";
    expect(await stderr()).toBe(verb === "list" ? nothing : "");
  });
});
