/** Which control groups are kept for services that do not run, and what of them is ours to remove. Folders stand in for the kernel's. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConfinedProcess, HostPolicy, Mode } from "@bulkhead/model";
import { createKeptGroups, keepingGroups, keptGroups } from "../../src/drivers/index.ts";
import { MOST_KEPT, type KeptGroups } from "../../src/drivers/kept-groups.ts";

const NONE = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
const process = (cgroup: string, mode: Mode = "observe"): ConfinedProcess => ({
  workload: `host${cgroup}`,
  cgroup,
  handle: "00000000",
  mode,
});
const policyOf = (managed: readonly string[], ...processes: ConfinedProcess[]): HostPolicy => ({
  revision: 1,
  endpoints: [],
  hostAddresses: [],
  processes,
  managed,
  live: NONE,
  shadow: NONE,
  rows: [],
  profile: { nodeExempt: true, hairpinExempt: true },
});
const FEED = "/system.slice/feed.service";
const beside = policyOf(["/system.slice"], process(FEED));
const away = policyOf([]);

describe("kept are", () => {
  it("services that are enforced, and all beside them", () => {
    const here = process("/system.slice/nginx.service", "enforce");
    const below = process("/system.slice/system-shop.slice/shop@eu.service");
    const elsewhere = process("/other.slice/idle.service");
    expect(keptGroups(policyOf(["/system.slice"], below, elsewhere, here))).toEqual([
      here.cgroup,
      below.cgroup,
    ]);
    expect(keptGroups(policyOf([], below, elsewhere, here))).toEqual([here.cgroup]);
  });

  it.each([
    "/user.slice/user-1000.slice",
    "/user.slice/user-1000.slice/user@1000.service",
    "/system.slice/run-r1234.service",
    "/system.slice/ask@7-1000-0.service",
    "/system.slice/docker-0123.scope",
    "/system.slice/lent.service/inner.service",
    "/lonely.service",
  ])("not %s", (path) => {
    const slice = `/${path.split("/")[1]}`;
    expect(keptGroups(policyOf([slice], process(path)))).toEqual([]);
  });

  it("so many, those that are enforced first", () => {
    const many = Array.from({ length: MOST_KEPT }, (_, at) =>
      process(`/system.slice/${at}.service`),
    );
    const last = process("/system.slice/z.service", "enforce");
    const kept = keptGroups(policyOf(["/system.slice"], ...many, last));
    expect([kept.length, kept[0]]).toEqual([MOST_KEPT, last.cgroup]);
  });
});

describe("a group that is kept", () => {
  let mount: string;
  const folder = (path = FEED): string => join(mount, path);
  /** Instead of mounts. */
  const held = new Set<string>();
  const holds = {
    held: () => held,
    hold: (path: string) => void held.add(path),
    release: (path: string) => void held.delete(path),
  };
  const groups = (boot = "one"): KeptGroups =>
    createKeptGroups({
      file: join(mount, "note"),
      onProblem: (problem) => {
        throw new Error(problem);
      },
      mount,
      boot,
      holds,
    });
  beforeEach(() => {
    held.clear();
    mount = mkdtempSync(join(tmpdir(), "bhk-"));
    mkdirSync(join(mount, "system.slice"));
  });
  afterEach(() => {
    rmSync(mount, { recursive: true, force: true });
  });

  it("is there before its service, again when systemd took it away, and not longer than needed", () => {
    const kept = groups();
    kept.keep(beside);
    expect(statSync(folder()).mode & 0o777).toBe(0o755);
    rmdirSync(folder());
    kept.renew();
    expect(existsSync(folder())).toBe(true);
    kept.keep(away);
    kept.letGo();
    expect(existsSync(folder())).toBe(false);
  });

  it("comes with its slice, and goes with it", () => {
    const path = "/system.slice/system-shop.slice/shop@eu.service";
    const kept = groups();
    kept.keep(policyOf(["/system.slice"], process(path)));
    expect(existsSync(folder(path))).toBe(true);
    kept.keep(away);
    kept.letGo();
    expect([
      existsSync(folder("/system.slice/system-shop.slice")),
      existsSync(folder("/system.slice")),
    ]).toEqual([false, true]);
  });

  it("goes when another agent, or none, finds it needless", () => {
    groups().keep(beside);
    groups().letGo();
    expect(existsSync(folder())).toBe(false);
  });

  it("stays when it is not ours: made by somebody else, again by somebody else, or at an earlier boot", () => {
    mkdirSync(folder());
    const kept = groups();
    kept.keep(beside);
    kept.keep(away);
    kept.letGo();
    expect(existsSync(folder())).toBe(true);
    rmdirSync(folder());
    kept.keep(beside);
    // So that it cannot be given the same number.
    mkdirSync(join(mount, "next"));
    rmdirSync(folder());
    mkdirSync(join(mount, "other"));
    mkdirSync(folder());
    kept.keep(away);
    kept.letGo();
    expect(existsSync(folder())).toBe(true);
    rmdirSync(folder());
    kept.keep(beside);
    groups("two").letGo();
    expect(existsSync(folder())).toBe(true);
  });

  it("stays while somebody is in it, and goes later", () => {
    const kept = groups();
    kept.keep(beside);
    // A folder of ordinary files cannot be removed while it holds one, as a group with a process cannot.
    writeFileSync(join(folder(), "inhabitant"), "");
    kept.keep(away);
    kept.letGo();
    expect(existsSync(folder())).toBe(true);
    rmSync(join(folder(), "inhabitant"));
    groups().letGo();
    expect(existsSync(folder())).toBe(false);
  });

  describe("is held while no agent is there", () => {
    const events = (text: string): void => writeFileSync(join(folder(), "cgroup.events"), text);
    const leave = (): void => {
      const leaving = groups();
      leaving.keep(beside);
      leaving.hold();
      // Whatever was under way ends behind it.
      leaving.keep(away);
      leaving.letGo();
    };

    it("until the next one has told the kernel of it, or finds it needless", () => {
      leave();
      expect([...held]).toEqual([FEED]);
      const next = groups();
      next.keep(beside);
      expect([...held]).toEqual([FEED]);
      next.letGo();
      expect([held.size, existsSync(folder())]).toEqual([0, true]);
      next.hold();
      groups().letGo();
      expect([held.size, existsSync(folder())]).toEqual([0, false]);
    });

    it("also by two agents one after the other", () => {
      leave();
      leave();
      groups().letGo();
      expect([held.size, existsSync(folder())]).toEqual([0, false]);
    });

    it("and then goes, when systemd could not remove its own meanwhile", () => {
      mkdirSync(folder());
      events("populated 1\nfrozen 0\n");
      leave();
      rmSync(join(folder(), "cgroup.events"));
      groups().letGo();
      expect(existsSync(folder())).toBe(false);
    });

    it("and stays systemd's where somebody is in it still, or nobody was before", () => {
      mkdirSync(folder());
      events("populated 1\nfrozen 0\n");
      leave();
      groups().letGo();
      rmSync(join(folder(), "cgroup.events"));
      groups().letGo();
      expect(existsSync(folder())).toBe(true);
      leave();
      groups().letGo();
      expect([held.size, existsSync(folder())]).toEqual([0, true]);
    });

    it("not where it counts who was ended for want of memory", () => {
      mkdirSync(folder());
      writeFileSync(join(folder(), "memory.events"), "oom 1\noom_kill 1\noom_group_kill 0\n");
      leave();
      expect(held.size).toBe(0);
    });

    it("nor what others hold let go of", () => {
      held.add("/system.slice/of-others.service");
      leave();
      groups().letGo();
      expect([...held]).toEqual(["/system.slice/of-others.service"]);
    });
  });

  it("is kept, and told of once, where there is no room for a note", () => {
    const problems: string[] = [];
    const file = join(mount, "missing", "note");
    const kept = createKeptGroups({
      file,
      onProblem: (problem) => problems.push(problem),
      mount,
      boot: "one",
      holds,
    });
    kept.keep(beside);
    kept.letGo();
    expect([existsSync(folder()), problems.length]).toEqual([true, 1]);
    mkdirSync(join(mount, "missing"));
    kept.renew();
    expect(readFileSync(file, "utf8")).toContain(FEED);
    rmSync(join(mount, "missing"), { recursive: true });
    kept.keep(away);
    kept.letGo();
    expect(existsSync(folder())).toBe(false);
  });

  it("is not made where others than root may make groups", () => {
    chmodSync(join(mount, "system.slice"), 0o777);
    groups().keep(beside);
    expect(existsSync(folder())).toBe(false);
  });

  it("is not made for a policy that was refused", async () => {
    const kept = groups();
    const driver = keepingGroups(
      {
        apply: (policy: HostPolicy) =>
          policy === beside ? Promise.reject(new Error("no")) : Promise.resolve(1),
      },
      kept,
    );
    await driver.apply(away);
    await expect(driver.apply(beside)).rejects.toThrow("no");
    expect(existsSync(folder())).toBe(false);
    await expect(driver.apply({ ...away })).resolves.toBe(1);
  });
});
