/**
 * Kernels that do not do what they are asked, played by a stand-in for nft: it changes what is loaded, and changes the
 * listing back, so that only packets can tell.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface StandIn {
  /** sed programs over what is loaded, and over what is listed. */
  readonly load?: string;
  readonly list?: string;
  /** Loaded before everything else. */
  readonly also?: string;
}

export interface Played {
  readonly folder: string;
  end(): void;
}

/** Puts it in front of the PATH of this process and its children, until `end`. */
export function play({ load = "", list = "", also = "" }: StandIn): Played {
  const nft = execFileSync("sh", ["-c", "command -v nft"], { encoding: "utf8" }).trim();
  const folder = mkdtempSync(join(tmpdir(), "bbo-nft-"));
  const path = process.env["PATH"];
  const program = join(folder, "nft");
  writeFileSync(
    program,
    `#!/bin/sh
case "$1" in
--version) exec ${nft} "$@" ;;
-f) { printf '%s\\n' '${also}'; sed -e '${load}'; } | exec ${nft} -f - ;;
*) out=$(${nft} "$@") || exit; printf '%s\\n' "$out" | sed -e '${list}' ;;
esac
`,
  );
  chmodSync(program, 0o755);
  process.env["PATH"] = `${folder}:${path}`;
  return {
    folder,
    end() {
      process.env["PATH"] = path;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Its drops let everything through that is not very much. */
export const DROPS_NOTHING: StandIn = {
  load: "s/ drop$/ limit rate over 1000000\\/second drop/",
  list: "s/limit rate over 1000000\\/second drop/drop/",
};
/** It passes nothing on, whatever the rules say. */
export const PASSES_NOTHING: StandIn = {
  also: "table inet other { chain c { type filter hook forward priority 5; policy drop; }; }",
};
/** It forgets nothing on time. */
export const FORGETS_NOTHING: StandIn = {
  load: "s/ timeout [0-9a-z]*\\( : \\| comment\\|,\\| }\\)/\\1/g",
};
/** It checks no sender. */
export const BELIEVES_SENDERS: StandIn = {
  load: "s/^\\(add rule netdev .*\\) goto spoofed$/\\1 limit rate over 1000000\\/second goto spoofed/",
  list: "s/limit rate over 1000000\\/second goto spoofed/goto spoofed/",
};
