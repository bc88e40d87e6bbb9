/** The comments of a suggestion's text, each by the resource that it stands above: the evidence goes where the rules go. */
import { parse } from "yaml";

export interface SuggestionComments {
  /** What the file is. */
  readonly head: readonly string[];
  /** By resource, `Intent/shop/web-to-db`. */
  readonly above: ReadonlyMap<string, readonly string[]>;
  /** What was set aside. */
  readonly tail: readonly string[];
}

const isComment = (line: string): boolean => line.startsWith("#");

export function commentsIn(text: string): SuggestionComments {
  const [first = "", ...documents] = text.split(/^---\n/m);
  const above = new Map<string, readonly string[]>();
  let tail: readonly string[] = [];
  for (const document of documents) {
    const lines = document.replace(/\n$/, "").split("\n");
    const start = lines.findIndex((line) => !isComment(line));
    const end = lines.findLastIndex((line) => !isComment(line)) + 1;
    const read: unknown = parse(document);
    const id = isResource(read) ? idOf(read) : undefined;
    if (id !== undefined) above.set(id, lines.slice(0, start));
    tail = lines.slice(end);
  }
  return { head: first.split("\n").filter(isComment), above, tail };
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const isResource = (value: unknown): value is Resource =>
  typeof value === "object" && value !== null && "kind" in value && "metadata" in value;

const idOf = ({ kind, metadata }: Resource): string =>
  [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join("/");
