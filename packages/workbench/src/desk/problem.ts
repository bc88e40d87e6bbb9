/** What is wrong with a question, for a person or a program: never thrown, for one bad question is no reason to stop. */
export interface Problem {
  readonly code:
    | "bad-query"
    | "bad-port"
    | "bad-request"
    | "unknown-end"
    | "ambiguous-end"
    | "no-common-family"
    | "selects-nothing";
  /** In lower case, with `backticks` around what was given. */
  readonly message: string;
  readonly help?: string;
}

export type Found<T> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly problem: Problem };

export function problem(
  code: Problem["code"],
  message: string,
  help?: string,
): { problem: Problem } {
  return { problem: { code, message, ...(help === undefined ? {} : { help }) } };
}
