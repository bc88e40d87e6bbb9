/** The commit that a policy file is from, as people read it. */
import type { FileOrigin } from "@bulkhead/model";

const SHORT = 12;

/** `0123456789ab shop.yaml, changed since` */
export function commitText({ commit, path, changed }: FileOrigin): string {
  return `${commit.slice(0, SHORT)} ${path}${changed ? ", changed since" : ""}`;
}

/** Behind a file's name. Empty where it is not from git. */
export function originText(origin: FileOrigin | undefined): string {
  return origin === undefined ? "" : ` (commit ${commitText(origin)})`;
}
