/**
 * JSON text to the tree that YAML becomes, for files of the size that `kubectl get -o json` writes: a fifth of the time and
 * memory. What is not plain JSON, or breaks a rule of ours, is nothing here: the reader of YAML has the words for it.
 */
import type { ListNode, MapEntry, MapNode, ScalarNode, TreeNode } from "./document.ts";

const WHITE = /[ \t\r\n]*/y;
/** Without escapes and control characters; what has any takes the longer way. */
const PLAIN_STRING = /"([^"\\\p{Cc}]*)"/uy;
const STRING = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = [
  ["true", true],
  ["false", false],
  ["null", null],
] as const;

/** Null: not JSON, or nested deeper than `maxDepth`, or a key twice in one object, or YAML's merge key. */
export const parseJson = (text: string, maxDepth: number): TreeNode | null => {
  const reader = new JsonReader(text, maxDepth);
  const tree = reader.value(0);
  return tree !== null && reader.isAtEnd() ? tree : null;
};

class JsonReader {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  isAtEnd(): boolean {
    this.#skipWhite();
    return this.#at === this.#text.length;
  }

  value(depth: number): TreeNode | null {
    if (depth > this.#maxDepth) return null;
    this.#skipWhite();
    const start = this.#at;
    switch (this.#text[start]) {
      case "{":
        return this.#map(start, depth);
      case "[":
        return this.#list(start, depth);
      case '"':
        return this.#string();
      default:
        return this.#word(start) ?? this.#number(start);
    }
  }

  #skipWhite(): void {
    WHITE.lastIndex = this.#at;
    WHITE.test(this.#text);
    this.#at = WHITE.lastIndex;
  }

  /** Past the character, if it is there, and any white before it. */
  #take(character: string): boolean {
    this.#skipWhite();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #map(start: number, depth: number): MapNode | null {
    this.#at += 1;
    const entries: MapEntry[] = [];
    const keys = new Set<string>();
    if (this.#take("}")) return { kind: "map", start, end: this.#at, entries };
    do {
      this.#skipWhite();
      if (this.#text[this.#at] !== '"') return null;
      const key = this.#string();
      if (key === null || typeof key.value !== "string") return null;
      if (keys.has(key.value) || key.value === "<<") return null;
      keys.add(key.value);
      if (!this.#take(":")) return null;
      const value = this.value(depth + 1);
      if (value === null) return null;
      entries.push({ key: key.value, keyExtent: { start: key.start, end: key.end }, value });
    } while (this.#take(","));
    return this.#take("}") ? { kind: "map", start, end: this.#at, entries } : null;
  }

  #list(start: number, depth: number): ListNode | null {
    this.#at += 1;
    const items: TreeNode[] = [];
    if (this.#take("]")) return { kind: "list", start, end: this.#at, items };
    do {
      const value = this.value(depth + 1);
      if (value === null) return null;
      items.push(value);
    } while (this.#take(","));
    return this.#take("]") ? { kind: "list", start, end: this.#at, items } : null;
  }

  #string(): ScalarNode | null {
    const start = this.#at;
    PLAIN_STRING.lastIndex = start;
    const plain = PLAIN_STRING.exec(this.#text)?.[1];
    if (plain !== undefined) {
      const end = (this.#at = PLAIN_STRING.lastIndex);
      return scalar(start, end, plain, plain, 1);
    }
    STRING.lastIndex = start;
    const quoted = STRING.exec(this.#text)?.[0];
    if (quoted === undefined) return null;
    const end = (this.#at = STRING.lastIndex);
    const value: unknown = JSON.parse(quoted);
    return typeof value === "string" ? scalar(start, end, value, value, 0) : null;
  }

  #word(start: number): ScalarNode | null {
    const found = WORDS.find(([word]) => this.#text.startsWith(word, start));
    if (found === undefined) return null;
    const [word, value] = found;
    this.#at = start + word.length;
    return scalar(start, this.#at, value, word, 0);
  }

  #number(start: number): ScalarNode | null {
    NUMBER.lastIndex = start;
    const word = NUMBER.exec(this.#text)?.[0];
    if (word === undefined) return null;
    this.#at = NUMBER.lastIndex;
    return scalar(start, this.#at, Number(word), word, 0);
  }
}

const scalar = (
  start: number,
  end: number,
  value: ScalarNode["value"],
  text: string,
  quotes: number,
): ScalarNode => ({
  kind: "scalar",
  start,
  end,
  value,
  text,
  verbatim: end - start === text.length + quotes * 2,
  textStart: start + quotes,
});
