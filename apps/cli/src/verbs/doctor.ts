/** `bulkhead doctor`: can this machine enforce, and if not, what is in the way. Changes nothing. */
import { execFile } from "node:child_process";
import type { CommonOptions, Context } from "../context.ts";
import {
  boot,
  bridges,
  controlGroups,
  existsOn,
  firewalls,
  kernel,
  lockdown,
  privileges,
  programs,
  readOn,
  runtime,
  tracking,
  type Check,
  type Machine,
} from "../doctor/checks.ts";
import { selfTest } from "../doctor/self-test.ts";
import { findProcesses } from "../process/daemon.ts";
import { layoutOf } from "../process/layout.ts";
import { withProgress } from "../progress.ts";
import type { DoctorAnswer } from "../schemas.ts";
import type { ExitCode } from "../failure.ts";
import { doctorText } from "../views/doctor.ts";
import type { Verb } from "./verb.ts";

export const doctor: Verb<CommonOptions> = async (context) => {
  const checks = await withProgress(context, "looking", () => examine(context, machineOf(context)));
  const exitCode = exitOf(checks);
  // Only root may look there; others see whether somebody answers them.
  const runs = isRoot() && exitCode !== 3 && findProcesses(layoutOf(context.state)).length > 0;
  const told = runs || !isRoot() ? await workloads(context) : undefined;
  const value: DoctorAnswer = { checks: told === undefined ? checks : [...checks, told] };
  return {
    value,
    text: (ui) => doctorText(value, ui),
    next: [!isRoot() ? "sudo doctor" : exitCode === 3 ? "doctor" : runs ? "status" : "up"],
    exitCode,
  };
};

type Found = Omit<Check, "name" | "necessary">;

export async function examine(context: Pick<Context, "state">, machine: Machine): Promise<Check[]> {
  const checks: Check[] = [];
  const add = async (
    name: string,
    necessary: boolean,
    look: (machine: Machine) => Found | Promise<Found>,
  ): Promise<void> => {
    checks.push({ name, necessary, ...(await look(machine)) });
  };
  const broken = (): boolean => checks.some((one) => one.necessary && one.state === "fails");
  await add("kernel", true, kernel);
  // What is looked for does not exist elsewhere.
  if (broken()) return checks;
  await add("privileges", true, privileges);
  await add("programs", true, programs);
  // Without those it could only say the same again; and it makes namespaces.
  if (!broken() && machine.root)
    await add("self-test", true, () => selfTest(layoutOf(context.state).root));
  await add("control groups", false, controlGroups);
  await add("connections", false, tracking);
  await add("bridges", false, bridges);
  await add("other firewalls", false, firewalls);
  await add("container runtime", false, runtime);
  await add("boot", false, boot);
  await add("lockdown", false, lockdown);
  return checks;
}

/** Who is enforced is for the controller to say. That one of them can get round its policy is no fault of the machine. */
export async function workloads({ client }: Pick<Context, "client">): Promise<Check> {
  const check = { name: "workloads", necessary: false };
  let notices: readonly string[];
  try {
    notices = (await (await client()).call("status", {})).notices ?? [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...check, state: "off", detail: `the controller does not tell: ${reason}` };
  }
  return notices.length === 0
    ? { ...check, state: "works", detail: "nobody enforced was seen to reach beyond its network" }
    : { ...check, state: "works", detail: "not all are confined", help: notices.join("; ") };
}

const exitOf = (checks: readonly Check[]): ExitCode => {
  const failing = checks.filter(({ state }) => state === "fails");
  if (failing.some(({ necessary }) => necessary)) return 3;
  const untold = checks.some(({ state }) => state === "untold");
  return failing.length > 0 || untold ? 1 : 0;
};

const isRoot = (): boolean => process.getuid?.() === 0;

const machineOf = ({ env }: Context): Machine => ({
  platform: process.platform,
  root: isRoot(),
  env,
  read: readOn,
  exists: existsOn,
  run: (program, ...args) =>
    new Promise((resolve) => {
      execFile(program, args, (error, stdout) =>
        resolve(error === null ? stdout.trim() : undefined),
      );
    }),
});
