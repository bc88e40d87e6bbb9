/**
 * Workload names as people type them: `shop/web`, `web` where only one namespace has it, `nginx` where only `nginx.service` can be
 * meant; else "did you mean".
 */
import { isShortFor, type Labels } from "@bulkhead/model";
import { badInput } from "./failure.ts";
import { nearest } from "./ui/spell.ts";

/** Names that are no workloads but ends all the same. */
const OTHER_ENDS = ["host", "world", "broadcast", "multicast"];
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:.]*:[0-9a-f:.]*)$/i;

export interface NameOptions {
  /** A unit's name has to be whole, since what is asked for changes something. */
  readonly exact?: boolean;
  readonly labelsOf?: (name: string) => Labels | undefined;
}

/** `known` are full names, each once. Addresses and the reserved ends are taken as they are. */
export function resolveName(
  typed: string,
  known: readonly string[],
  { exact = false, labelsOf }: NameOptions = {},
): string {
  if (known.includes(typed) || OTHER_ENDS.includes(typed) || ADDRESS.test(typed)) return typed;
  const short = known.filter((name) => withoutNamespace(name) === typed);
  if (short.length === 1) return short[0] ?? typed;
  if (short.length > 1) {
    throw badInput(
      `\`${typed}\` could be ${short.map((name) => `\`${name}\``).join(" or ")}`,
      "name it with its namespace",
    );
  }
  const units = known.filter((name) => isShortFor(typed, name, labelsOf?.(name)));
  if (units.length === 1 && !exact) return units[0] ?? typed;
  if (units.length > 0) {
    throw badInput(
      `no workload is called \`${typed}\``,
      `did you mean ${units.map((name) => `\`${name}\``).join(" or ")}?`,
    );
  }
  const candidates = typed.includes("/") ? known : known.map(withoutNamespace);
  const near = nearest(typed, [...candidates, ...OTHER_ENDS]);
  throw badInput(
    `no workload is called \`${typed}\``,
    near === undefined ? "`bulkhead workloads` lists them" : `did you mean \`${near}\`?`,
  );
}

function withoutNamespace(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
