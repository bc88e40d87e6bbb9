/** The options that every verb over a folder has: how to read what Kubernetes leaves open, and how much to read. */
import type { Command } from "commander";
import { collect } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";

export interface OfflineOptions extends CommonOptions {
  readonly hostNetwork?: string;
  readonly ipBlock?: string;
  readonly limit?: readonly string[];
}

export const HOST_NETWORK = ["node", "pod"] as const;
export const IP_BLOCK = ["world", "any"] as const;

export function withOfflineOptions(command: Command): Command {
  return command
    .option(
      "--host-network <reading>",
      "pods on their node's network: node (no selector finds them) or pod (as others)",
    )
    .option(
      "--ip-block <reading>",
      "a Kubernetes ipBlock holds: world (default) or any (addresses of pods and nodes, too)",
    )
    .option(
      "--limit <name=value>",
      "how much is read: files=50000, file-size=100M, yaml-size=30M, depth=64, aliases=10000",
      collect,
    );
}
