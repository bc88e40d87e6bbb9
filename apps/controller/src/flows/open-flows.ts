/**
 * Where this controller's flows go: a file of its own, or the ClickHouse that `bulkhead up --flow-store` named. Who may write there
 * stands in a file that its owner alone can read, or in the environment; never on a command line and never in a message.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import {
  flowStoreFileSchema,
  readClickHouseAddress,
  type ClickHouseAddress,
  type FlowStoreFile,
} from "@bulkhead/api";
import { DAY_MS } from "@bulkhead/model";
import {
  isInUse,
  openClickHouseFlowStore,
  openFlowFile,
  type FlowStore,
  type OpenedFlows,
} from "@bulkhead/store";
import type { StateDirectory } from "../state-directory.ts";

export interface OpenFlowsOptions {
  readonly now: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly minFreeBytes?: number | undefined;
}

export async function openFlows(
  directory: StateDirectory,
  { now, env, minFreeBytes }: OpenFlowsOptions,
): Promise<OpenedFlows> {
  const told = toldOf(directory.flowStore, env);
  if (told !== undefined) {
    // A server takes many writers; this directory has one controller all the same.
    const lock = holdLock(directory);
    const { ca, ...address } = addressOf(told.address);
    const store = openClickHouseFlowStore({
      ...address,
      ...(ca === undefined ? {} : { ca: readFileSync(ca, "utf8") }),
      ...credentialsOf(told, env),
    });
    const close = async (): Promise<void> => {
      await store.close();
      lock.close();
    };
    return { store: keptByDays({ ...store, close }, address, now) };
  }
  try {
    return await openFlowFile(
      directory.flows,
      now(),
      minFreeBytes === undefined ? {} : { minFreeBytes },
    );
  } catch (error) {
    if (isInUse(error)) throw new Error(inUse(directory), { cause: error });
    throw error;
  }
}

const inUse = ({ root }: StateDirectory): string => `another controller uses \`${root}\``;

/** The environment goes first. */
function toldOf(path: string, env: OpenFlowsOptions["env"]): FlowStoreFile | undefined {
  const address = env["BULKHEAD_FLOW_STORE"] ?? "";
  if (address !== "") return { address };
  return existsSync(path)
    ? flowStoreFileSchema.parse(JSON.parse(readFileSync(path, "utf8")))
    : undefined;
}

function addressOf(text: string): ClickHouseAddress {
  const read = readClickHouseAddress(text);
  if ("error" in read) throw new Error(`${read.error} (${read.help})`);
  return read.address;
}

interface Credentials {
  readonly username: string;
  readonly password: string;
}

export function credentialsOf(
  { credentials: path }: Pick<FlowStoreFile, "credentials">,
  env: OpenFlowsOptions["env"],
): Credentials {
  if (path === undefined) {
    const username = env["BULKHEAD_FLOW_STORE_USER"] ?? "default";
    return { username, password: env["BULKHEAD_FLOW_STORE_PASSWORD"] ?? "" };
  }
  if ((statSync(path).mode & 0o077) !== 0)
    throw new Error(`\`${path}\` can be read by others: chmod 600 ${path}`);
  const [line = ""] = readFileSync(path, "utf8").split("\n");
  const colon = line.indexOf(":");
  if (colon < 1) throw new Error(`the first line of \`${path}\` is not \`user:password\``);
  return { username: line.slice(0, colon), password: line.slice(colon + 1).replace(/\r$/, "") };
}

/** Until this process ends, however it does. */
function holdLock(directory: StateDirectory): DatabaseSync {
  const lock = new DatabaseSync(directory.lock);
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    lock.close();
    throw new Error(inUse(directory), { cause: error });
  }
  return lock;
}

/** A server has room for what a file has none for: it forgets by age alone, and at the age that its address names. */
function keptByDays(
  store: FlowStore,
  { flowDays, edgeDays }: ClickHouseAddress,
  now: () => number,
): FlowStore {
  return {
    ...store,
    prune: ({ before, daysBefore }) =>
      store.prune({
        before: flowDays === undefined ? before : now() - flowDays * DAY_MS,
        daysBefore: edgeDays === undefined ? daysBefore : now() - edgeDays * DAY_MS,
        maxRecords: Number.MAX_SAFE_INTEGER,
      }),
  };
}
