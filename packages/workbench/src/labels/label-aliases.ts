/**
 * Two words for one thing: `prod` and `production`, `orders-db` and `orders-database`, `chckt` and `checkout`. A table has what
 * the field abbreviates by habit; whatever lacks all its vowels is told from the word it stands for by rule, and in labels
 * that name an environment, whose words are few, a beginning tells as much.
 */

/** The first of each is the word, the others stand for it. */
const ALIASES: readonly (readonly [string, ...string[]])[] = [
  ["production", "prod", "prd"],
  ["preproduction", "preprod", "preprd"],
  ["development", "dev", "devel", "develop"],
  ["staging", "stage", "stg"],
  ["testing", "test", "tst"],
  ["acceptance", "acc", "accp"],
  ["integration", "int", "intg"],
  ["sandbox", "sbx"],
  ["environment", "env"],
  ["application", "app"],
  ["component", "comp"],
  ["version", "ver"],
  ["database", "db", "databases"],
  ["postgresql", "postgres", "pgsql"],
  ["mongodb", "mongo"],
  ["elasticsearch", "elastic"],
  ["memcached", "memcache"],
  ["frontend", "fe", "front"],
  ["backend", "be", "back"],
  ["middleware", "mw"],
  ["loadbalancer", "lb"],
  ["gateway", "gw"],
  ["service", "svc", "services"],
  ["server", "srv"],
  ["infrastructure", "infra"],
  ["kubernetes", "k8s"],
  ["configuration", "config", "cfg", "conf"],
  ["authentication", "authn"],
  ["authorization", "authz", "authorisation"],
  ["management", "mgmt", "mgt"],
  ["administration", "admin"],
  ["monitoring", "mon", "monitor"],
  ["notification", "notif", "notifications"],
  ["repository", "repo"],
  ["message", "msg"],
  ["internal", "intl"],
  ["external", "ext"],
];

const WORD_OF: ReadonlyMap<string, string> = new Map(
  ALIASES.flatMap(([word, ...others]) => [word, ...others].map((one) => [one, word] as const)),
);

/** Labels whose words are few, and of which none is the beginning of another but as its abbreviation. */
const ENVIRONMENT_KEY = /(?:^|[/._-])(?:env|environment|stage|landscape|lifecycle)$/i;

export const isEnvironmentKey = (key: string): boolean => ENVIRONMENT_KEY.test(key);

/** Neither is the other in another spelling: that is a slip, and not told here. `key`: under which both stand; absent: they are keys. */
export function areAliases(a: string, b: string, key?: string): boolean {
  const [left, right] = [wordsOf(a), wordsOf(b)];
  if (left.length !== right.length) return oneWord(left) === oneWord(right) && a !== b;
  const differing = left.flatMap((word, at) =>
    word === right[at] ? [] : [[word, right[at] ?? ""] as const],
  );
  return (
    differing.length > 0 &&
    differing.every(
      ([one, other]) =>
        wordOf(one) === wordOf(other) ||
        isWithoutVowels(one, other) ||
        isWithoutVowels(other, one) ||
        (key !== undefined && isEnvironmentKey(key) && isBeginning(one, other)),
    )
  );
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().split(/[-_./\s]+/);

const wordOf = (word: string): string => WORD_OF.get(word) ?? word;

/** `front-end` and `frontend`. */
const oneWord = (words: readonly string[]): string => wordOf(words.join(""));

const VOWELS = /[aeiou]/g;
const LEAST_LETTERS = 3;
const LEAST_MISSING = 2;

/** `chckt` of `checkout`, `pymnts` of `payments`: the word without its vowels, and what its beginning is without them. */
function isWithoutVowels(short: string, long: string): boolean {
  if (short.length < LEAST_LETTERS || long.length - short.length < LEAST_MISSING) return false;
  if (/[^a-z]/.test(short) || short.slice(1).search(VOWELS) >= 0) return false;
  const bare = `${long.slice(0, 1)}${long.slice(1).replaceAll(VOWELS, "")}`;
  return bare === short || (short.length > LEAST_LETTERS && bare.startsWith(short));
}

/** `dev` of `devel`, whichever is shorter. */
function isBeginning(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return (
    short.length >= LEAST_LETTERS &&
    long.length - short.length >= LEAST_MISSING &&
    /^[a-z]+$/.test(long) &&
    long.startsWith(short)
  );
}
