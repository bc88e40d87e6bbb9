/**
 * What of a NetworkPolicy's text could be written plainer without saying anything else: what Kubernetes fills in by itself
 * written out, prefixes as they are read, what stands there twice only once. Places in the text, so that comments and
 * layout stay; where a comment would be lost, nothing is proposed.
 */
import { parseCidr } from "@bulkhead/model";
import {
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Document,
  type Node,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";

/** Replaces what stands from `start` to `end`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly what: string;
}

/** In the order of their places; none overlaps another. Empty for a text with errors. */
export function fixEdits(text: string): readonly Edit[] {
  const documents = parseAllDocuments(text, {
    prettyErrors: false,
    version: "1.2",
    schema: "core",
    merge: false,
  });
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return [];
  const found: Edit[] = [];
  for (const document of documents as readonly Document.Parsed[]) {
    for (const object of objectsOf(document.contents)) policyEdits(object, document, text, found);
  }
  const sorted = found.toSorted((a, b) => a.start - b.start || b.end - a.end);
  return sorted.filter((edit, at) => !sorted.slice(0, at).some((one) => edit.start < one.end));
}

export function applyEdits(text: string, edits: readonly Edit[]): string {
  let out = "";
  let at = 0;
  for (const { start, end, text: added } of edits) {
    out += text.slice(at, start) + added;
    at = end;
  }
  return out + text.slice(at);
}

function objectsOf(node: unknown): readonly YAMLMap[] {
  if (!isMap(node)) return [];
  const kind = node.get("kind");
  if (kind === "NetworkPolicy") return [node];
  const items =
    kind === "List" || kind === "NetworkPolicyList" ? node.get("items", true) : undefined;
  return isSeq(items) ? items.items.flatMap(objectsOf) : [];
}

function policyEdits(
  object: YAMLMap,
  document: Document.Parsed,
  text: string,
  found: Edit[],
): void {
  const spec = object.get("spec", true);
  if (!isMap(spec)) return;
  const [ingress, egress] = [spec.get("ingress", true), spec.get("egress", true)];
  if (!spec.has("policyTypes")) {
    const types = isSeq(egress) && egress.items.length > 0 ? "Ingress, Egress" : "Ingress";
    found.push(...newFirst(spec, `policyTypes: [${types}]`, text, "`policyTypes` written out"));
  }
  for (const [rules, field] of [
    [ingress, "from"],
    [egress, "to"],
  ] as const) {
    if (!isSeq(rules)) continue;
    found.push(...repeated(rules, document, text, "a rule that stands there twice"));
    for (const rule of rules.items) {
      if (!isMap(rule)) continue;
      const [peers, ports] = [rule.get(field, true), rule.get("ports", true)];
      if (isSeq(peers)) {
        found.push(...repeated(peers, document, text, "a peer that stands there twice"));
        for (const peer of peers.items) if (isMap(peer)) found.push(...prefixes(peer, text));
      }
      if (!isSeq(ports)) continue;
      found.push(...repeated(ports, document, text, "a port that stands there twice"));
      for (const port of ports.items) {
        if (!isMap(port) || port.has("protocol") || port.items.length === 0) continue;
        found.push(...newFirst(port, "protocol: TCP", text, "`protocol: TCP` written out"));
      }
    }
  }
}

/** Before the first key of a map: what is said of that key in a comment stays above both. */
function newFirst(map: YAMLMap, entry: string, text: string, what: string): readonly Edit[] {
  const [first] = map.items;
  const key = first?.key;
  if (!isScalar(key) || !key.range) return [];
  const [start] = key.range;
  if (map.flow === true) return [{ start, end: start, text: `${entry}, `, what }];
  const line = text.lastIndexOf("\n", start - 1) + 1;
  const before = text.slice(line, start);
  if (!/^[ -]*$/.test(before)) return [];
  return [{ start, end: start, text: `${entry}${newline(text)}${" ".repeat(start - line)}`, what }];
}

function newline(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

function prefixes(peer: YAMLMap, text: string): readonly Edit[] {
  const block = peer.get("ipBlock", true);
  if (!isMap(block)) return [];
  const except = block.get("except", true);
  return [block.get("cidr", true), ...(isSeq(except) ? except.items : [])].flatMap(
    (node): Edit[] => {
      if (!isScalar(node) || typeof node.value !== "string" || !node.range) return [];
      const parsed = parseCidr(node.value);
      const [start, end] = node.range;
      const written = text.slice(start, end);
      if (parsed === null || parsed.cidr === node.value || !written.includes(node.value)) return [];
      const what = `\`${node.value}\` written as \`${parsed.cidr}\``;
      return [{ start, end, text: written.replace(node.value, parsed.cidr), what }];
    },
  );
}

function repeated(
  list: YAMLSeq,
  document: Document.Parsed,
  text: string,
  what: string,
): readonly Edit[] {
  const seen = new Set<string>();
  return list.items.flatMap((item, at): Edit[] => {
    const node = item as Node;
    const words = JSON.stringify(node.toJS(document));
    if (!seen.has(words)) {
      seen.add(words);
      return [];
    }
    const place =
      list.flow === true ? inFlow(list.items[at - 1] as Node, node) : inLines(node, text);
    if (place === undefined || text.slice(place.start, place.end).includes("#")) return [];
    return [{ ...place, text: "", what: `${what} taken out` }];
  });
}

function inFlow(before: Node, node: Node): Pick<Edit, "start" | "end"> | undefined {
  return before.range && node.range ? { start: before.range[1], end: node.range[1] } : undefined;
}

/** Whole lines, if the item has them for itself. */
function inLines({ range }: Node, text: string): Pick<Edit, "start" | "end"> | undefined {
  if (!range) return undefined;
  const start = text.lastIndexOf("\n", range[0] - 1) + 1;
  if (!/^ *- +$/.test(text.slice(start, range[0]))) return undefined;
  if (text[range[1] - 1] === "\n") return { start, end: range[1] };
  const end = text.indexOf("\n", range[1]);
  return { start, end: end < 0 ? text.length : end + 1 };
}
