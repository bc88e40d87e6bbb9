/** Whose history was recorded under another name, in words: what was seen of `default/web` speaks for `shop/web` by now. */
import type { FormerName } from "@bulkhead/model";

const NAMED = 5;

/** Nothing, or one line. */
export function formerNamesText(names: readonly FormerName[]): readonly string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, NAMED).map(({ before, now }) => `${before} is ${now}`);
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return [
    `What was recorded under another name, before an Inventory named it, counts: ${shown.join(", ")}${more}.`,
  ];
}
