/**
 * Calico's selector language (projectcalico/calico, `libcalico-go/lib/selector`): comparisons of labels under `&&`, `||`, `!` and
 * parentheses. Read into a tree; what it selects is worked out in `selection.ts`.
 */
import { refined, type Refined } from "../text/shape.ts";

export type Expression =
  /** An empty text counts as none wherever a selector may be left out. */
  | { readonly kind: "all"; readonly isEmpty?: true }
  | { readonly kind: "global" }
  | { readonly kind: "and" | "or"; readonly of: readonly Expression[] }
  | { readonly kind: "not"; readonly of: Expression }
  | { readonly kind: "has"; readonly key: string }
  | { readonly kind: "in"; readonly key: string; readonly values: readonly string[] }
  | {
      readonly kind: "contains" | "starts" | "ends";
      readonly key: string;
      readonly text: string;
    };

type TokenKind =
  | "("
  | ")"
  | "{"
  | "}"
  | ","
  | "&&"
  | "||"
  | "!"
  | "=="
  | "!="
  | "word"
  | "text"
  | "end";
interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

const SYMBOLS = ["&&", "||", "==", "!=", "(", ")", "{", "}", ",", "!"] as const;
const WORD = /[A-Za-z0-9_./-]+/y;
/** Of the CRDs; it keeps the depth of parentheses in bounds, too. */
const MOST_CHARACTERS = 1024;

class Mistake extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const character = text[at]!;
    // Nothing else separates words there: a line that a block scalar ends with is a mistake.
    if (character === " " || character === "\t") {
      at += 1;
      continue;
    }
    const symbol = SYMBOLS.find((one) => text.startsWith(one, at));
    if (symbol !== undefined) {
      tokens.push({ kind: symbol, text: symbol, at });
      at += symbol.length;
      continue;
    }
    if (character === '"' || character === "'") {
      const end = text.indexOf(character, at + 1);
      if (end < 0) throw new Mistake("a quote that is never closed", at);
      tokens.push({ kind: "text", text: text.slice(at + 1, end), at });
      at = end + 1;
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    if (word === undefined) {
      const shown = /\s/.test(character) ? "a line break" : `\`${character}\``;
      throw new Mistake(`${shown} means nothing here`, at);
    }
    tokens.push({ kind: "word", text: word, at });
    at += word.length;
  }
  return [...tokens, { kind: "end", text: "the end", at: text.length }];
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const found = this.#either();
    this.#take("end");
    return found;
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #take(kind: TokenKind): Token {
    const token = this.#next;
    if (token.kind !== kind) {
      const wanted =
        kind === "end" ? "`&&` or `||`" : kind === "text" ? "a quoted text" : `\`${kind}\``;
      throw new Mistake(`expected ${wanted}, found \`${token.text}\``, token.at);
    }
    this.#at += 1;
    return token;
  }

  #isNext(kind: TokenKind): boolean {
    if (this.#next.kind !== kind) return false;
    this.#at += 1;
    return true;
  }

  #either(): Expression {
    const of = [this.#all()];
    while (this.#isNext("||")) of.push(this.#all());
    return of.length === 1 ? of[0]! : { kind: "or", of };
  }

  #all(): Expression {
    const of = [this.#single()];
    while (this.#isNext("&&")) of.push(this.#single());
    return of.length === 1 ? of[0]! : { kind: "and", of };
  }

  #single(): Expression {
    let isNegated = false;
    while (this.#isNext("!")) isNegated = !isNegated;
    const found = this.#operation();
    return isNegated ? not(found) : found;
  }

  #operation(): Expression {
    if (this.#isNext("(")) {
      const inner = this.#either();
      this.#take(")");
      return inner;
    }
    const { text: key, at } = this.#take("word");
    // `has (a)` is no call there, but a label called so.
    const isCall = this.#next.kind === "(" && this.#next.at === at + key.length;
    return isCall ? this.#call(key, at) : this.#comparison(key);
  }

  #call(name: string, at: number): Expression {
    this.#take("(");
    if (name === "has") {
      const { text: key } = this.#take("word");
      this.#take(")");
      return { kind: "has", key };
    }
    this.#take(")");
    if (name === "all" || name === "global") return { kind: name };
    throw new Mistake(`unknown function \`${name}()\``, at);
  }

  #comparison(key: string): Expression {
    if (this.#isNext("==")) return { kind: "in", key, values: [this.#take("text").text] };
    if (this.#isNext("!=")) return not({ kind: "in", key, values: [this.#take("text").text] });
    const { text, at } = this.#take("word");
    switch (text) {
      case "in":
        return { kind: "in", key, values: this.#set() };
      case "not":
        this.#word("in");
        return not({ kind: "in", key, values: this.#set() });
      case "notin":
        return not({ kind: "in", key, values: this.#set() });
      case "contains":
        return { kind: "contains", key, text: this.#take("text").text };
      case "starts":
      case "ends":
        this.#word("with");
        return { kind: text, key, text: this.#take("text").text };
      case "startswith":
        return { kind: "starts", key, text: this.#take("text").text };
      case "endswith":
        return { kind: "ends", key, text: this.#take("text").text };
      default:
        throw new Mistake(`unknown comparison \`${text}\``, at);
    }
  }

  #word(wanted: string): void {
    const { text, at } = this.#take("word");
    if (text !== wanted) throw new Mistake(`expected \`${wanted}\`, found \`${text}\``, at);
  }

  #set(): readonly string[] {
    this.#take("{");
    const values: string[] = [];
    while (!this.#isNext("}")) {
      values.push(this.#take("text").text);
      if (this.#isNext(",")) continue;
      this.#take("}");
      break;
    }
    return values;
  }
}

const not = (of: Expression): Expression => ({ kind: "not", of });

/** Whether `global()` is anywhere in it. */
export const namesGlobal = (of: Expression): boolean => {
  if (of.kind === "and" || of.kind === "or") return of.of.some(namesGlobal);
  return of.kind === "not" ? namesGlobal(of.of) : of.kind === "global";
};

export const expression = refined<Expression>((text): Refined<Expression> => {
  if (text.length > MOST_CHARACTERS)
    return {
      code: "BH0201",
      error: `a selector of ${text.length} characters, where ${MOST_CHARACTERS} are the most`,
    };
  if (text === "") return { value: { kind: "all", isEmpty: true } };
  if (/^[ \t]+$/.test(text)) return { value: { kind: "all" } };
  try {
    return { value: new Parser(tokensOf(text)).whole() };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return {
      code: "BH0201",
      error: error.message,
      offset: error.at,
      help: "for example `role == 'db' && env in {'dev', 'test'} && !has(legacy)`",
    };
  }
});
