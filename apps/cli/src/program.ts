/**
 * The command tree: every verb with its arguments, options and example. What a verb does is loaded when it is called,
 * so that `bulkhead --help` and completion stay quick.
 */
import { Command, Option } from "commander";
import { collect, gather, once } from "./arguments.ts";
import { printAnswer } from "./answer.ts";
import {
  createContext,
  FINDING_FORMATS,
  FLOW_FORMATS,
  FORMATS,
  LIST_FORMATS,
  MAP_FORMATS,
  SUGGEST_FORMATS,
  TEST_FORMATS,
  BLAST_FORMATS,
  type CommonOptions,
  type Surroundings,
} from "./context.ts";
import type { ExitCode } from "./failure.ts";
import { SINCE, withFlowOptions } from "./flow-options.ts";
import { groupVerbs } from "./help-groups.ts";
import { addCheckVerbs } from "./offline/check-verbs.ts";
import { addConvertVerb } from "./offline/convert-verb.ts";
import { addListVerbs } from "./offline/list-verbs.ts";
import { addQuestionVerbs } from "./offline/verbs.ts";
import type { Verb } from "./verbs/verb.ts";

type Load<Options> = () => Promise<Verb<Options>>;

/** Puts a verb on the command line; `formats` are those that `-o` knows. */
export type AddVerb = <Options extends CommonOptions>(
  usage: string,
  description: string,
  example: string,
  load: Load<Options>,
  formats?: readonly string[],
) => Command;

export function createProgram(around: Surroundings, finish: (code: ExitCode) => void): Command {
  const program = new Command("bulkhead")
    .description(
      "Every workload in its own watertight compartment: observe, suggest, replay, enforce, prove.",
    )
    .commandsGroup("The command line:") // what the library adds: help
    .helpCommand("help [verb]", "help for a verb")
    .helpOption("-h, --help", "help for a verb")
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .addOption(
      new Option("-o, --output <format>")
        .choices([
          ...new Set([
            ...FORMATS,
            ...FLOW_FORMATS,
            ...MAP_FORMATS,
            ...SUGGEST_FORMATS,
            ...LIST_FORMATS,
            ...TEST_FORMATS,
            ...FINDING_FORMATS,
            ...BLAST_FORMATS,
          ]),
        ])
        .hideHelp(),
    )
    .addOption(new Option("--state <dir>").hideHelp())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: () => undefined, // told once, by whoever catches the error
      getOutHelpWidth: () => around.stdout.columns ?? 100,
    });

  const verb: AddVerb = <Options extends CommonOptions>(
    usage: string,
    description: string,
    example: string,
    load: Load<Options>,
    formats: readonly string[] = FORMATS,
  ) => {
    const command = program.command(usage).description(description);
    command
      .addOption(new Option("-o, --output <format>", "how to print").choices(formats))
      .option("--state <dir>", "state directory (BULKHEAD_STATE, /var/lib/bulkhead)")
      .addHelpText("after", `\nExample:\n${example.replaceAll(/^/gm, "  $ ")}\n`)
      .action(async () => {
        const options = command.optsWithGlobals<Options>();
        const context = createContext(around, options, formats);
        const run = await load();
        const answer = await run(context, command.args, options);
        finish(typeof answer === "number" ? answer : await printAnswer(context, answer));
      });
    return command;
  };

  const since = SINCE;
  verb(
    "up",
    "start on this host: controller and agent",
    "sudo bulkhead up",
    async () => (await import("./verbs/up.ts")).up,
  )
    .option("--foreground", "stay in the foreground and log to stderr")
    .option(
      "--flow-store <url>",
      "keep flows in a ClickHouse: https://host:8443/database?cluster=name; local (default) takes it back",
    )
    .option("--flow-store-credentials <file>", "user:password for it, in a file of root's alone")
    .option("--keep-flows <time>", "forget single flows after it (30d)")
    .option("--keep-history <time>", "forget on which days edges were seen after it (730d)")
    .option("--metrics <address>", "let Prometheus scrape there, such as 9464; off by default")
    .option("--otlp <url>", "push metrics to an OTLP/HTTP receiver each minute; off by default")
    .option(
      "--read-configuration <sources>",
      "read whom workloads are configured to call from their environment,arguments,files; none (default)",
    );
  verb(
    "down",
    "stop, and take our rules out of the kernel",
    "sudo bulkhead down --purge",
    async () => (await import("./verbs/down.ts")).down,
  )
    .option("--purge", "remove recorded flows, policies and keys too")
    .option("--yes", "do not ask");
  verb(
    "status",
    "modes, coverage, revision, receipts, drift, lost events",
    "bulkhead status -o json",
    async () => (await import("./verbs/status.ts")).status,
  );
  verb(
    "workloads",
    "who is there, with which labels and in which mode",
    "bulkhead workloads --namespace shop -o wide",
    async () => (await import("./verbs/workloads.ts")).workloads,
  )
    .option("-n, --namespace <names>", "only of these namespaces", collect)
    .option("--all", "also idle units of this machine")
    .option("--inventory", "draft an Inventory for those that none names, as YAML")
    .option("--export", "everybody as an Inventory, for deciding elsewhere");
  verb(
    "policies [resources...]",
    "what is in force: age, owner, end, and how often each rule was hit",
    "bulkhead policies\nbulkhead policies Policy/shop/db -o wide\nbulkhead policies --unused 30d\nbulkhead policies --broad 30d",
    async () => (await import("./verbs/policies-in-force.ts")).policies,
  )
    .option("--unused <time>", "rules that no recorded flow needed since then; exit 1 if there are")
    .option(
      "--broad [time]",
      "rules that permit ports or peers which nothing used since then (30d), and a narrower text; exit 1 if there are",
    );
  withFlowOptions(
    verb(
      "observe",
      "what talks to what, and what became of it",
      "bulkhead observe --follow --verdict dropped,audit\nbulkhead observe --from-label 'app=web,tier!=test' --to-ip 10.0.0.0/8 --since 1h\nbulkhead observe --to-fqdn '*.example.com'\nbulkhead observe --last 20 -o jsonpb\nbulkhead observe --to db --verdict dropped --since 10m --expect-none\nbulkhead observe --top 5 --by connections",
      async () => (await import("./verbs/observe.ts")).observe,
      [...FORMATS, ...FLOW_FORMATS],
    ),
  )
    .option("-f, --follow", "new flows as they come (JSON Lines with -o json)")
    .addOption(
      new Option("--edges", "like connections together (the default)").conflicts([
        "flows",
        "follow",
      ]),
    )
    .option("--flows", "single flows, not edges")
    .option("--last <count>", "the newest so many flows (0: all)")
    .option("--first <count>", "the oldest so many flows (0: all)")
    .option("--limit <count>", "the newest so many edges or flows (0: all)")
    .option("--top [count]", "who talks most (10; 0: all)")
    .option("--by <what>", "bytes (default), connections, failed, denied")
    .option("--process", "single flows, with the process, user and unit at each end")
    .option("--expect-none", "exit 1 if anything fits");
  withFlowOptions(
    verb(
      "map",
      "the service map: applications, and who talks to whom",
      "bulkhead map --since 24h\nbulkhead map -o svg > map.svg\nbulkhead map -o mermaid --label app=web --group-by role",
      async () => (await import("./verbs/map.ts")).map,
      [...MAP_FORMATS, ...FORMATS],
    ),
  ).option(
    "--group-by <keys>",
    "labels that name an application, the first that is borne",
    collect,
  );
  withFlowOptions(
    verb(
      "flows <task> [words...]",
      "export what is on record to Parquet or JSON Lines; import what other tools recorded: clouds' flow logs, Zeek, Envoy, packets; list the formats",
      "sudo bulkhead flows import hubble.jsonl.gz vpc.log\nsudo bulkhead flows import zeek conn.log\nzcat flow.log.gz | sudo bulkhead flows import aws-vpc -\nbulkhead flows formats\nbulkhead flows export flows.parquet --since 7d\nbulkhead flows export edges.jsonl --edges --to shop/db",
      async () => (await import("./verbs/flows.ts")).flows,
    ),
  )
    .option("--edges", "export: like flows together, with their sums")
    .option("--as <format>", "export: parquet or jsonl, where the file's name does not tell")
    .option("--overwrite", "export: also over a file that is there");
  verb(
    "suggest",
    "least privilege for what was seen, with evidence",
    "bulkhead suggest -f policy.yaml\nbulkhead suggest --directory policies/ --overwrite\nbulkhead suggest -o markdown > pull-request.md\nbulkhead suggest --flows hubble.jsonl --range 203.0.113.0/24\nbulkhead suggest --to cilium -d policies/",
    async () => (await import("./verbs/suggest.ts")).suggest,
    [...FORMATS, ...SUGGEST_FORMATS],
  )
    .option("-f, --file <file>", "write the policy there and print a summary")
    .option("-d, --directory <dir>", "write one file an application there")
    .option("--to <dialect>", "in another dialect, proved the same: the names of `convert --to`")
    .option("--approximate <side>", "what it cannot hold may err to this side: over, under")
    .option("--overwrite", "even if files exist")
    .option("--since <time>", since)
    .option("--until <time>", since)
    .option("-n, --namespace <names>", "only for these namespaces", collect)
    .option("--range <prefixes>", "these outside prefixes are allowed whole", collect)
    .option("--exclude-window <from..to>", "learn nothing from this time (3h..1h)", gather)
    .option("--since-last", "only what is new since you last looked")
    .option("--include-people", "confine people at a shell and cron as well")
    .option("--accept <edge>", "needed, though doubtful: 'shop/web -> shop/db 5432/tcp'", gather)
    .option("--all", "every line of what was set aside, however many")
    .option("--max-rules <number>", "join rules where more name one role (32)")
    .option("--propose-labels", "where labels do not tell roles: from who talks to whom")
    .option("--anchor <file>", "an earlier suggestion, whose roles keep their names")
    .option(
      "--flows <file>",
      "from recorded flows of any format, - for standard input",
      once("--flows"),
    )
    .option("--format <name>", "of that file, where its beginning does not tell");
  verb(
    "readiness [names...]",
    "how complete the picture is, what it waits for, and when it is ready",
    "bulkhead readiness\nbulkhead readiness --level application -o wide\nbulkhead readiness shop/db --level group -o md\nsudo bulkhead readiness --reject 'shop/web -> shop/db 5432/tcp' --reason 'an intruder'",
    async () => (await import("./verbs/readiness.ts")).readiness,
    [...FORMATS, "md"],
  )
    .addOption(
      new Option("--level <what>", "of each workload, group (default) or application").choices([
        "workload",
        "group",
        "application",
      ]),
    )
    .option("--strict", "exit 1 while anybody is learning")
    .option("--accept <edge>", "needed, though doubtful: 'shop/web -> shop/db 5432/tcp'", gather)
    .option("--reject <edge>", "doubtful, and not needed", gather)
    .option("--forget <edge>", "take back what was said of it", gather)
    .option("--reason <text>", "why, for the record")
    .option(
      "--flows <file>",
      "from recorded flows, as of their end; - for standard input",
      once("--flows"),
    )
    .option("--format <name>", "of that file, where its beginning does not tell");
  const judging = (command: Command): Command =>
    command
      .option("--since <time>", since)
      .option("--until <time>", since)
      .option("--mode <mode>", "as if applied with: audit, enforce")
      .option("--prune", "as if what the files lack were removed")
      .option("--strict", "warnings count as errors");
  judging(
    verb(
      "replay <policy...>",
      "what recorded traffic would meet under a policy",
      "bulkhead replay policy.yaml --since 7d",
      async () => (await import("./verbs/policies.ts")).replay,
    ),
  );
  judging(
    verb(
      "plan <policy...>",
      "what a policy would change: resources, connections, replay, capacity, tests",
      "bulkhead plan policies/",
      async () => (await import("./verbs/policies.ts")).plan,
    ),
  );
  verb(
    "apply <policy...>",
    "put a policy in force (audit, unless told otherwise)",
    "sudo bulkhead apply policy.yaml --mode enforce --confirm 60s",
    async () => (await import("./verbs/policies.ts")).apply,
  )
    .option("--mode <mode>", "audit (default) or enforce")
    .option("--confirm <time>", "revert by itself unless `bulkhead confirm` follows in time")
    .option("--canary <share>", "enforce for this share of flows, such as 10%, and audit the rest")
    .option("--prune", "remove what is in force but not in the files")
    .option("--dry-run", "print the exact ruleset and change nothing")
    .option("--strict", "warnings count as errors")
    .option("--force", "even if it cuts an SSH session or breaks an invariant; needs --reason")
    .option("--reason <text>", "why, for the history");
  verb(
    "delete <resources...>",
    "take single resources out of force, and say what that newly allows",
    "sudo bulkhead delete Policy/shop/db --confirm 60s",
    async () => (await import("./verbs/delete.ts")).deleteResources,
  )
    .option("--mode <mode>", "audit or enforce for what stays; as it is, by default")
    .option("--confirm <time>", "revert by itself unless `bulkhead confirm` follows in time")
    .option("--dry-run", "print the exact ruleset and change nothing")
    .option("--force", "even if it cuts an SSH session or breaks an invariant; needs --reason")
    .option("--reason <text>", "why, for the history");
  verb(
    "label <workload> <labels...>",
    "give labels to a workload (key=value), or take them back (key-)",
    "sudo bulkhead label host/nginx.service role=front tier-\nsudo bulkhead label shop/db backup=yes --dry-run",
    async () => (await import("./verbs/label.ts")).label,
  )
    .option("--confirm <time>", "revert by itself unless `bulkhead confirm` follows in time")
    .option("--dry-run", "tell what it would permit and forbid, and change nothing")
    .option("--force", "even if it cuts the agent's own path or an SSH session")
    .option("--reason <text>", "why, for the history");
  verb(
    "confirm",
    "keep what was applied with --confirm",
    "sudo bulkhead confirm",
    async () => (await import("./verbs/history.ts")).confirm,
  );
  verb(
    "history [revision]",
    "what was applied when, by whom and why; or the files of one revision",
    "bulkhead history 3",
    async () => (await import("./verbs/history.ts")).history,
  );
  verb(
    "rollback [revision]",
    "back to an earlier revision (the previous one)",
    "sudo bulkhead rollback 3 --confirm 60s",
    async () => (await import("./verbs/history.ts")).rollback,
  )
    .option("--mode <mode>", "audit or enforce; as it was, by default")
    .option("--confirm <time>", "revert by itself unless `bulkhead confirm` follows in time")
    .option("--yes", "do not ask when it newly allows what is enforced now")
    .option("--force", "even if it cuts an SSH session or breaks an invariant; needs --reason")
    .option("--reason <text>", "why, for the history");
  addQuestionVerbs(verb);
  verb(
    "why [from] [to:port] [port]",
    "why a connection failed: the rule, its owner and commit, and what to propose",
    "bulkhead why\nbulkhead why web db:5432/tcp\nbulkhead why web db:5432 --draft | bulkhead plan -\nsudo bulkhead why web db:5432 --report 'the nightly report fails'",
    async () => (await import("./verbs/why.ts")).why,
  )
    .option("--draft", "only what to propose, as YAML")
    .option("--report <reason>", "say that it should not have been denied; needs root");
  addListVerbs(verb);
  addCheckVerbs(verb);
  addConvertVerb(verb);
  verb(
    "probe [workloads...]",
    "prove it: a connection for every rule and every boundary, both ends watched",
    "sudo bulkhead probe",
    async () => (await import("./verbs/probe.ts")).probe,
  ).option("--max-boundaries <count>", "at most so many; those left out count as skipped");
  verb(
    "drift",
    "where the kernel was found otherwise than wanted, and what was done",
    "bulkhead drift\nsudo bulkhead drift --set report",
    async () => (await import("./verbs/drift.ts")).drift,
  ).option("--set <what>", "repair (as soon as it is found) or report (and leave it)");
  verb(
    "slo",
    "the measures M1 to M8, each beside its target",
    "bulkhead slo --since 30d -o wide\nbulkhead slo --strict -o md",
    async () => (await import("./verbs/slo.ts")).slo,
    [...FORMATS, "md"],
  )
    .option("--since <time>", since)
    .option("--strict", "exit 1 when a measure misses its target")
    .option("--measure-latency", "measure M5 anew in scratch networks, some seconds; needs root");
  verb(
    "boot <task>",
    "what happens when the machine starts: enable, disable, or restore the last policy",
    "sudo bulkhead boot enable",
    async () => (await import("./verbs/boot.ts")).boot,
  );
  verb(
    "restart",
    "start controller and agent anew while the kernel goes on enforcing",
    "sudo bulkhead restart",
    async () => (await import("./verbs/restart.ts")).restart,
  );
  const placing = (command: Command): Command =>
    command
      .option("--root <dir>", "into this folder, as if it were the machine; nothing is started")
      .option("--dry-run", "tell the steps and do nothing");
  placing(
    verb(
      "install",
      "put this version below /opt/bulkhead and into use; starts nothing",
      "sudo ./bulkhead install --dry-run",
      async () => (await import("./verbs/install.ts")).install,
    ),
  );
  placing(
    verb(
      "upgrade",
      "put this version into use instead of the one installed, or leave all as it is",
      "sudo ./bulkhead upgrade",
      async () => (await import("./verbs/install.ts")).upgrade,
    ),
  );
  placing(
    verb(
      "uninstall",
      "take out what install and upgrade put there, and nothing else",
      "sudo bulkhead uninstall --dry-run",
      async () => (await import("./verbs/install.ts")).uninstall,
    ),
  );
  verb(
    "doctor",
    "can this machine enforce, and what is in the way",
    "sudo bulkhead doctor",
    async () => (await import("./verbs/doctor.ts")).doctor,
  );
  verb(
    "completion <shell>",
    "completion script for bash, zsh or fish",
    "bulkhead completion bash > /etc/bash_completion.d/bulkhead",
    async () => (await import("./verbs/completion.ts")).completion,
  );
  verb(
    "schema [name]",
    "JSON Schemas of answers and resources",
    "bulkhead schema status",
    async () => (await import("./verbs/schema.ts")).schema,
  );
  verb(
    "version",
    "version and runtime",
    "bulkhead version",
    async () => (await import("./verbs/version.ts")).version,
  );
  groupVerbs(program);
  program
    .command("__complete [words...]", { hidden: true })
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const { complete } = await import("./verbs/complete.ts");
      around.stdout.write(await complete(program, words, around));
      finish(0);
    });
  program.addHelpText(
    "after",
    "\nExample, the loop:\n  $ sudo bulkhead up\n  $ bulkhead observe\n  $ bulkhead suggest -f policy.yaml\n  $ bulkhead replay policy.yaml\n  $ sudo bulkhead apply policy.yaml\n  $ sudo bulkhead apply policy.yaml --mode enforce --confirm 60s\n  $ sudo bulkhead probe\n",
  );
  return program;
}
