/** Installing whole or not at all: steps that are undone in reverse, links that are ours, and keepers of what runs. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pointTo, placeIn, versionInUse, versionOf, versionsIn } from "../src/install/place.ts";
import { copyIn, dropOthers, linkUp, switchTo, takeOut } from "../src/install/put.ts";
import { runSteps, type Step } from "../src/install/steps.ts";
import { layoutOf } from "../src/process/layout.ts";
import { markOf, writeMark } from "../src/process/marks.ts";
import { keeperOf } from "../src/verbs/restart.ts";
import { isKept, unitText, type Systemd } from "../src/process/units.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bpk-install-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function payload(version: string, name = `payload-${version}`): string {
  const path = join(folder, name);
  mkdirSync(join(path, "node_modules", ".cache"), { recursive: true });
  writeFileSync(join(path, "package.json"), JSON.stringify({ name: "bulkhead", version }));
  writeFileSync(join(path, "node_modules", ".cache", "compiled"), "");
  return path;
}

describe("steps", () => {
  const said: string[] = [];
  beforeEach(() => said.splice(0));
  const step = (name: string, fails: "run" | "undo" | "never" = "never"): Step => ({
    what: `do ${name}`,
    run() {
      said.push(name);
      if (fails === "run") throw new Error("no room");
    },
    undo() {
      said.push(`not ${name}`);
      if (fails === "undo") throw new Error("stuck");
    },
  });

  it("are all done, in order", async () => {
    await runSteps([step("a"), step("b")]);
    expect(said).toEqual(["a", "b"]);
  });

  it("are undone in reverse when one fails, that one too", async () => {
    const failed = runSteps([step("a"), step("b", "run"), step("c")]);
    await expect(failed).rejects.toMatchObject({
      exitCode: 3,
      message: "could not do b: no room",
      help: "everything is as it was before",
    });
    expect(said).toEqual(["a", "b", "not b", "not a"]);
  });

  it("tell what could not be undone, and undo the rest", async () => {
    const failed = runSteps([step("a"), step("b", "undo"), step("c", "run")]);
    await expect(failed).rejects.toMatchObject({
      help: "not everything could be undone:\ndo b: stuck",
    });
    expect(said.at(-1)).toBe("not a");
  });
});

describe("a place", () => {
  it("holds versions side by side, and one link says which is in use", async () => {
    const place = placeIn(join(folder, "machine"));
    expect(versionInUse(place)).toBeUndefined();
    for (const version of ["1.0.0", "1.1.0", "1.2.0"])
      await runSteps([copyIn(payload(version), place, version), switchTo(place, version)]);
    expect(versionInUse(place)).toBe("1.2.0");
    expect(versionsIn(place)).toEqual(["1.0.0", "1.1.0", "1.2.0"]);
    expect(existsSync(join(place.folderOf("1.2.0"), "node_modules", ".cache"))).toBe(false);
    await runSteps(dropOthers(place, ["1.1.0", "1.2.0"]));
    expect(versionsIn(place)).toEqual(["1.1.0", "1.2.0"]);
  });

  it("is as it was when something fails", async () => {
    const place = placeIn(join(folder, "machine"));
    const fails: Step = {
      what: "fail",
      run() {
        throw new Error("on purpose");
      },
    };
    const steps = (version: string): readonly Step[] => [
      copyIn(payload(version), place, version),
      switchTo(place, version),
      ...linkUp(place),
    ];
    await expect(runSteps([...steps("1.0.0"), fails])).rejects.toThrow("on purpose");
    expect(existsSync(place.home)).toBe(false);
    expect(existsSync(join(folder, "machine/usr/local/bin/bulkhead"))).toBe(false);
    await runSteps(steps("1.0.0"));
    await expect(runSteps([...steps("1.1.0"), fails])).rejects.toThrow("on purpose");
    expect(readdirSync(place.home).toSorted()).toEqual(["1.0.0", "current"]);
    expect(readlinkSync(place.current)).toBe("1.0.0");
  });

  it("gives up only what is ours", async () => {
    const place = placeIn(join(folder, "machine"));
    await runSteps([
      copyIn(payload("1.0.0"), place, "1.0.0"),
      switchTo(place, "1.0.0"),
      ...linkUp(place),
    ]);
    const name = join(folder, "machine/usr/local/bin/bulkhead");
    expect(readlinkSync(name)).toBe("/opt/bulkhead/current/bulkhead");
    pointTo(name, "/home/ann/bulkhead");
    expect(() => linkUp(place)).toThrow("is in the way: it leads to `/home/ann/bulkhead`");
    mkdirSync(join(place.home, "backup"));
    await runSteps(takeOut(place));
    expect(readlinkSync(name)).toBe("/home/ann/bulkhead");
    expect(readdirSync(place.home)).toEqual(["backup"]);
    expect(existsSync(join(folder, "machine/usr/local/share/man/man1/bulkhead.1"))).toBe(false);
  });

  it.each([
    ["../../etc", undefined],
    ["", undefined],
    ["1.0.0-rc.1", "1.0.0-rc.1"],
  ])("takes no version `%s` that is not one", (version, expected) => {
    expect(versionOf(payload(version, "odd"))).toBe(expected);
  });
});

describe("who keeps it running", () => {
  const fake = (pid: number | undefined): Systemd => ({
    folder: "/nonexistent",
    packaged: "/nonexistent",
    runs: () => pid !== undefined,
    isHere: () => true,
    control: async () => `${pid}\n`,
  });
  const marked = () => {
    const layout = layoutOf(folder);
    const own = markOf(process.pid);
    if (own !== undefined) writeMark(layout.mark("supervisor"), own);
    return layout;
  };

  it("is nobody when nothing runs", async () => {
    expect(await keeperOf(layoutOf(folder), fake(1))).toBe("nothing");
  });

  it("is systemd when it is its main process, and somebody else when not", async () => {
    expect(await keeperOf(marked(), fake(process.pid))).toBe("systemd");
    expect(await keeperOf(marked(), fake(0))).toBe("elsewhere");
    expect(await keeperOf(marked(), fake(undefined))).toBe("elsewhere");
  });

  it("is still the background when the supervisor was killed there, for what it started goes on", async () => {
    const layout = layoutOf(folder);
    const own = markOf(process.pid);
    if (own !== undefined) writeMark(layout.mark("agent"), own);
    expect(await keeperOf(layout, fake(0))).toBe("background");
  });

  it("is still systemd when it was killed there, for it comes back", async () => {
    const units = join(folder, "units");
    mkdirSync(units);
    writeFileSync(join(units, "bulkhead.service"), unitText("bulkhead.service", folder));
    const on = (state: string): Systemd => ({
      ...fake(0),
      folder: units,
      control: async () => `${state}\n`,
    });
    expect(await keeperOf(layoutOf(folder), on("activating"))).toBe("systemd");
    expect(await keeperOf(layoutOf(folder), on("inactive"))).toBe("nothing");
    expect(isKept(on("active"), `${folder}-2`)).toBe(false);
    expect(isKept({ ...on("active"), isHere: () => false }, folder)).toBe(false);
  });
});
