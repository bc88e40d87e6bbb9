/** Resource names as people type them: `Policy/shop/db`, or `Policy/db` where only one namespace has it; else "did you mean". */
import { badInput } from "./failure.ts";
import { nearest } from "./ui/spell.ts";

/** Full names, each once. Throws for the first word that is no name, or several. */
export function resolveResources(typed: readonly string[], known: readonly string[]): string[] {
  return [...new Set(typed.map((word) => resolve(word, known)))];
}

function resolve(word: string, known: readonly string[]): string {
  if (known.includes(word)) return word;
  const is = (name: string): boolean => name.toLowerCase() === word.toLowerCase();
  const whole = known.filter(is);
  const fitting = whole.length > 0 ? whole : known.filter((name) => is(withoutNamespace(name)));
  const [first, second] = fitting;
  if (first === undefined) throw unknown(word, known);
  if (second === undefined) return first;
  throw badInput(
    `\`${word}\` could be ${fitting.map((name) => `\`${name}\``).join(" or ")}`,
    "name it with its namespace",
  );
}

function unknown(word: string, known: readonly string[]): Error {
  const message = `no resource in force is called \`${word}\``;
  if (known.length === 0) return badInput(message, "none is in force: `bulkhead apply` adds some");
  const ways = [(name: string) => name, withoutNamespace, bare];
  for (const way of ways) {
    const near = nearest(word, known.map(way));
    const meant = known.find((name) => way(name) === near);
    if (meant !== undefined) return badInput(message, `did you mean \`${meant}\`?`);
  }
  const some = known.slice(0, 5).map((name) => `\`${name}\``);
  return badInput(
    message,
    `in force: ${some.join(", ")}${known.length > some.length ? ", …" : ""}`,
  );
}

/** `Policy/shop/db` → `Policy/db` */
function withoutNamespace(name: string): string {
  return name.replace(/\/.*\//, "/");
}

/** `Policy/shop/db` → `db` */
function bare(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
