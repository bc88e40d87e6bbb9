/** Where a text of ours says which ports a rule permits, and what would stand there instead. */
import { formatPorts, isEmptyPorts } from "@bulkhead/model";
import { newFirst, type Edit } from "../lint/fix-places.ts";
import { listEdit, valueOf, type FindMap } from "./list-edit.ts";
import type { PortsHeld } from "./port-use.ts";

export type PortsEdit =
  | { readonly kind: "edit"; readonly edit: Edit; readonly ports: readonly string[] }
  /** One clause: why the text cannot be edited. */
  | { readonly kind: "left"; readonly why: string };

/** More ports one by one are no rule that a person reads. */
const MOST = 32;

/** `maps`: of this text. `at`: the offset of the rule. `kept`: what it is to permit. */
export function portsEdit(
  text: string,
  maps: FindMap,
  at: number,
  { numbers, names }: PortsHeld,
): PortsEdit {
  const left = (why: string): PortsEdit => ({ kind: "left", why });
  const ports = [...(isEmptyPorts(numbers) ? [] : formatPorts(numbers).split(", ")), ...names];
  if (ports.length > MOST) return left(`it was used on ${ports.length} separate ports`);
  const rule = maps(at);
  if (rule === undefined) return left("its place in the text is not known");
  const what = `only ${ports.join(", ")}`;
  const list = valueOf(rule, "ports");
  if (list === undefined) {
    const [edit] = newFirst(rule, `ports: [${ports.join(", ")}]`, text, what);
    return edit === undefined
      ? left("the layout of its text is not known")
      : { kind: "edit", edit, ports };
  }
  const edit = listEdit(list, ports, text, what, "its ports");
  return typeof edit === "string" ? left(edit) : { kind: "edit", edit, ports };
}
