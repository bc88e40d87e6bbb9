/**
 * What of a policy's text could be written plainer without anything else being said, in every dialect: what a dialect fills in
 * by itself written out, prefixes as they are read, what stands there twice or takes nothing away only once or not at all.
 */
import { parseCidr } from "@bulkhead/model";
import {
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Document,
  type Node,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { entryOut, inOrder, itemOut, newFirst, type Edit } from "./fix-places.ts";

/** What the dialect takes for granted. */
interface Dialect {
  readonly kinds: RegExp;
  /** Of a port that names none. */
  readonly protocol?: string;
  /** The field of a spec that says which directions are isolated, as its own rules have it. */
  readonly types?: readonly [field: string, given: (spec: YAMLMap) => readonly string[]];
  /** A port that is a number alone. */
  readonly plainPort?: (port: string) => string;
}

const hasRules = (spec: YAMLMap, field: string): boolean => {
  const rules = spec.get(field, true);
  return isSeq(rules) && rules.items.length > 0;
};

const CALICO: Dialect = {
  kinds: /NetworkPolicy$|NetworkSet$/,
  types: [
    "types",
    (spec) => {
      const own = ["Ingress", "Egress"].filter((one) => hasRules(spec, one.toLowerCase()));
      return own.length === 0 ? ["Ingress"] : own;
    },
  ],
};

/** By the beginning of `apiVersion`. */
const DIALECTS: Readonly<Record<string, Dialect>> = {
  "networking.k8s.io/": {
    kinds: /^NetworkPolicy$/,
    protocol: "TCP",
    types: [
      "policyTypes",
      (spec) => (hasRules(spec, "egress") ? ["Ingress", "Egress"] : ["Ingress"]),
    ],
  },
  "policy.networking.k8s.io/": { kinds: /NetworkPolicy$/ },
  "cilium.io/": { kinds: /^Cilium.*NetworkPolicy$|^CiliumCIDRGroup$/, protocol: "ANY" },
  "security.istio.io/": { kinds: /^AuthorizationPolicy$/ },
  "crd.antrea.io/": { kinds: /^(Cluster)?NetworkPolicy$|Group$/, protocol: "TCP" },
  "projectcalico.org/": CALICO,
  "crd.projectcalico.org/": CALICO,
  "bulkhead.dev/": {
    kinds: /^(Policy|Intent|Exception|NetworkSet)$/,
    plainPort: (port) => `${port}/tcp`,
  },
};

/** In the order of their places; none overlaps another. `needless`: offsets of rules that could go. Empty for a text with errors. */
export function fixEdits(text: string, needless: ReadonlySet<number> = new Set()): readonly Edit[] {
  const documents = parseAllDocuments(text, {
    prettyErrors: false,
    version: "1.2",
    schema: "core",
    merge: false,
  });
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return [];
  const found: Edit[] = [];
  for (const document of documents as readonly Document.Parsed[]) {
    for (const [object, dialect] of objectsOf(document.contents)) {
      const walk = { dialect, document, text, needless, found };
      for (const field of ["spec", "specs"]) {
        const spec = object.get(field, true);
        types(spec, walk);
        look(spec, field, walk);
      }
    }
  }
  return inOrder(found);
}

interface Inherited {
  readonly apiVersion: unknown;
  readonly kind: string;
}

function objectsOf(node: unknown, inherited?: Inherited): readonly (readonly [YAMLMap, Dialect])[] {
  if (!isMap(node)) return [];
  const [kind, apiVersion] = [
    node.get("kind") ?? inherited?.kind,
    node.get("apiVersion") ?? inherited?.apiVersion,
  ];
  if (typeof kind !== "string" || typeof apiVersion !== "string") return [];
  const items = node.get("items", true);
  if (kind.endsWith("List") && isSeq(items)) {
    const own = kind === "List" ? undefined : { apiVersion, kind: kind.slice(0, -4) };
    return items.items.flatMap((item) => objectsOf(item, own));
  }
  const dialect = Object.entries(DIALECTS).find(([start]) => apiVersion.startsWith(start))?.[1];
  return dialect?.kinds.test(kind) === true ? [[node, dialect]] : [];
}

interface Walk {
  readonly dialect: Dialect;
  readonly document: Document.Parsed;
  readonly text: string;
  readonly needless: ReadonlySet<number>;
  readonly found: Edit[];
}

function types(spec: unknown, { dialect, text, found }: Walk): void {
  if (dialect.types === undefined || !isMap(spec)) return;
  const [field, given] = dialect.types;
  if (spec.has(field) || (field === "types" && !spec.has("ingress") && !spec.has("egress"))) return;
  const entry = `${field}: [${given(spec).join(", ")}]`;
  found.push(...newFirst(spec, entry, text, `\`${field}\` written out`));
}

/** `key`: under which the node stands, or the list around it. */
function look(node: unknown, key: string, walk: Walk): void {
  if (isSeq(node)) {
    takenOut(node, key, walk);
    for (const item of node.items) look(item, key, walk);
  } else if (isMap(node)) {
    port(node, key, walk);
    for (const pair of node.items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const field = String(pair.key.value);
      const { value } = pair;
      if (field === "except" && isSeq(value) && value.items.length === 0) {
        const what = "`except: []` taken out, which excepts nobody";
        walk.found.push(...entryOut(node, pair, walk.text, what));
      } else look(value, field, walk);
    }
  } else if (isScalar(node)) {
    if (PREFIXES.has(key)) prefix(node, walk);
    if (key === "ports") plainPort(node, walk);
  }
}

const NOUNS: readonly (readonly [RegExp, string])[] = [
  [/^(ingress|egress)(Deny)?$|^rules$/, "a rule"],
  [/^(from|to)($|[A-Z])(?!Ports)/, "a peer"],
  [/^(ports|toPorts)$/, "a port"],
];

function takenOut(list: YAMLSeq, key: string, { document, text, needless, found }: Walk): void {
  const noun = NOUNS.find(([keys]) => keys.test(key))?.[1] ?? `an entry of \`${key}\``;
  const seen = new Set<string>();
  for (const [at, item] of list.items.entries()) {
    const node = item as Node;
    const words = JSON.stringify(node.toJS(document));
    if (seen.has(words)) {
      found.push(...itemOut(list, at, text, `${noun} that stands there twice taken out`));
    } else if (noun === "a rule" && node.range && needless.has(node.range[0])) {
      const what = "a rule that says nothing beyond others of its policy taken out";
      found.push(...itemOut(list, at, text, what));
    }
    seen.add(words);
  }
}

function port(map: YAMLMap, key: string, { dialect: { protocol }, text, found }: Walk): void {
  if (protocol === undefined || key !== "ports" || map.items.length === 0) return;
  if (map.has("protocol") || map.items.every(({ key: own }) => !isPortField(own))) return;
  found.push(
    ...newFirst(map, `protocol: ${protocol}`, text, `\`protocol: ${protocol}\` written out`),
  );
}

function isPortField(key: unknown): boolean {
  return isScalar(key) && (key.value === "port" || key.value === "endPort");
}

function plainPort(node: Node, { dialect, text, found }: Walk): void {
  if (dialect.plainPort === undefined || !isScalar(node) || !node.range) return;
  const [start, end] = node.range;
  const written = text.slice(start, end);
  const [number] = /\d+(-\d+)?/.exec(written) ?? [];
  if (number === undefined || !/^["']?\d+(-\d+)?["']?$/.test(written)) return;
  const plain = dialect.plainPort(number);
  const what = `\`${number}\` written as \`${plain}\``;
  found.push({ start, end, text: written.replace(number, plain), what });
}

const PREFIXES: ReadonlySet<string> = new Set([
  "cidr",
  "cidrs",
  "except",
  "toCIDR",
  "fromCIDR",
  "externalCIDRs",
  "networks",
  "nets",
  "notNets",
  "ipBlocks",
  "notIpBlocks",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
]);

function prefix(node: Node, { text, found }: Walk): void {
  if (!isScalar(node) || typeof node.value !== "string" || !node.range) return;
  const parsed = parseCidr(node.value);
  const [start, end] = node.range;
  const written = text.slice(start, end);
  if (parsed === null || parsed.cidr === node.value || !written.includes(node.value)) return;
  const what = `\`${node.value}\` written as \`${parsed.cidr}\``;
  found.push({ start, end, text: written.replace(node.value, parsed.cidr), what });
}
