/**
 * Patterns of domain names as Hubble's filters have them: `*` stands for any characters, dots too, also for none;
 * case and a final dot mean nothing. A match takes time in proportion to pattern and name, whoever wrote them.
 */

/** Lower case, without a final dot. */
export type DomainPattern = string & { readonly __brand: "DomainPattern" };

const MAX_LENGTH = 253;

export function parseDomainPattern(text: string): DomainPattern | null {
  const canonical = text.trim().toLowerCase().replace(/\.$/, "");
  const plain = /^[-_.*0-9a-z]+$/.test(canonical) && !canonical.endsWith(".");
  return plain && canonical.length <= MAX_LENGTH ? (canonical as DomainPattern) : null;
}

/** `name` is in lower case and without a final dot. */
export function domainMatches(pattern: DomainPattern, name: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    if (pattern[place] === "*") {
      star = place++;
      resume = at;
    } else if (pattern[place] === name[at]) {
      place++;
      at++;
    } else if (star >= 0) {
      // The last star takes one more; those before it need no second try.
      place = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[place] === "*") place++;
  return place === pattern.length;
}
