// The trial itself, in the order in which somebody new would live it.
import { until } from "../../apps/controller/test/lab.ts";
import { LAN } from "../../test/machine/root.ts";
import type { Machine } from "../../test/machine/machine.ts";
import type { Customers } from "./customers.ts";
import type { Transcript } from "./transcript.ts";

export interface Trial {
  readonly machine: Machine;
  readonly transcript: Transcript;
  readonly customers: Customers;
  readonly names: { readonly now: string; readonly next: string; readonly reader: string };
}

/** How long traffic is watched before anything is suggested. */
const WATCHED_S = 75;

export async function live(trial: Trial): Promise<void> {
  opening(trial);
  const before = trial.machine.written();
  await install(trial);
  await observe(trial);
  await propose(trial);
  await enforce(trial);
  await restart(trial);
  await upgrade(trial);
  await leave(trial, before);
}

function opening({ transcript }: Trial): void {
  transcript.say(`# A server that has been running for a year

Debian 12 with nginx, PostgreSQL, Redis and cron as its packages bring them, a timer that looks a name up and fetches a page, and
a small shop in two network namespaces. Somebody outside asks for its page several times a second, all the while, and every
answer is counted. \`#\` is root; \`$\` is a user without any rights but membership in the group \`bulkhead\`.

This page is written by \`make trial\` (\`scripts/trial\`), on a machine that it boots under systemd-nspawn: every output is what
the command printed, cut only where \`…\` stands, and without the progress that a terminal overwrites. Had a command ended
otherwise than it should, or one request from outside gone unanswered while the machine was up, there would be no page. The
second version is the first under the next number. PostgreSQL is called by nobody, and stays observed.`);
}

async function install({ transcript, customers, names }: Trial): Promise<void> {
  transcript.say("## Install, and ask whether this machine can");
  await transcript.root(`apt-get install -qq --no-install-recommends ./${names.now} 2>/dev/null`, {
    only: /^(Setting|Bulkhead|  sudo)/,
  });
  await transcript.root(`usermod -aG bulkhead ${names.reader}`);
  await transcript.root("bulkhead doctor");
  await transcript.root("bulkhead up");
  transcript.say(await customers.count());
}

async function observe({ machine, transcript, customers }: Trial): Promise<void> {
  transcript.say("## Who is there, and who talks to whom");
  await transcript.user("bulkhead workloads --inventory > inventory.yaml; cat inventory.yaml");
  await machine.sh("cp /home/ann/inventory.yaml /root/");
  await transcript.root("bulkhead apply inventory.yaml");
  await machine.well("sleep", String(WATCHED_S));
  transcript.say(`${WATCHED_S} seconds later:`);
  await transcript.user("bulkhead workloads");
  await transcript.user("bulkhead observe");
  await transcript.user("bulkhead map");
  transcript.say(await customers.count());
}

async function propose({ transcript }: Trial): Promise<void> {
  transcript.say("## The least that covers it, and what it would have done");
  await transcript.user("bulkhead suggest -f policy.yaml");
  await transcript.user("cat policy.yaml");
  await transcript.user("bulkhead replay policy.yaml");
}

/** From the shop's web side to the machine's own web server: it works, and nobody needs it. */
const NEEDLESS =
  "nsenter --net=/run/netns/web curl -sS -o /dev/null --max-time 3 -w '%{http_code}\\n' http://10.9.0.1/";

/** People are not confined by what is suggested. The name is the timer's, and the rule for it is the timer's alone. */
const ERRAND = "curl -sS -o /dev/null --max-time 3 -w '%{http_code}\\n' http://updates.example/";

/** Not the customer of all the while. */
const STRANGER = `curl -sS --max-time 3 --interface ${LAN.outside} http://${LAN.machine}/`;

async function enforce({ machine, transcript, customers }: Trial): Promise<void> {
  transcript.say("## Audit, then enforce, with a way back");
  await machine.sh("cp /home/ann/policy.yaml /root/");
  await transcript.root("bulkhead apply policy.yaml");
  transcript.say("In audit all passes, also what nobody needs; it is only told:");
  await transcript.root(NEEDLESS);
  await until(
    async () =>
      (await machine.run("bulkhead", "observe", "--verdict", "audit")).stdout.includes("80/tcp"),
    "the audit does not tell",
    30_000,
  );
  await transcript.user("bulkhead observe --verdict audit");
  await transcript.root("bulkhead apply policy.yaml --mode enforce --confirm 60s");
  transcript.say(
    "Every rule that can be tried from here is; what only somebody outside could try is named, and so the whole is not called proven:",
  );
  await transcript.root("bulkhead probe", { code: 1 });
  await transcript.root("bulkhead confirm");
  await transcript.root(NEEDLESS, { code: 28 });
  transcript.say(
    "Whoever administers the machine fetches what nobody fetched from a shell before:",
  );
  await transcript.root(ERRAND);
  transcript.say("Nor is nginx reached from outside by somebody who was never seen to call it:");
  await transcript.outside(STRANGER, { code: 28 });
  await transcript.user("bulkhead explain web 10.9.0.1:80", { code: 1 });
  await transcript.user("bulkhead status");
  transcript.say(await customers.count());
}

async function restart({ machine, transcript, customers }: Trial): Promise<void> {
  transcript.say("## The machine is restarted");
  await transcript.root("bulkhead boot enable");
  customers.forget();
  await machine.reboot();
  await untilMatches(machine);
  customers.forget();
  transcript.say("`# reboot`, and some moments later:");
  await transcript.root("journalctl -b -u bulkhead-boot.service -o cat --no-pager");
  await transcript.user("bulkhead status", { only: /^(state|policy|modes|receipt)/ });
  await transcript.root(NEEDLESS, { code: 28 });
  await transcript.outside(STRANGER, { code: 28 });
  transcript.say(await customers.count());
}

async function upgrade({ machine, transcript, customers, names }: Trial): Promise<void> {
  transcript.say("## A newer version");
  await transcript.root(`apt-get install -qq --no-install-recommends ./${names.next} 2>/dev/null`, {
    only: /^(Setting|Started)/,
  });
  await untilMatches(machine);
  await transcript.user("bulkhead status", { only: /^(state|policy|modes|receipt)/ });
  await transcript.root(NEEDLESS, { code: 28 });
  await transcript.outside(STRANGER, { code: 28 });
  transcript.say(await customers.count());
}

async function leave(
  { machine, transcript, customers }: Trial,
  before: readonly string[],
): Promise<void> {
  transcript.say("## And away again");
  await transcript.root("apt-get purge -qq bulkhead 2>&1", {
    code: 100,
    only: /^bulkhead: /,
  });
  await transcript.root("bulkhead down");
  await transcript.root("apt-get purge -qq bulkhead 2>/dev/null", { only: /^(Removing|Purging)/ });
  await transcript.root(
    "nft list ruleset; getent group bulkhead; ls /var/lib/bulkhead /usr/lib/bulkhead",
    {
      code: 2,
    },
  );
  await transcript.root(NEEDLESS);
  transcript.say(await customers.count());
  const others =
    /^\/var\/(log|cache)\/|^\/var\/lib\/(dpkg|apt|PackageKit|systemd|redis|postgresql)\/|^\/etc\/\w+-$|^\/(root|home)\//;
  const left = machine.written().filter((path) => !before.includes(path) && !others.test(path));
  if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
  transcript.say(
    "Files on this disk that were not there before, but for logs, the records of apt, dpkg and systemd, data of the databases, and what was typed above into home directories: none.",
  );
}

const untilMatches = (machine: Machine): Promise<void> =>
  until(
    async () => (await machine.run("bulkhead", "status")).stdout.includes("matches revision"),
    "it does not come up",
    60_000,
  );
