/** One-shot: from inside whatever namespace it is started in, tries everything and prints what it reached, as JSON. */
import { attemptAll } from "./lib/attempts.ts";
import { deepTargets, reachTargets, scanTargets } from "./lib/targets.ts";

const [self, depth = "reach"] = process.argv.slice(2);
if (self === undefined) throw new Error("usage: scan.ts SELF [reach|all]");

const targets =
  depth === "all"
    ? [...reachTargets(self), ...deepTargets(self), ...scanTargets(self)]
    : reachTargets(self);
process.stdout.write(JSON.stringify(await attemptAll(targets)), () => process.exit(0));
