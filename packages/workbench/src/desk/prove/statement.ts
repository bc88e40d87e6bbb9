/** What is to be proved, as a person writes it: `no path from 'env=dev' to 'app=db'`, `isolated 'tenant=a' 'tenant=b'`, … */
import { problem, type Found } from "../problem.ts";

export type Statement =
  | { readonly kind: "no-path"; readonly from: string; readonly to: string }
  /** Neither reaches the other. */
  | { readonly kind: "isolated"; readonly one: string; readonly other: string }
  /** Either permits what the other does. */
  | { readonly kind: "equivalent-to"; readonly folder: string }
  /** The other folder permits everything that this one does, and perhaps more. */
  | { readonly kind: "implies"; readonly folder: string };

export const STATEMENTS =
  "no path from 'env=dev' to 'app=db' · isolated 'tenant=a' 'tenant=b' · equivalent-to DIR2 · implies DIR2";

const TERM = String.raw`('[^']*'|"[^"]*"|.+?)`;
const NO_PATH = new RegExp(`^no path from ${TERM} to ${TERM}$`);
const ISOLATED = new RegExp(`^isolated ${TERM} (?:from |and )?('[^']*'|"[^"]*"|\\S+)$`);
const FOLDER = /^(equivalent-to|equivalent to|implies) (.+)$/;

export function parseStatement(text: string): Found<Statement> {
  const plain = text.trim().replaceAll(/\s+/g, " ");
  const [, from, to] = NO_PATH.exec(plain) ?? [];
  if (from !== undefined && to !== undefined) {
    return { value: { kind: "no-path", from: unquoted(from), to: unquoted(to) } };
  }
  const [, one, other] = ISOLATED.exec(plain) ?? [];
  if (one !== undefined && other !== undefined) {
    return { value: { kind: "isolated", one: unquoted(one), other: unquoted(other) } };
  }
  const [, word, folder] = FOLDER.exec(text.trim()) ?? [];
  if (word !== undefined && folder !== undefined) {
    const kind = word === "implies" ? "implies" : "equivalent-to";
    return { value: { kind, folder: unquoted(folder) } };
  }
  return problem("bad-query", `\`${text}\` is nothing that could be proved`, STATEMENTS);
}

function unquoted(text: string): string {
  return /^(['"]).*\1$/.test(text) ? text.slice(1, -1) : text;
}
