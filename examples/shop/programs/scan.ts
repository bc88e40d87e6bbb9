/**
 * One-shot: from inside whatever namespace it is started in, tries every open port of everybody and prints what
 * it reached, as JSON. The resident intruder goes deeper (echoes, logins, closed ports); this one is quick.
 */
import { attemptTwice } from "./lib/attempts.ts";
import { portTargets } from "./lib/targets.ts";

const [self] = process.argv.slice(2);
if (self === undefined) throw new Error("usage: scan.ts SELF");

const attempts = await attemptTwice(portTargets(self));
process.stdout.write(JSON.stringify(attempts), () => process.exit(0));
