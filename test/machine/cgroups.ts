// A place of its own in the control groups for a booted machine: it sees what is below as its whole tree. On a host in
// hybrid mode systemd-nspawn also keeps one in the hierarchy named systemd, so both get the same name.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../apps/controller/test/lab.ts";

/** Where this host has mounted cgroup v2, and the hierarchy that systemd names its own in hybrid mode. */
function hierarchies(): { readonly unified: string; readonly named: string | undefined } {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const unified = mounts.find(([, , type]) => type === "cgroup2")?.[1];
  if (unified === undefined) throw new Error("cgroup v2 is not mounted on this host");
  const named = mounts.find(
    ([, , type, options = ""]) => type === "cgroup" && options.split(",").includes("name=systemd"),
  );
  return { unified, named: named?.[1] };
}

export class Cgroups {
  readonly #folders: readonly string[];
  /** The machine's own root in cgroup v2. */
  readonly payload: string;

  constructor(name: string) {
    const { unified, named } = hierarchies();
    this.#folders = [join(unified, name), ...(named === undefined ? [] : [join(named, name)])];
    for (const folder of this.#folders) mkdirSync(folder);
    this.payload = join(unified, name, "payload");
  }

  /** For a shell: puts itself there, and what it starts. */
  get enter(): string {
    return this.#folders.map((folder) => `echo 0 >${folder}/cgroup.procs`).join("; ");
  }

  /** For a shell: no machine finds groups of its last boot. Nothing runs in them any more. */
  get forget(): string {
    return `find ${this.payload} -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || :`;
  }

  /** The first process of the machine, as this host numbers it; undefined while there is none. */
  leader(): number | undefined {
    try {
      const [first = ""] = readFileSync(join(this.payload, "init.scope", "cgroup.procs"), "utf8")
        .trim()
        .split("\n");
      return first === "" ? undefined : Number(first);
    } catch {
      return undefined; // it is not up yet, or not any more
    }
  }

  /** Where an administrator's session would be: a leaf beside the services. */
  session(): string {
    const folder = join(this.payload, "user.slice", "operator.scope");
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Once nothing runs in them any more. */
  async remove(): Promise<void> {
    for (const folder of this.#folders) {
      await until(async () => emptied(folder), `\`${folder}\` does not go away`, 60_000);
    }
  }
}

function emptied(folder: string): boolean {
  if (!existsSync(folder)) return true;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) emptied(join(folder, entry.name));
    rmdirSync(folder);
    return true;
  } catch {
    return false; // what was killed takes a moment to be gone
  }
}
