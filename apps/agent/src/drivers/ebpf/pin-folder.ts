/**
 * Where a driver's maps and links are pinned: one folder for each network namespace and owner, in a file system for pins. What is
 * there outlives every process; nothing here is made before somebody wants to write.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isBpffs, mountBpffs, mountsOutliveUs, pinsIn, unpin } from "../../bpf/index.ts";
import { netnsIdentity, withNetnsFile } from "../../kernel/index.ts";
import { DriverError } from "../driver-error.ts";

export interface PinFolder {
  readonly path: string;
  /** Names of what is pinned. */
  names(): readonly string[];
  /** Makes it, with the file system that it is in. Throws `DriverError`. */
  make(): void;
  /** One pin; none there is nothing to do. */
  remove(name: string): void;
  /** Takes all pins out, and the folder with them. */
  clear(): void;
  /** Has anybody, whoever it is, pins for this namespace? */
  isUsed(): boolean;
  /** Throws `DriverError` where another owner has pins for this namespace. */
  requireOwn(): void;
}

/** The file system takes no dots. */
const spell = (owner: string): string =>
  owner.replaceAll(/[^A-Za-z0-9-]/g, (c) => `_${c.codePointAt(0)?.toString(16)}`);

const OWN_NETNS = "/proc/thread-self/ns/net";

/** `root`: where the file system for pins is, or is to be. */
export const createPinFolder = (
  root: string,
  owner: string,
  netns: string = OWN_NETNS,
): PinFolder => {
  const identity = withNetnsFile(netns, netnsIdentity);
  const all = join(root, `net-${identity.slice(identity.indexOf(":") + 1)}`);
  const path = join(all, spell(owner));
  const users = (): readonly string[] =>
    existsSync(all) && isBpffs(all)
      ? readdirSync(all).filter((name) => pinsIn(join(all, name)).length > 0)
      : [];
  return {
    path,
    names: () => pinsIn(path),
    make() {
      if (!mountsOutliveUs())
        throw new DriverError(
          "unsupported",
          "pins would end with this process: it mounts in a namespace of its own",
        );
      mountBpffs(root);
      mkdirSync(path, { recursive: true, mode: 0o700 });
    },
    remove: (name) => void unpin(join(path, name)),
    clear() {
      for (const name of pinsIn(path)) unpin(join(path, name));
      if (isBpffs(path)) rmSync(path, { recursive: true });
      if (isBpffs(all) && readdirSync(all).length === 0) rmSync(all, { recursive: true });
    },
    isUsed: () => users().length > 0,
    requireOwn() {
      const other = users().find((name) => name !== spell(owner));
      if (other === undefined) return;
      throw new DriverError(
        "owned-by-another",
        `what is pinned in ${join(all, other)} belongs to another agent; it is left alone`,
      );
    },
  };
};
