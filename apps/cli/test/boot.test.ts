/** The units of the boot: right for any path, put in and taken out whole. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  disableUnits,
  enableUnits,
  installed,
  UNITS,
  unitText,
  whereIs,
  type Systemd,
} from "../src/process/units.ts";
import { call } from "./call.ts";

const setting = (text: string, name: string): string =>
  text.split("\n").find((line) => line.startsWith(`${name}=`)) ?? "";

describe("a unit", () => {
  it.each(UNITS)("%s leaves no blank, and names this installation", (unit) => {
    const text = unitText(unit, "/srv/state");
    expect(text).not.toMatch(/@[A-Z]+@|A template/);
    // By the link, as packages write it; else none of theirs would ever be found to say the same.
    expect(setting(text, "ExecStart")).toContain("/node_modules/.bin/node ");
    expect(setting(text, "ExecStart")).toMatch(/apps\/cli\/src\/main\.ts .* --state \/srv\/state$/);
    expect(setting(text, "RequiresMountsFor")).toMatch(/ \/srv\/state$/);
  });

  it("gives systemd nothing to expand", () => {
    const text = unitText("bulkhead-boot.service", '/srv/a b/100%/$HOME/"x"', {
      root: "/opt/my bulkhead",
      node: "/opt/my node",
    });
    expect(setting(text, "ExecStart")).toMatch(/^ExecStart="\/opt\/my node" /);
    expect(setting(text, "ExecStart")).toMatch(/"\/srv\/a b\/100%%\/\$\$HOME\/\\"x\\""$/);
    expect(setting(text, "RequiresMountsFor")).toMatch(/"\/srv\/a b\/100%%\/\$HOME\/\\"x\\""$/);
  });

  it("of the boot comes before the network, and after what replaces rulesets", () => {
    const text = unitText("bulkhead-boot.service", "/srv/state");
    expect(setting(text, "Before")).toContain("network-pre.target");
    expect(setting(text, "Wants")).toContain("network-pre.target");
    expect(setting(text, "After")).toContain("nftables.service");
    expect(setting(text, "After")).toContain("local-fs.target");
    expect(setting(text, "DefaultDependencies")).toBe("DefaultDependencies=no");
  });
});

describe("an installation with versions side by side", () => {
  const home = mkdtempSync(join(tmpdir(), "bbo-versions-"));
  for (const version of ["1", "2"]) mkdirSync(join(home, version));
  symlinkSync("2", join(home, "current"));
  afterAll(() => rmSync(home, { recursive: true }));

  it("is named by the link to the version in use, which an upgrade leaves", () => {
    expect(whereIs(join(home, "2"), join(home, "2", "bin", "node"))).toEqual({
      root: join(home, "current"),
      node: join(home, "current", "bin", "node"),
    });
    expect(whereIs(join(home, "2"), "/usr/bin/node").node).toBe("/usr/bin/node");
  });

  it("that is not in use is named by itself", () => {
    const where = { root: join(home, "1"), node: join(home, "1", "bin", "node") };
    expect(whereIs(where.root, where.node)).toEqual(where);
  });
});

describe("enable and disable", () => {
  let folder: string;
  let asked: string[];
  let fake: Systemd;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bbo-units-"));
    asked = [];
    fake = {
      folder,
      packaged: join(folder, "packaged"),
      runs: () => true,
      isHere: () => true,
      control: async (...args) => {
        asked.push(args.join(" "));
        return "";
      },
    };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("put both in, and take both out", async () => {
    await enableUnits(fake, "/srv/state");
    expect(readdirSync(folder).toSorted()).toEqual([...UNITS].toSorted());
    expect(readFileSync(join(folder, "bulkhead.service"), "utf8")).toBe(
      unitText("bulkhead.service", "/srv/state"),
    );
    expect(asked).toEqual(["daemon-reload", `enable ${UNITS.join(" ")}`]);
    expect(await disableUnits(fake)).toEqual(UNITS);
    expect(readdirSync(folder)).toEqual([]);
    expect(asked.slice(2)).toEqual([
      "stop bulkhead-boot.service",
      "reset-failed bulkhead*.service",
      `disable ${UNITS.join(" ")}`,
      "daemon-reload",
    ]);
  });

  it("use what a package brought, unless it says something else", async () => {
    mkdirSync(fake.packaged);
    for (const unit of UNITS)
      writeFileSync(join(fake.packaged, unit), unitText(unit, "/var/lib/bulkhead"));
    await enableUnits(fake, "/var/lib/bulkhead");
    expect(readdirSync(folder)).toEqual(["packaged"]);
    expect(asked.at(-1)).toBe(`enable ${UNITS.join(" ")}`);
    expect(installed(fake)).toEqual([]);
    // As `systemctl enable` leaves it.
    mkdirSync(join(folder, "sysinit.target.wants"));
    symlinkSync(
      join(fake.packaged, "bulkhead-boot.service"),
      join(folder, "sysinit.target.wants", "bulkhead-boot.service"),
    );
    expect(await disableUnits(fake)).toEqual(["bulkhead-boot.service"]);
    expect(readdirSync(fake.packaged).toSorted()).toEqual([...UNITS].toSorted());
    await enableUnits(fake, "/srv/state");
    expect(readFileSync(join(folder, "bulkhead.service"), "utf8")).toContain("/srv/state");
  });

  it("taking out what is not there does nothing", async () => {
    expect(await disableUnits(fake)).toEqual([]);
    expect(asked).toEqual([]);
  });
});

it("what is not to be done about boots is bad input, with the nearest thing", async () => {
  const { code, stderr } = await call(["boot", "enabel"]);
  expect(code).toBe(2);
  expect(stderr).toContain("did you mean `enable`");
});
