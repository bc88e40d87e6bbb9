/** Where flows go: what `up` was told of it, kept in the state directory, so that it outlives a restart of the machine. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { flowStoreFileSchema, readClickHouseAddress, type FlowStoreFile } from "@bulkhead/api";
import { badInput } from "../failure.ts";
import type { Layout } from "./layout.ts";

const LOCAL = "local";

export interface FlowStoreOptions {
  readonly flowStore?: string;
  readonly flowStoreCredentials?: string;
}

/** What was said on the command line; `local` takes back what was said before. Undefined: nothing was. */
export function flowStoreOf({
  flowStore,
  flowStoreCredentials,
}: FlowStoreOptions): FlowStoreFile | typeof LOCAL | undefined {
  if (flowStore === undefined) {
    if (flowStoreCredentials === undefined) return undefined;
    throw badInput("`--flow-store-credentials` are for a `--flow-store`", "name that, too");
  }
  if (flowStore === LOCAL) return LOCAL;
  const read = readClickHouseAddress(flowStore);
  if ("error" in read) throw badInput(read.error, read.help);
  if (flowStoreCredentials === undefined) return { address: flowStore };
  const credentials = resolve(flowStoreCredentials);
  if (!existsSync(credentials)) {
    throw badInput(`there is no \`${credentials}\``, "a file with `user:password`, for root alone");
  }
  return { address: flowStore, credentials };
}

/** True when it is another than before. */
export function keepFlowStore(
  { flowStore: path }: Layout,
  told: ReturnType<typeof flowStoreOf>,
): boolean {
  if (told === undefined) return false;
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const text = told === LOCAL ? "" : `${JSON.stringify(flowStoreFileSchema.parse(told))}\n`;
  if (text === before) return false;
  if (text === "") rmSync(path, { force: true });
  else writeFileSync(path, text, { mode: 0o600 });
  return true;
}
