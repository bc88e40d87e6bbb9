/**
 * `make demo`: the whole loop on a small shop of real programs: observe → suggest → readiness → replay → audit →
 * enforce → prove → drift → down. Ends with a table of claims; exit 0 only if each holds, 1 if not, 3 if it cannot run.
 * Environment: KEEP=1 leaves everything up; SABOTAGE=name breaks one thing on purpose; JSON=1 as `--json`.
 */
import { join } from "node:path";
import { Lab, checkPrograms, sweepLeftovers } from "@bulkhead/example-shop";
import { Bulkhead, VerbFailed } from "./bulkhead-cli.ts";
import { Claims, type Claim } from "./claims.ts";
import type { Demo } from "./demo.ts";
import { diagnose } from "./diagnosis.ts";
import { leftovers, takeFootprint, type Footprint } from "./footprint.ts";
import { SABOTAGES, faultOf, parseSabotage, type Sabotage } from "./sabotage.ts";
import { Screen } from "./screen.ts";
import { audit } from "./steps/audit.ts";
import { drift } from "./steps/drift.ts";
import { claimNothingLost, enforce } from "./steps/enforce.ts";
import { leave } from "./steps/leave.ts";
import { record, start } from "./steps/observe.ts";
import { replay, suggest } from "./steps/propose.ts";
import { intrude, latency, probe } from "./steps/prove.ts";
import { readiness } from "./steps/readiness.ts";
import { lookAtShop } from "./steps/shop.ts";
import { readTruth } from "./truth.ts";

const AIM_SECONDS = 90;

const HELP = `usage: make demo [KEEP=1] [SABOTAGE=${SABOTAGES.join("|")}] [JSON=1]
   or: node scripts/demo/main.ts [--json] [--keep]
`;

interface Settings {
  readonly json: boolean;
  readonly keep: boolean;
  readonly sabotage: Sabotage | undefined;
}

function readSettings(args: readonly string[], env: NodeJS.ProcessEnv): Settings {
  const unknown = args.find((arg) => !["--json", "--keep"].includes(arg));
  if (unknown !== undefined) throw new RangeError(`unknown option \`${unknown}\`\n${HELP}`);
  const set = (name: string): boolean =>
    env[name] !== undefined && !["", "0"].includes(env[name] ?? "");
  return {
    json: args.includes("--json") || set("JSON"),
    keep: args.includes("--keep") || set("KEEP"),
    sabotage: parseSabotage(env["SABOTAGE"]),
  };
}

/** The loop itself, in the order a new user lives it. */
async function walk(demo: Demo): Promise<void> {
  const before = await lookAtShop(demo);
  const next = <Result>(step: () => Promise<Result>): Promise<Result> => {
    demo.stop.throwIfAborted();
    return step();
  };
  await next(() => start(demo));
  const recording = await next(() => record(demo));
  const files = await next(() => suggest(demo, recording));
  await next(() => readiness(demo));
  await next(() => replay(demo, files, recording));
  await next(() => audit(demo, files, before));
  const enforced = await next(() => enforce(demo, files));
  await next(() => probe(demo));
  await next(() => intrude(demo, before));
  await next(() => latency(demo, before));
  await next(() => claimNothingLost(demo, enforced));
  await next(() => drift(demo));
  if (!demo.keep) await next(() => leave(demo, before));
}

/** Runs the loop; an error in it becomes a claim that fails, so that the end is always a table. */
async function attemptWalk(demo: Demo): Promise<void> {
  try {
    await walk(demo);
  } catch (error) {
    if (demo.stop.aborted) return; // Ctrl-C: not a claim, just the end
    demo.screen.fault((error as Error).message);
    demo.claims.add(claimOf(error as Error));
  }
}

function claimOf(error: Error): Claim {
  const [first = error.message] = error.message.split("\n");
  // `apply` itself refuses to call something applied whose receipt does not show it.
  const receipt = error instanceof VerbFailed && error.code === "apply-failed";
  return {
    id: receipt ? "receipt-apply" : "walk",
    claim: receipt ? "the kernel's receipt is of what was applied" : "the loop runs to its end",
    measured: first.replace(/^.*ended with \d+: /, "").slice(0, 90),
    bound: receipt ? "receipt matches" : "to its end",
    holds: false,
  };
}

async function takeDown(demo: Demo, footprint: Footprint): Promise<void> {
  await demo.bulkhead.down().catch(() => undefined); // down already, or never up; the check below tells
  await demo.lab.down();
  const left = await leftovers(demo.lab.id, demo.lab.directory, footprint);
  for (const thing of left) demo.screen.fault(`left behind: ${thing}`);
  demo.claims.exactly("clean", "things left behind on the machine", left.length, 0);
}

function explainKept({ lab, bulkhead, screen }: Demo): void {
  screen.plain("");
  screen.plain(`Left up as asked. The shop's machine is namespace ${lab.hostNamespace}; look around:
    ${bulkhead.typed("status")}
    ${bulkhead.typed("observe")}
    nsenter --net=/run/netns/${lab.hostNamespace} nft list ruleset
    node_modules/.bin/node examples/shop/main.ts intrude --id ${lab.id}
begin again, with nothing recorded and nothing denied (${lab.inventoryFile} says who is who):
    ${bulkhead.typed("down --purge --yes")}
    nsenter --net=/run/netns/${lab.hostNamespace} ${bulkhead.typed("up")}
take it down:
    ${bulkhead.typed("down --purge --yes")}
    node_modules/.bin/node examples/shop/main.ts down --id ${lab.id}`);
}

async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2), process.env);
  checkPrograms();
  const screen = new Screen({ json: settings.json, env: process.env });
  const claims = new Claims();
  const footprint = await takeFootprint();
  for (const id of await sweepLeftovers())
    screen.note(`removed what a killed run had left behind: ${id}`);
  const stopper = new AbortController();
  let interrupted: NodeJS.Signals | undefined;
  const lab = Lab.reserve({ reference: true, kept: false });
  const onSignal = (name: NodeJS.Signals): void => {
    interrupted ??= name;
    stopper.abort();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  const demo: Demo = {
    lab,
    bulkhead: new Bulkhead(
      join(lab.directory, "bulkhead"),
      lab.hostNamespace,
      faultOf(settings.sabotage),
    ),
    screen,
    claims,
    truth: readTruth(),
    sabotage: settings.sabotage,
    keep: settings.keep,
    figures: {},
    stop: stopper.signal,
  };
  screen.title(
    "Bulkhead demo",
    `shop ${lab.id}${settings.sabotage === undefined ? "" : `, SABOTAGE=${settings.sabotage}`}`,
  );
  let kept = false;
  let setUpSeconds = 0;
  try {
    await lab.start({ reference: true, kept: false, progress: (what) => screen.progress(what) });
    setUpSeconds = screen.seconds;
    await attemptWalk(demo);
    kept = settings.keep && interrupted === undefined;
  } finally {
    if (kept) lab.keep();
    else await takeDown(demo, footprint);
  }
  if (interrupted !== undefined) {
    process.stderr.write(
      `demo: ended by ${interrupted}; ${claims.failed("clean") ? "something was left behind" : "nothing is left behind"}\n`,
    );
    return claims.failed("clean") ? 1 : 130;
  }
  const seconds = screen.seconds - setUpSeconds;
  // How fast depends on the machine and on who else is on it: a figure, not a claim.
  demo.figures["seconds"] = { loop: seconds, aim: AIM_SECONDS };
  screen.plain(
    `    the loop, once the shop is up: ${seconds.toFixed(1)} s (aim on an idle machine: ${AIM_SECONDS} s)`,
  );
  return conclude(demo, kept);
}

function conclude(demo: Demo, kept: boolean): number {
  const { screen, claims, figures, sabotage } = demo;
  const findings = diagnose(claims);
  screen.heading("Claims");
  claims.print(screen);
  screen.plain("");
  const good = claims.failing.length === 0;
  screen.verdict(
    good,
    good
      ? `all ${claims.all.length} claims hold`
      : `${claims.failing.length} of ${claims.all.length} claims FAIL`,
  );
  for (const finding of findings) screen.verdict(false, `${finding.name}: ${finding.sentence}`);
  if (kept) explainKept(demo);
  screen.json({
    holds: good,
    shop: demo.lab.id,
    kept,
    sabotage: sabotage ?? null,
    findings,
    claims: claims.all,
    verbs: demo.bulkhead.timings,
    figures,
  });
  return good ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`demo: ${(error as Error).message}\n`);
  process.exitCode = 3;
}
