/** Of a policy with errors everything that is wrong is told at once, and nothing that might not be. */
import { describe, expect, it } from "vitest";
import { buildPolicySet, parseFiles } from "../src/index.ts";

const NOW = Date.UTC(2030, 0, 1);

const policy = (body: string, head = "name: p, namespace: shop"): string =>
  `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { ${head} }\nspec:\n${body.replaceAll(/^/gm, "  ")}\n`;

/** Code and line of everything that parsing and building find. */
function found(text: string): readonly string[] {
  const parsed = parseFiles([{ name: "x.yaml", text }]);
  const all = [...parsed.resources, ...parsed.partial];
  const built = buildPolicySet(all, { now: NOW, strict: false, mode: "enforce" });
  return [...parsed.diagnostics, ...built.diagnostics]
    .map(({ code, span }) => `${code}:${span.line}`)
    .toSorted();
}

const OPEN = "ingress:\n  - from: [{ any: true }]";

describe("rules that open everything", () => {
  it.each([
    ["another rule has an error", `subject: app=db\n${OPEN}\n  - from: [app===a]`, ["BH0201:8"]],
    [
      "a rule has an unknown field",
      `subject: app=db\n${OPEN}\n  - { form: [app=a] }`,
      ["BH0102:8", "BH0103:8"],
    ],
    ["the subject is no selector", `subject: app===db\n${OPEN}`, ["BH0201:5"]],
    ["the subject is missing", `tier: baseline\n${OPEN}`, ["BH0103:5"]],
    ["the owner is no text", `subject: app=db\nowner: 7\n${OPEN}`, ["BH0104:6"]],
    ["a field is unknown", `subject: app=db\nwhatever: 7\n${OPEN}`, ["BH0102:6"]],
  ])("are told although %s", (_, body, errors) => {
    const line = body.slice(0, body.indexOf("- from: [{ any")).split("\n").length + 4;
    expect(found(policy(body))).toEqual([...errors, `BH0301:${line}`].toSorted());
  });

  it("are told although the name is missing, and in every resource", () => {
    const text = policy(`subject: app=db\n${OPEN}`, "namespace: shop");
    expect(found(`${text}---\n${text}`)).toEqual([
      "BH0103:11",
      "BH0103:3",
      "BH0301:15",
      "BH0301:7",
    ]);
  });

  it.each([
    ["the tier is misspelt", `subject: app=db\nteir: emergency\n${OPEN}`, ["BH0102:6"]],
    ["the tier is unknown", `subject: app=db\ntier: emergancy\n${OPEN}`, ["BH0105:6"]],
    ["the rule itself has an error", `subject: app=db\n${OPEN}\n    actoin: deny`, ["BH0102:8"]],
    ["its ports have", `subject: app=db\n${OPEN}\n    ports: [http//tcp]`, ["BH0205:8"]],
    [
      "its exceptions have",
      `subject: app=db\ningress:\n  - from: [{ cidr: 0.0.0.0/0, except: [x] }]`,
      ["BH0203:7"],
    ],
  ])("are not made up where %s", (_, body, errors) => {
    expect(found(policy(body))).toEqual(errors);
  });

  it("are not made up of an Intent whose ports are misspelt", () => {
    const text = `apiVersion: bulkhead.dev/v1\nkind: Intent\nmetadata: { name: i }\nspec: { from: app=a, to: { any: true }, prots: [80] }\n`;
    expect(found(text)).toEqual(["BH0102:4"]);
  });

  it("are told of an Exception without owner, reason and end, and of imported policies", () => {
    const exception = `apiVersion: bulkhead.dev/v1\nkind: Exception\nmetadata: { name: e }\nspec: { from: app=a, to: { any: true }, ports: [1-65535/tcp, 1-65535/udp] }\n`;
    expect(found(exception)).toEqual(["BH0301:4", "BH0302:4", "BH0302:4", "BH0302:4"]);
    const imported = `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: k }\nspec:\n  podSelector: {}\n  ingress:\n    - {}\n    - { from: 7 }\n`;
    expect(found(imported)).toEqual(["BH0104:8", "BH0403:7"]);
  });
});

it.each(["ingress", "egress"])("of %s, rules with errors go and the others stay", (direction) => {
  const peers = direction === "ingress" ? "from" : "to";
  const rules = (...all: readonly string[]) => `{ ${direction}: [${all.join(", ")}] }`;
  const partOf = (apiVersion: string, kind: string, spec: string) => {
    const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: p }\nspec: ${spec}`;
    const [part, ...more] = parseFiles([{ name: "x.yaml", text }]).partial;
    expect(more).toEqual([]);
    return part?.object;
  };
  const anyone = `{ ${peers}: [{ any: true }] }`;
  expect(
    partOf("bulkhead.dev/v1", "Policy", rules(anyone, `{ ${peers}: 7 }`, anyone)),
  ).toMatchObject({ spec: { [direction]: { rules: [{}, {}] } } });
  expect(
    partOf("networking.k8s.io/v1", "NetworkPolicy", rules("{}", `{ ${peers}: 7 }`)),
  ).toMatchObject({ spec: { [direction]: [{}] } });
});

it("does not miss a set that has an error of its own", () => {
  const set = `apiVersion: bulkhead.dev/v1\nkind: NetworkSet\nmetadata: { name: s, namespace: shop }\nspec: { cidrs: [10.0.0.0/8, nonsense] }\n`;
  const user = policy("subject: app=db\ningress:\n  - { from: [{ networkSet: s }], ports: [80] }");
  expect(found(`${set}---\n${user}`)).toEqual(["BH0203:4"]);
});

it("is never among what may be put in force", () => {
  const parsed = parseFiles([{ name: "x.yaml", text: policy(`subject: app===db\n${OPEN}`) }]);
  expect([parsed.resources.length, parsed.partial.length]).toEqual([0, 1]);
});
