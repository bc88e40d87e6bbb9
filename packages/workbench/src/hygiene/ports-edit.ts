/**
 * Where a text of ours says which ports a rule permits, and what would stand there instead. Comments, anchors and layouts that
 * are not known are left alone, and it is told why.
 */
import { isMap, isScalar, isSeq, parseAllDocuments, visit, type YAMLMap } from "yaml";
import { formatPortMatch, formatPorts, type PortMatch, type PortSet } from "@bulkhead/model";
import { newFirst, newline, type Edit } from "../lint/fix-places.ts";

export type PortsEdit =
  | { readonly kind: "edit"; readonly edit: Edit; readonly ports: readonly string[] }
  /** One clause: why the text cannot be edited. */
  | { readonly kind: "left"; readonly why: string };

/** More ports one by one are no rule that a person reads. */
const MOST = 32;

/** `at`: the offset of the rule. `kept`: what it is to permit by number; what it permits by name stays. */
export function portsEdit(
  text: string,
  at: number,
  was: readonly PortMatch[],
  kept: PortSet,
): PortsEdit {
  const left = (why: string): PortsEdit => ({ kind: "left", why });
  const names = was.filter(({ kind }) => kind === "named").flatMap(formatPortMatch);
  const ports = [...formatPorts(kept).split(", "), ...names];
  if (ports.length > MOST) return left(`it was used on ${ports.length} separate ports`);
  const rule = mapAt(text, at);
  if (rule === undefined) return left("its place in the text is not known");
  const what = `only ${ports.join(", ")}`;
  const pair = rule.items.find(({ key }) => isScalar(key) && key.value === "ports");
  if (pair === undefined) {
    const [edit] = newFirst(rule, `ports: [${ports.join(", ")}]`, text, what);
    return edit === undefined
      ? left("the layout of its text is not known")
      : { kind: "edit", edit, ports };
  }
  const list = pair.value;
  if (!isSeq(list) || !list.range) return left("its ports stand elsewhere in the text");
  const start = list.range[0];
  const last = list.items.at(-1);
  if (!isScalar(last) || !last.range) return left("its ports stand elsewhere in the text");
  const end = list.flow === true ? list.range[1] : last.range[1];
  const written = text.slice(start, end);
  if (/[#&*]/.test(written)) return left("a comment or an anchor stands among its ports");
  const column = start - (text.lastIndexOf("\n", start - 1) + 1);
  const between = `${newline(text)}${" ".repeat(column)}- `;
  const now = list.flow === true ? `[${ports.join(", ")}]` : `- ${ports.join(between)}`;
  return { kind: "edit", edit: { start, end, text: now, what }, ports };
}

function mapAt(text: string, at: number): YAMLMap | undefined {
  let found: YAMLMap | undefined;
  const documents = parseAllDocuments(text, {
    prettyErrors: false,
    version: "1.2",
    schema: "core",
    merge: false,
  });
  if (!Array.isArray(documents)) return undefined;
  for (const document of documents) {
    visit(document, {
      Map(_key, node) {
        if (!isMap(node) || node.range?.[0] !== at) return undefined;
        found = node;
        return visit.BREAK;
      },
    });
  }
  return found;
}
