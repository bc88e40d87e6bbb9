/** A router with one workload behind it, and a container runtime that says what a test lets it say. */
import { afterAll, beforeAll } from "vitest";
import { discover, type Discovery } from "../../src/discovery/index.ts";
import { createLab, sleep, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";
import { startFakeDocker, type FakeDocker } from "./docker-api.ts";

export let lab: NetnsLab;
export let docker: FakeDocker;
export let web: LabEnd;

/** To be called once by each test file, before its tests. */
export function useDiscoveryLab(): void {
  beforeAll(async () => {
    lab = createLab();
    docker = await startFakeDocker();
    web = lab.addEnd("web");
  });
  afterAll(async () => {
    lab?.close();
    await docker?.close();
  });
}

export const look = (): Promise<Discovery> =>
  discover({ netns: lab.routerPath, containerSockets: [docker.socket] });
export async function untilLook(complete: (found: Discovery) => boolean): Promise<Discovery> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = await look();
    if (complete(found)) return found;
    await sleep(30);
  }
  throw new Error("waited in vain for a complete discovery");
}
export const names = ({ endpoints }: Discovery): string[] =>
  endpoints.map(({ discoveredName }) => discoveredName);
/** A process in a new network namespace that has no name; its id. */
export async function unshared(): Promise<{ pid: number; end(): void }> {
  const child = lab.start(lab.router, "unshare", "--net", "sh", "-c", "echo up; exec sleep 100");
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  return { pid: child.pid!, end: () => void child.kill("SIGKILL") };
}
