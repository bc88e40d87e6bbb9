/** Workload names as people type them: `shop/web`, or `web` where only one namespace has it; else "did you mean". */
import { badInput } from "./failure.ts";
import { nearest } from "./ui/spell.ts";

/** Names that are no workloads but ends all the same. */
const OTHER_ENDS = ["host", "world", "broadcast", "multicast"];
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:.]*:[0-9a-f:.]*)$/i;

/** `known` are full names. Addresses and the reserved ends are taken as they are. */
export function resolveName(typed: string, known: readonly string[]): string {
  if (known.includes(typed) || OTHER_ENDS.includes(typed) || ADDRESS.test(typed)) return typed;
  const short = known.filter((name) => name.slice(name.indexOf("/") + 1) === typed);
  if (short.length === 1) return short[0] ?? typed;
  if (short.length > 1) {
    throw badInput(
      `\`${typed}\` could be ${short.map((name) => `\`${name}\``).join(" or ")}`,
      "name it with its namespace",
    );
  }
  const candidates = typed.includes("/")
    ? known
    : known.map((name) => name.slice(name.indexOf("/") + 1));
  const near = nearest(typed, [...candidates, ...OTHER_ENDS]);
  throw badInput(
    `no workload is called \`${typed}\``,
    near === undefined ? "`bulkhead workloads` lists them" : `did you mean \`${near}\`?`,
  );
}
