/** Where the text of a policy file came from, when it came from a git work tree: what a person can look up. */
export interface FileOrigin {
  /** The last commit that touched the file, in full, as it was when the file was given. */
  readonly commit: string;
  /** From the root of the repository, with `/`. */
  readonly path: string;
  /** The text that was given is not the one of that commit. */
  readonly changed: boolean;
}

export function sameOrigin(a: FileOrigin | undefined, b: FileOrigin | undefined): boolean {
  return a?.commit === b?.commit && a?.path === b?.path && a?.changed === b?.changed;
}
