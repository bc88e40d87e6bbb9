/** Discovery of many, and of those that come and go: nobody is missed, and whoever is new is seen at once. */
import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { discover, watchEndpoints, type Discovery, type Watch } from "../../src/discovery/index.ts";
import { createLab, sleep, until } from "../kernel/netns-lab.ts";
import { docker, lab, look, names, unshared, useDiscoveryLab, web } from "./discovery-lab.ts";

useDiscoveryLab();

describe("many and moving", () => {
  test("fifty namespaces take less than 300 ms", async () => {
    const many = createLab();
    const ends = Array.from(
      { length: 50 },
      (_, index) => `${many.prefix}-n${String(index).padStart(2, "0")}`,
    );
    try {
      execFileSync("ip", ["-batch", "-"], {
        input: ends
          .map(
            (netns, index) =>
              `netns add ${netns}\nlink add w${index} netns ${many.router} type veth peer name eth0 netns ${netns}\n`,
          )
          .join(""),
      });
      await discover({ netns: many.routerPath, containerSockets: [] });
      const begun = performance.now();
      const found = await discover({ netns: many.routerPath, containerSockets: [] });
      const took = performance.now() - begun;
      expect(names(found)).toEqual(ends.map((netns) => `netns:${netns}`));
      expect(took).toBeLessThan(300);
    } finally {
      execFileSync("ip", ["-batch", "-"], {
        input: ends.map((netns) => `netns delete ${netns}\n`).join(""),
      });
      many.close();
    }
  });

  test("namespaces that come and go during scans do no harm", async () => {
    const churn = lab.start(
      lab.router,
      "sh",
      "-c",
      `i=0; while [ $i -lt 25 ]; do i=$((i+1)); ip netns add ${lab.prefix}-churn; ip link add vz type veth peer name eth0 netns ${lab.prefix}-churn; ip netns delete ${lab.prefix}-churn; done 2>/dev/null`,
    );
    const seen = new Set<string>();
    let scans = 0;
    while (churn.exitCode === null) {
      for (const name of names(await look())) seen.add(name);
      scans++;
      await sleep(1);
    }
    expect(scans).toBeGreaterThan(10);
    expect(seen).toContain(`netns:${web.netns}`);
    expect(
      [...seen].filter(
        (name) => ![`netns:${web.netns}`, `netns:${lab.prefix}-churn`, "netns:@vz"].includes(name),
      ),
    ).toEqual([]);
    expect(names(await look())).toEqual([`netns:${web.netns}`]);
  });
});

describe("watching", () => {
  let watch: Watch | undefined;
  const seen: { at: number; discovery: Discovery }[] = [];
  const problems: string[] = [];
  afterEach(() => {
    watch?.stop();
    watch = undefined;
    seen.length = 0;
    problems.length = 0;
  });

  async function begin(): Promise<void> {
    watch = watchEndpoints((discovery) => void seen.push({ at: Date.now(), discovery }), {
      netns: lab.routerPath,
      containerSockets: [docker.socket],
      // Only events may bring news in these tests.
      rescanMs: 3_600_000,
      onProblem: (problem) => void problems.push(problem),
    });
    await until("the first discovery", () => seen.length > 0);
    await until("the runtime's event stream", () => docker.listeners > 0);
  }

  /** Does something, and measures until a discovery shows it. */
  async function latency(
    change: () => void,
    shows: (discovery: Discovery) => boolean,
  ): Promise<number> {
    change();
    const done = Date.now();
    const found = await until("the change", () => seen.find(({ discovery }) => shows(discovery)));
    return found.at - done;
  }

  test("an address inside a workload, added and removed, is seen within 500 ms", async () => {
    await begin();
    const has = ({ endpoints }: Discovery) =>
      endpoints.some(({ addresses }) => addresses.includes("10.77.1.99"));
    expect(
      await latency(
        () => lab.run(web.netns, "ip", "address", "add", "10.77.1.99/24", "dev", "eth0"),
        has,
      ),
    ).toBeLessThan(500);
    seen.length = 0;
    expect(
      await latency(
        () => lab.run(web.netns, "ip", "address", "delete", "10.77.1.99/24", "dev", "eth0"),
        (discovery) => !has(discovery),
      ),
    ).toBeLessThan(500);
  });

  test("a workload that comes and goes is seen within 500 ms", async () => {
    await begin();
    const netns = lab.addNetns("late");
    const has = (discovery: Discovery) => names(discovery).includes(`netns:${netns}`);
    const attach = () => lab.link("vl", { netns, device: "eth0" });
    expect(await latency(attach, has)).toBeLessThan(500);
    seen.length = 0;
    expect(
      await latency(
        () => lab.run(lab.router, "ip", "link", "delete", "vl"),
        (discovery) => !has(discovery),
      ),
    ).toBeLessThan(500);
  });

  test("a name given later is seen within 500 ms", async () => {
    const process = await unshared();
    const netns = `${lab.prefix}-named`;
    try {
      lab.link("vo", { netns: process.pid, device: "eth0" });
      await begin();
      expect(
        await latency(
          () => execFileSync("ip", ["netns", "attach", netns, String(process.pid)]),
          (discovery) => names(discovery).includes(`netns:${netns}`),
        ),
      ).toBeLessThan(500);
    } finally {
      execFileSync("ip", ["netns", "delete", netns]);
      process.end();
      await sleep(100);
    }
  });

  test("the container runtime's events bring a scan", async () => {
    const process = await unshared();
    try {
      lab.link("vp", { netns: process.pid, device: "eth0" });
      await begin();
      docker.containers = [
        {
          id: "a",
          name: "late",
          image: "i",
          labels: {},
          pid: process.pid,
          created: "2026-01-01T00:00:00Z",
        },
      ];
      expect(
        await latency(
          () => docker.event(),
          (discovery) => names(discovery).includes("container:late"),
        ),
      ).toBeLessThan(500);
    } finally {
      docker.containers = [];
      process.end();
      await sleep(100);
    }
  });

  test("nothing new is not told, and after stop nothing is", async () => {
    await begin();
    const before = seen.length;
    await watch!.rescan();
    expect(seen.length).toBe(before);
    watch!.stop();
    lab.run(web.netns, "ip", "address", "add", "10.77.1.98/24", "dev", "eth0");
    await sleep(300);
    expect(seen.length).toBe(before);
    lab.run(web.netns, "ip", "address", "delete", "10.77.1.98/24", "dev", "eth0");
    expect(problems).toEqual([]);
  });

  test("an unreachable namespace is told as a problem, and the watch lives on", async () => {
    await begin();
    docker.answer = { status: 500, body: "" };
    await watch!.rescan();
    expect(seen.at(-1)?.discovery.problems).toHaveLength(1);
    docker.answer = null;
    await watch!.rescan();
    expect(seen.at(-1)?.discovery.problems).toEqual([]);
  });
});
